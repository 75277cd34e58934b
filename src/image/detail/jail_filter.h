// The system calls that are left to code that works on hostile bytes in a jail: files, memory, and its own end.
//
// No sockets, no programs, no signals to others, no mounts, namespaces, keys or io_uring, and no memory that can be
// made executable. Anything else ends the process with SIGSYS. In a build with a sanitizer there is no filter: the
// sanitizer's own calls are its business. Source: seccomp(2).
#pragma once

#include "base/error.h"

namespace berth::image {

// For the calling thread and for good; wants no_new_privs, and gives EINVAL or EACCES without it.
Result<void> allow_only_file_work();

}  // namespace berth::image
