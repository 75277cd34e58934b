// Whether an OCI runtime works on this host, found by running a container with it: shim, user namespace, idmapped
// mounts, cgroups and all.
#pragma once

#include <string>

#include "async/loop.h"
#include "engine/paths.h"
#include "engine/runtimes.h"

namespace berth::engine {

struct TrialPlace {
  std::string state_dir;  // on the file system of the containers
  Paths paths;
  std::string shim;  // also the program that runs in the container: it is static
  std::string cgroup_parent;
  std::uint32_t userns_base = 0;
};

// Some 20 ms. What it made is gone when it returns. The error is the shim's or the runtime's own.
async::Task<Result<void>> try_runtime(async::Loop& loop, Runtime runtime, TrialPlace place);

}  // namespace berth::engine
