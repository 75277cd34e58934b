#include "fs/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <set>
#include <vector>

#include "base/text.h"
#include "fs/walk.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace berth::fs {

namespace {

// Clears the flags that forbid removal (chattr +i, +a); true when there were any.
bool clear_flags(int fd) {
  int flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) == 0) return false;
  flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
  return ::ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

bool clear_flags_of(int directory, const char* name) {
  bool changed = clear_flags(directory);
  struct stat status{};
  if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return changed;
  // Only these can carry the flags, and only these open without side effects.
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return changed;
  sys::UniqueFd fd(::openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  return (fd && clear_flags(fd.get())) || changed;
}

// 0, or the errno of unlinkat(2) after one attempt to clear flags.
int unlink_entry(int directory, const char* name, int flags) {
  if (::unlinkat(directory, name, flags) == 0 || errno == ENOENT) return 0;
  if (errno != EPERM || !clear_flags_of(directory, name)) return errno;
  return ::unlinkat(directory, name, flags) == 0 ? 0 : errno;
}

struct Level {
  DIR* stream;
  std::string name;  // in the level above
  int fd() const { return ::dirfd(stream); }
};

class Remover {
 public:
  Remover(int directory, std::string name) : directory_(directory), name_(std::move(name)) {}
  ~Remover() {
    while (!levels_.empty()) pop();
  }
  Result<void> run();

 private:
  // Each level holds a descriptor. Deeper directories are first moved up into the topmost one, which is emptied last.
  static constexpr std::size_t kMaxDepth = 64;

  Result<void> push(int parent, const std::string& name);
  Result<void> step();
  Result<void> leave();
  Result<void> flatten(const char* name);
  void pop() {
    ::closedir(levels_.back().stream);
    levels_.pop_back();
  }
  std::unexpected<Error> failed(int error, const char* name) const {
    return fail_errno(error, fmt::format("remove {}", name));
  }

  int directory_;
  std::string name_;
  std::vector<Level> levels_;
  bool again_ = false;  // the topmost directory got new entries after its listing had begun
};

Result<void> Remover::run() {
  int error = unlink_entry(directory_, name_.c_str(), 0);
  if (error == 0) return {};
  // unlink(2) of a directory is EISDIR on Linux, EPERM by POSIX.
  if (error != EISDIR && error != EPERM) return failed(error, name_.c_str());
  TRY_OK(push(directory_, name_));
  while (!levels_.empty()) TRY_OK(step());
  return {};
}

Result<void> Remover::push(int parent, const std::string& name) {
  sys::UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return failed(errno, name.c_str());
  DIR* stream = ::fdopendir(fd.get());
  if (stream == nullptr) return failed(errno, name.c_str());
  (void)fd.release();
  levels_.push_back({stream, name});
  return {};
}

Result<void> Remover::step() {
  Level& level = levels_.back();
  errno = 0;
  const dirent* entry = ::readdir(level.stream);
  if (entry == nullptr) return errno == 0 ? leave() : Result<void>(failed(errno, level.name.c_str()));
  std::string_view name = entry->d_name;
  if (name == "." || name == "..") return {};
  int error = entry->d_type == DT_DIR ? EISDIR : unlink_entry(level.fd(), entry->d_name, 0);
  if (error == 0) return {};
  if (error != EISDIR && error != EPERM) return failed(error, entry->d_name);
  // An empty directory needs no visit.
  if (::unlinkat(level.fd(), entry->d_name, AT_REMOVEDIR) == 0) return {};
  if (levels_.size() == kMaxDepth) return flatten(entry->d_name);
  return push(level.fd(), std::string(name));
}

Result<void> Remover::flatten(const char* name) {
  std::string target = "moved-" + random_hex(8);
  int from = levels_.back().fd();
  int to = levels_.front().fd();
  if (::renameat(from, name, to, target.c_str()) < 0) {
    if (errno != EPERM) return failed(errno, name);
    clear_flags_of(from, name);
    clear_flags(to);
    if (::renameat(from, name, to, target.c_str()) < 0) return failed(errno, name);
  }
  again_ = true;
  return {};
}

Result<void> Remover::leave() {
  if (levels_.size() == 1 && again_) {
    again_ = false;
    ::rewinddir(levels_.back().stream);
    return {};
  }
  std::string name = levels_.back().name;
  pop();
  int parent = levels_.empty() ? directory_ : levels_.back().fd();
  if (int error = unlink_entry(parent, name.c_str(), AT_REMOVEDIR); error != 0) return failed(error, name.c_str());
  return {};
}

}  // namespace

Result<void> remove_tree_at(int directory, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return fail(ErrorCode::internal, "remove \"{}\": not a name", name);
  return Remover(directory, name).run();
}

Result<void> remove_tree(const std::string& path) {
  std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return fail(ErrorCode::internal, "remove \"{}\": not a name", path);
  std::string trimmed = path.substr(0, end + 1);
  std::size_t slash = trimmed.rfind('/');
  auto parent = sys::open_file(slash == std::string::npos ? "." : trimmed.substr(0, slash + 1), O_RDONLY | O_DIRECTORY);
  if (!parent && parent.error().errno_value() == ENOENT) return {};
  if (!parent) return std::unexpected(std::move(parent).error());
  return annotate(remove_tree_at(parent->get(), slash == std::string::npos ? trimmed : trimmed.substr(slash + 1)),
                  "remove {}", path);
}

void spread_children(const std::string& directory) {
  auto fd = sys::open_file(directory, O_RDONLY | O_DIRECTORY);
  int flags = 0;
  if (!fd || ::ioctl(fd->get(), FS_IOC_GETFLAGS, &flags) < 0) return;
  flags |= FS_TOPDIR_FL;
  (void)::ioctl(fd->get(), FS_IOC_SETFLAGS, &flags);
}

Result<TreeSize> measure_tree(const std::string& path) {
  TRY(sys::UniqueFd root, sys::open_file(path, O_RDONLY | O_DIRECTORY));
  TreeSize size;
  std::set<std::pair<dev_t, ino_t>> seen;
  TRY_OK(walk(root.get(), [&](const Visit& visit) -> Result<Step> {
    ++size.entries;
    const struct stat& status = visit.status;
    if (!S_ISREG(status.st_mode)) return Step::into;
    bool counted = status.st_nlink > 1 && !seen.emplace(status.st_dev, status.st_ino).second;
    if (!counted) size.bytes += static_cast<std::uint64_t>(status.st_size);
    return Step::into;
  }));
  return size;
}

}  // namespace berth::fs
