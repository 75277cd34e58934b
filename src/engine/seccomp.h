// The system call filter of a container (OCI runtime spec, linux.seccomp): Docker's default policy, narrowed where a
// shared host gains from it (no AF_ALG and AF_VSOCK sockets, no io_uring).
//
// Everything not named is refused with EPERM; calls that only some capability makes useful are open to containers that
// have it. Pure.
#pragma once

#include <set>
#include <string>

#include "base/json.h"

namespace berth::engine {

// capabilities: those that the container gets, as "CAP_SYS_ADMIN".
json::Value seccomp_profile(const std::set<std::string>& capabilities);

// A profile in Docker's format (--security-opt seccomp=FILE) as the OCI runtimes want it: "archMap" becomes
// "architectures", and rules with "includes" or "excludes" stay or go by capability, architecture and kernel.
json::Value convert_profile(const json::Value& profile, const std::set<std::string>& capabilities);

}  // namespace berth::engine
