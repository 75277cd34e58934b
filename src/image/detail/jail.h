// A sandboxed child for work on hostile input: it sees nothing of the host but one directory.
//
// The child has its own user namespace with every id mapped to itself (so files get the owners that the input says) and
// with no capability outside it; its own mount namespace, whose root is the directory; its own PID, network, IPC and
// UTS namespaces, so that it can neither signal, trace nor reach another process; system calls for files and memory and
// no others (detail/jail_filter.h); and at most 1 GiB of memory. It dies with its parent.
//
// Only for single-threaded programs: the child goes on in a copy of the caller (fork).
// Sources: user_namespaces(7), pivot_root(2), "pivot_root(".", ".")".
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace berth::image {

// Runs work in the jail and gives back what it returned, at most limit bytes. The descriptors in keep stay open there,
// all others are closed. What comes back was made by the jailed child: judge it like any other outside bytes.
Result<std::string> run_in_jail(const std::string& directory, const std::vector<int>& keep,
                                const std::function<std::string()>& work, std::size_t limit = 64 << 20);

}  // namespace berth::image
