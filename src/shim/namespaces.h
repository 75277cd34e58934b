// The namespaces of a container that are there before its runtime runs: a user namespace of its own ids and a network
// namespace that belongs to it, and what it shares with another container (user_namespaces(7), network_namespaces(7)).
#pragma once

#include <cstdint>

#include "shim/conf.h"
#include "shim/fd.h"
#include "shim/result.h"

namespace berth::shim {

struct Namespaces {
  Fd user;  // none: the host's
  Fd net;   // none: the host's
  Fd pid;   // none: a new one, by the runtime, or the host's
  Fd ipc;   // the same
};

// Opens what conf joins and makes the rest. ids 0 to userns_size - 1 of a new user namespace are userns_base and up
// here; userns_size 0: no user namespace. In a new network namespace lo is up and nothing else is there; it belongs to
// the container's user namespace, also to one that is joined. Blocks for about a millisecond, on a child of its own.
Result<Namespaces> make_namespaces(Conf& conf);

}  // namespace berth::shim
