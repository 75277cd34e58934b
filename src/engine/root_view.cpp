#include "engine/root_view.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "sys/file.h"

namespace berth::engine {

namespace {

// glibc 2.36 has wrappers for these, but its <sys/mount.h> and <linux/mount.h> do not go together.
int fsopen(const char* type) { return static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }
int fsconfig(int fd, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fd, command, key, value, 0));
}
int fsmount(int fd) { return static_cast<int>(::syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, 0)); }

struct View {
  std::vector<std::string> lower;  // topmost first
  std::string upper_dir;
  bool writable = false;
  bool with_volatile = false;
};

Result<void> set_string(int context, const char* key, const std::string& value) {
  if (fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str()) == 0) return {};
  return fail_errno(fmt::format("overlay: {}={}", key, value));
}

Result<void> set_lower_each(int context, const View& view) {
  for (const std::string& directory : view.lower) TRY_OK(set_string(context, "lowerdir+", directory));
  return {};
}

// All in one string of at most 255 bytes. So that it holds many, the layers are named by descriptors, relative to the
// working directory, which is /proc/self/fd here.
Result<std::vector<sys::UniqueFd>> set_lower_joined(int context, const View& view) {
  std::vector<sys::UniqueFd> held;
  std::string joined;
  for (const std::string& directory : view.lower) {
    TRY(sys::UniqueFd fd, sys::open_file(directory, O_PATH | O_DIRECTORY));
    joined += fmt::format("{}{}", joined.empty() ? "" : ":", fd.get());
    held.push_back(std::move(fd));
  }
  if (auto set = set_string(context, "lowerdir", joined); !set)
    return std::unexpected(std::move(set).error().with(
        fmt::format("a kernel before 6.5 does not take an image of {} layers here", view.lower.size())));
  return held;
}

Result<sys::UniqueFd> mount_overlay(const View& view, LowerForm form) {
  sys::UniqueFd context(fsopen("overlay"));
  if (!context) return fail_errno("overlay: fsopen");
  std::vector<sys::UniqueFd> held;
  if (form == LowerForm::joined) {
    TRY(held, set_lower_joined(context.get(), view));
  } else {
    TRY_OK(set_lower_each(context.get(), view));
  }
  if (view.writable) {
    TRY(sys::UniqueFd upper, sys::open_file(view.upper_dir, O_PATH | O_DIRECTORY));
    std::string base = fmt::format("/proc/self/fd/{}", upper.get());
    held.push_back(std::move(upper));
    TRY_OK(set_string(context.get(), "upperdir", base + "/diff"));
    TRY_OK(set_string(context.get(), "workdir", base + "/work"));
    if (view.with_volatile && fsconfig(context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr) < 0)
      return fail_errno("overlay: volatile");
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) return fail_errno("overlay: mount");
  sys::UniqueFd mount(fsmount(context.get()));
  if (!mount) return fail_errno("overlay: fsmount");
  // fsmount gives an O_PATH descriptor; a real one can be fchdir'ed to and listed.
  return sys::open_at(mount.get(), ".", O_RDONLY | O_DIRECTORY);
}

// On a thread of its own, the only one whose working directory changes (unshare(2), CLONE_FS).
Result<sys::UniqueFd> mount_joined(const View& view) {
  Result<sys::UniqueFd> mount = fail(ErrorCode::internal, "the mount was not tried");
  std::thread worker([&] {
    if (::unshare(CLONE_FS) < 0 || ::chdir("/proc/self/fd") < 0)
      mount = fail_errno("overlay: enter /proc/self/fd");
    else
      mount = mount_overlay(view, LowerForm::joined);
  });
  worker.join();
  return mount;
}

// "lowerdir+" is of Linux 6.5. A kernel before it takes whatever option it is given and says EINVAL when the mount is
// to be made; whether that was the reason shows when the other form works.
std::atomic<bool> takes_each_layer{true};

Result<sys::UniqueFd> mount_either(const View& view) {
  if (!takes_each_layer) return mount_joined(view);
  auto mount = mount_overlay(view, LowerForm::each);
  if (mount || mount.error().errno_value() != EINVAL) return mount;
  auto other = mount_joined(view);
  if (!other) return mount;
  takes_each_layer = false;
  return other;
}

Result<sys::UniqueFd> mount_view(const View& view, LowerForm form) {
  return form == LowerForm::joined ? mount_joined(view) : mount_either(view);
}

}  // namespace

void clear_volatile_mark(const std::string& upper_dir) {
  ::unlink((upper_dir + "/work/work/incompat/volatile/dirty").c_str());
  ::rmdir((upper_dir + "/work/work/incompat/volatile").c_str());
  ::rmdir((upper_dir + "/work/work/incompat").c_str());
}

Result<sys::UniqueFd> open_root_view(const std::vector<std::string>& layers, const std::string& upper_dir,
                                     bool writable, LowerForm form) {
  std::string diff = upper_dir + "/diff";
  // An image without layers: the upper layer is all there is.
  if (layers.empty()) return sys::open_file(diff, O_RDONLY | O_DIRECTORY);
  View view{{layers.rbegin(), layers.rend()}, upper_dir, writable, writable};
  if (!writable) {
    view.lower.insert(view.lower.begin(), diff);
    return mount_view(view, form);
  }
  clear_volatile_mark(upper_dir);
  auto root = mount_view(view, form);
  if (root || root.error().errno_value() != EINVAL) return root;
  view.with_volatile = false;
  return mount_view(view, form);
}

}  // namespace berth::engine
