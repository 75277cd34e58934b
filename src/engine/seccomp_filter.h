// Compiling a system call filter to the kernel's BPF program, once for all containers of a kind: crun takes the
// compiled program (annotation run.oci.seccomp_bpf_data, crun(1)) and need not spend most of a container's start on
// compiling it again.
//
// Thread: the loop's. Programs are kept for the life of the object.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace berth::engine {

// A profile in the OCI runtime's form (config-linux.md, Seccomp) as an array of struct sock_filter. System calls that
// this libseccomp does not know are left out, as runtimes do. Pure.
Result<std::string> compile_seccomp(const json::Value& profile);

class SeccompFilters {
 public:
  // In base64; empty when it cannot be compiled here: the runtime then compiles the profile itself.
  const std::string& program(const std::set<std::string>& capabilities);

 private:
  std::map<std::set<std::string>, std::string> programs_;
};

}  // namespace berth::engine
