#include "sys/fs_identity.h"

#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace berth::sys {

namespace {

// A file-system uid other than 0 takes the capabilities over files out of the effective set (capabilities(7)); they
// are still permitted.
Result<void> raise_permitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) < 0) return fail_errno("capget");
  for (auto& part : data) part.effective = part.permitted;
  if (::syscall(SYS_capset, &header, data) < 0) return fail_errno("capset");
  return {};
}

}  // namespace

Result<FsIdentity> FsIdentity::take(uid_t uid, gid_t gid) {
  if (uid == 0 && gid == 0) return FsIdentity(false);
  FsIdentity identity(true);
  ::setfsgid(gid);
  ::setfsuid(uid);
  // Neither call tells an error; setting an impossible id answers the present one.
  if (static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) != uid ||
      static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1))) != gid)
    return fail(ErrorCode::denied, "cannot act as user {} on files", uid);
  TRY_OK(raise_permitted());
  return identity;
}

FsIdentity::~FsIdentity() {
  if (!active_) return;
  ::setfsuid(0);
  ::setfsgid(0);
}

}  // namespace berth::sys
