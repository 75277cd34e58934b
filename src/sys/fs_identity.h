// Acting on files as somebody else, on this thread only.
//
// A file system that is mounted with other ids (idmapped mounts, overlays over them) refuses to make a file for a
// creator whom its mapping does not know: EOVERFLOW. Root of the host is such a one in a container's root, so writers
// there take the ids of the container's root for that while, and keep their capabilities.
//
// Thread: an object belongs to the thread that made it, and no coroutine may be suspended while it lives.
#pragma once

#include <sys/types.h>

#include "base/error.h"

namespace berth::sys {

class FsIdentity {
 public:
  // setfsuid(2), setfsgid(2); 0 and 0 change nothing.
  static Result<FsIdentity> take(uid_t uid, gid_t gid);
  FsIdentity(FsIdentity&& other) noexcept : active_(other.active_) { other.active_ = false; }
  FsIdentity& operator=(FsIdentity&&) = delete;
  // Root's again.
  ~FsIdentity();

 private:
  explicit FsIdentity(bool active) : active_(active) {}
  bool active_;
};

}  // namespace berth::sys
