// A program in sealed memory, which nobody can change any more (memfd_create(2), fcntl(2) F_ADD_SEALS).
//
// crun and runc copy themselves into such memory on every call and start a second time from the copy, so that a
// container cannot overwrite them through /proc/self/exe (CVE-2019-5736). Started from a sealed copy they see that it
// has been done. So the engine makes the copy once, and every start and exec is spared a copy and an exec.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::engine {

class SealedProgram {
 public:
  explicit SealedProgram(std::string path) : path_(std::move(path)) {}

  // For execveat(2) with an empty path; close-on-exec. Copied at the first call, and again when the file at the path
  // has been replaced since. Null when it cannot be copied: no regular file, a script, a kernel that forbids executable
  // memory files; then the path is to be executed. Thread: the loop's; reads up to some MB.
  std::shared_ptr<const sys::UniqueFd> get();

 private:
  std::string path_;
  std::string identity_;  // of the file that was copied
  std::shared_ptr<const sys::UniqueFd> copy_;
};

}  // namespace berth::engine
