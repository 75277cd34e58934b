#include "fs/root_dir.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <deque>
#include <vector>

#include "base/text.h"
#include "sys/file.h"

namespace berth::fs {

namespace {

constexpr int kMaxLinks = 40;  // as the kernel's own limit, path_resolution(7)

Result<void> check(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return fail(ErrorCode::invalid, "a path holds a NUL byte");
  return {};
}

}  // namespace

Result<RootDir> RootDir::open_host(const std::string& path) {
  TRY(sys::UniqueFd fd, sys::open_file(path, O_PATH | O_DIRECTORY));
  return RootDir(std::move(fd));
}

Result<sys::UniqueFd> RootDir::open(std::string_view path, int flags, mode_t mode) const {
  return open_with(path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<sys::UniqueFd> RootDir::open_beneath(std::string_view path, int flags) const {
  while (path.starts_with('/')) path.remove_prefix(1);
  return open_with(path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

Result<sys::UniqueFd> RootDir::open_with(std::string_view path, int flags, mode_t mode, std::uint64_t resolve) const {
  TRY_OK(check(path));
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  if ((flags & (O_PATH | O_CREAT)) == 0 && (flags & O_ACCMODE) == O_RDONLY) how.flags |= O_NONBLOCK;
  if ((flags & O_CREAT) != 0) how.mode = mode;
  how.resolve = resolve;
  std::string name(path.empty() ? "." : path);
  // EAGAIN: something was renamed during the walk and the kernel could not tell whether it stayed inside (openat2(2)).
  constexpr int kAttempts = 128;
  for (int attempt = 0;; ++attempt) {
    long fd = ::syscall(SYS_openat2, directory_.get(), name.c_str(), &how, sizeof how);
    if (fd >= 0) return sys::UniqueFd(static_cast<int>(fd));
    if ((errno == EAGAIN || errno == EINTR) && attempt < kAttempts) continue;
    return fail_errno("open " + name);
  }
}

Result<RootDir::Place> RootDir::locate(std::string_view path) const {
  while (path.ends_with('/')) path.remove_suffix(1);
  std::size_t slash = path.rfind('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return fail(ErrorCode::invalid, "\"{}\" names no file", path);
  TRY_OK(check(path));
  std::string_view parent = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  TRY(sys::UniqueFd directory, open(parent, O_PATH | O_DIRECTORY));
  return Place{std::move(directory), std::string(name)};
}

Result<struct ::stat> RootDir::stat(std::string_view path) const {
  TRY(sys::UniqueFd fd, open(path, O_PATH));
  struct ::stat status{};
  if (::fstat(fd.get(), &status) < 0) return fail_errno(fmt::format("stat {}", path));
  return status;
}

Result<struct ::stat> RootDir::lstat(std::string_view path) const {
  TRY(sys::UniqueFd fd, open(path, O_PATH | O_NOFOLLOW));
  struct ::stat status{};
  if (::fstat(fd.get(), &status) < 0) return fail_errno(fmt::format("stat {}", path));
  return status;
}

Result<std::string> RootDir::read_link(std::string_view path) const {
  TRY(sys::UniqueFd fd, open(path, O_PATH | O_NOFOLLOW));
  char target[PATH_MAX];
  ssize_t length = ::readlinkat(fd.get(), "", target, sizeof target);
  // An empty path on something that is no symlink is ENOENT (readlink(2)); say what open(2) users expect.
  if (length < 0) return fail_errno(errno == ENOENT ? EINVAL : errno, fmt::format("read link {}", path));
  return std::string(target, static_cast<std::size_t>(length));
}

Result<std::string> RootDir::resolve(std::string_view path) const {
  std::deque<std::string> left;
  for (std::string& part : split(path, '/')) left.push_back(std::move(part));
  std::vector<std::string> done;
  int links = 0;
  while (!left.empty()) {
    std::string part = std::move(left.front());
    left.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(part);
    auto target = read_link(join(done, "/"));
    if (!target) {
      int error = target.error().errno_value();
      if (error == EINVAL || error == ENOENT || error == ENOTDIR) continue;
      return std::unexpected(std::move(target).error());
    }
    if (++links > kMaxLinks) return fail_errno(ELOOP, fmt::format("resolve {}", path));
    done.pop_back();
    if (target->starts_with('/')) done.clear();
    std::vector<std::string> parts = split(*target, '/');
    left.insert(left.begin(), parts.begin(), parts.end());
  }
  return "/" + join(done, "/");
}

Result<std::string> RootDir::read_file(std::string_view path, std::size_t limit) const {
  TRY(sys::UniqueFd fd, open(path, O_RDONLY));
  struct ::stat status{};
  if (::fstat(fd.get(), &status) < 0) return fail_errno(fmt::format("stat {}", path));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::invalid, "{} is not a regular file", path);
  std::string text;
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(fmt::format("read {}", path));
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > limit) return fail(ErrorCode::exhausted, "{} is larger than {} bytes", path, limit);
  }
}

Result<void> RootDir::replace_file(std::string_view path, std::string_view bytes, mode_t mode) const {
  TRY(std::string resolved, resolve(path));
  TRY(Place place, locate(resolved));
  struct ::stat old{};
  bool had =
      ::fstatat(place.directory.get(), place.name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode);
  std::string temporary = ".berth-" + random_hex(8);
  auto fill = [&]() -> Result<void> {
    TRY(sys::UniqueFd fd,
        sys::open_at(place.directory.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    TRY_OK(sys::write_all(fd.get(), bytes));
    if (had && ::fchown(fd.get(), old.st_uid, old.st_gid) < 0) return fail_errno("chown");
    if (::fchmod(fd.get(), had ? old.st_mode & 07777 : mode) < 0) return fail_errno("chmod");
    return {};
  };
  Result<void> result = annotate(fill(), "write {}", path);
  if (result && ::renameat(place.directory.get(), temporary.c_str(), place.directory.get(), place.name.c_str()) < 0)
    result = fail_errno(fmt::format("replace {}", path));
  if (!result) ::unlinkat(place.directory.get(), temporary.c_str(), 0);
  return result;
}

Result<void> RootDir::make_directory(std::string_view path, mode_t mode) const {
  TRY(Place place, locate(path));
  if (::mkdirat(place.directory.get(), place.name.c_str(), mode) < 0) return fail_errno(fmt::format("mkdir {}", path));
  return {};
}

Result<void> RootDir::ensure_directories(std::string_view path, mode_t mode) const {
  TRY(std::string resolved, resolve(path));
  for (std::size_t at = resolved.find('/', 1);; at = resolved.find('/', at + 1)) {
    std::string part = resolved.substr(0, at);
    if (part != "/")
      if (auto made = make_directory(part, mode); !made && made.error().errno_value() != EEXIST) return made;
    if (at == std::string::npos) break;
  }
  TRY(sys::UniqueFd directory, open(resolved, O_PATH | O_DIRECTORY));
  return {};
}

Result<void> RootDir::symlink(const std::string& target, std::string_view path) const {
  TRY(Place place, locate(path));
  if (::symlinkat(target.c_str(), place.directory.get(), place.name.c_str()) < 0)
    return fail_errno(fmt::format("symlink {}", path));
  return {};
}

Result<void> RootDir::remove_file(std::string_view path) const {
  TRY(Place place, locate(path));
  if (::unlinkat(place.directory.get(), place.name.c_str(), 0) < 0) return fail_errno(fmt::format("remove {}", path));
  return {};
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    std::size_t slash = path.find('/');
    std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string clean;
  for (std::string_view part : parts) {
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

}  // namespace berth::fs
