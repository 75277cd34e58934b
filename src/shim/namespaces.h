// The namespaces of a container that are made before its runtime runs: a user namespace of its own ids, and a network
// namespace that belongs to it (user_namespaces(7), network_namespaces(7)).
#pragma once

#include <cstdint>

#include "shim/fd.h"
#include "shim/result.h"

namespace berth::shim {

struct Namespaces {
  Fd user;  // none: the host's
  Fd net;   // none: the host's
};

// ids 0 to userns_size - 1 of the new user namespace are userns_base and up here; userns_size 0: no user namespace.
// In the network namespace lo is up and nothing else is there. Blocks for about a millisecond, on a child of its own.
Result<Namespaces> make_namespaces(std::uint32_t userns_base, std::uint32_t userns_size, bool private_netns);

}  // namespace berth::shim
