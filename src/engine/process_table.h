// `docker top`: the host's ps(1), reduced to the processes of one container.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace berth::engine {

struct ProcessTable {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> processes;
};

// ps_arguments: empty is "-ef". Blocks; thread: any. The output must have a PID column: "Couldn't find PID field in ps
// output".
Result<ProcessTable> list_processes(const std::vector<int>& pids, const std::string& ps_arguments);

}  // namespace berth::engine
