// What this host lacks for container networks, found by trying it in a network namespace that is thrown away.
#pragma once

#include <string>
#include <vector>

#include "network/network.h"

namespace berth::network {

struct Problem {
  std::string what;   // "the kernel cannot make bridges: ..."
  std::string mend;   // a command, or a sentence when there is none
  bool fatal = true;  // false: something works less well
};

// Empty when all is well. Blocks some 20 ms; starts a thread of its own, so thread: any.
std::vector<Problem> preflight(const Config& config);

}  // namespace berth::network
