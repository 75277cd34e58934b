#include "engine/root_view.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sys/file.h"

namespace berth::engine {

namespace {

// glibc 2.36 has wrappers for these, but its <sys/mount.h> and <linux/mount.h> do not go together.
int fsopen(const char* type) { return static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }
int fsconfig(int fd, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fd, command, key, value, 0));
}
int fsmount(int fd) { return static_cast<int>(::syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, 0)); }

// Lower layers, topmost first. "lowerdir+" is of Linux 6.5; before it all go into one string of at most 255 bytes, so
// they are named by descriptors.
Result<std::vector<sys::UniqueFd>> set_lower(int context, const std::vector<std::string>& lower) {
  std::vector<sys::UniqueFd> held;
  bool one_by_one = true;
  for (const std::string& directory : lower) {
    if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", directory.c_str()) == 0) continue;
    if (errno != EINVAL || &directory != &lower.front()) return fail_errno("overlay: add the layer " + directory);
    one_by_one = false;
    break;
  }
  if (one_by_one) return held;
  std::string joined;
  for (const std::string& directory : lower) {
    TRY(sys::UniqueFd fd, sys::open_file(directory, O_PATH | O_DIRECTORY));
    joined += fmt::format("{}/proc/self/fd/{}", joined.empty() ? "" : ":", fd.get());
    held.push_back(std::move(fd));
  }
  if (fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", joined.c_str()) < 0)
    return fail_errno(fmt::format("overlay: {} layers on a kernel before 6.5", lower.size()));
  return held;
}

Result<sys::UniqueFd> mount_overlay(const std::vector<std::string>& lower, const std::string& upper_dir, bool writable,
                                    bool with_volatile) {
  sys::UniqueFd context(fsopen("overlay"));
  if (!context) return fail_errno("overlay: fsopen");
  TRY(auto held, set_lower(context.get(), lower));
  if (writable) {
    // Set by descriptor-sized paths where long: 255 bytes is the limit of one string.
    TRY(sys::UniqueFd upper, sys::open_file(upper_dir, O_PATH | O_DIRECTORY));
    std::string base = fmt::format("/proc/self/fd/{}", upper.get());
    held.push_back(std::move(upper));
    if (fsconfig(context.get(), FSCONFIG_SET_STRING, "upperdir", (base + "/diff").c_str()) < 0 ||
        fsconfig(context.get(), FSCONFIG_SET_STRING, "workdir", (base + "/work").c_str()) < 0)
      return fail_errno("overlay: upper layer " + upper_dir);
    if (with_volatile && fsconfig(context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr) < 0)
      return fail_errno("overlay: volatile");
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) return fail_errno("overlay: mount");
  sys::UniqueFd mount(fsmount(context.get()));
  if (!mount) return fail_errno("overlay: fsmount");
  // fsmount gives an O_PATH descriptor; a real one can be fchdir'ed to and listed.
  return sys::open_at(mount.get(), ".", O_RDONLY | O_DIRECTORY);
}

}  // namespace

void clear_volatile_mark(const std::string& upper_dir) {
  ::unlink((upper_dir + "/work/work/incompat/volatile/dirty").c_str());
  ::rmdir((upper_dir + "/work/work/incompat/volatile").c_str());
  ::rmdir((upper_dir + "/work/work/incompat").c_str());
}

Result<sys::UniqueFd> open_image_view(const std::vector<std::string>& layers) {
  // Overlay wants two directories.
  if (layers.size() == 1) return sys::open_file(layers.front(), O_RDONLY | O_DIRECTORY);
  return mount_overlay({layers.rbegin(), layers.rend()}, "", false, false);
}

Result<sys::UniqueFd> open_root_view(const std::vector<std::string>& layers, const std::string& upper_dir,
                                     bool writable) {
  std::string diff = upper_dir + "/diff";
  // An image without layers: the upper layer is all there is.
  if (layers.empty()) return sys::open_file(diff, O_RDONLY | O_DIRECTORY);
  std::vector<std::string> lower(layers.rbegin(), layers.rend());
  if (!writable) {
    lower.insert(lower.begin(), diff);
    return mount_overlay(lower, upper_dir, false, false);
  }
  clear_volatile_mark(upper_dir);
  auto root = mount_overlay(lower, upper_dir, true, true);
  if (root || root.error().errno_value() != EINVAL) return root;
  return mount_overlay(lower, upper_dir, true, false);
}

}  // namespace berth::engine
