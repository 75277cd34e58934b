#include "volume/detail/copy_tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fs/root_dir.h"
#include "fs/walk.h"
#include "sys/file.h"

namespace berth::volume {

namespace {

using Status = struct ::stat;

// A path for the calls that have no *at form; its last component is not followed by the l*xattr family.
std::string path_at(int directory, const std::string& name) {
  return fmt::format("/proc/self/fd/{}/{}", directory, name);
}

Result<void> copy_attributes(const std::string& from, const std::string& to) {
  std::string names(XATTR_LIST_MAX, '\0');
  ssize_t size = ::llistxattr(from.c_str(), names.data(), names.size());
  if (size < 0 && errno == ENOTSUP) return {};
  if (size < 0) return fail_errno("list extended attributes");
  names.resize(static_cast<std::size_t>(size));
  std::string value;
  for (std::size_t at = 0; at < names.size(); at += std::string_view(names.c_str() + at).size() + 1) {
    const char* name = names.c_str() + at;
    if (std::string_view(name).find(".overlay.") != std::string_view::npos) continue;
    value.resize(XATTR_SIZE_MAX);
    size = ::lgetxattr(from.c_str(), name, value.data(), value.size());
    if (size < 0) return fail_errno(fmt::format("read extended attribute {}", name));
    if (::lsetxattr(to.c_str(), name, value.data(), static_cast<std::size_t>(size), 0) < 0 && errno != ENOTSUP)
      return fail_errno(fmt::format("set extended attribute {}", name));
  }
  return {};
}

// From the offset to the end of a piece of data. copy_file_range(2) does not go from an overlay to another file system.
Result<void> copy_range(int from, int to, off_t at, off_t end) {
  std::string buffer;
  while (at < end) {
    off_t in = at, out = at;
    auto left = static_cast<std::size_t>(end - at);
    ssize_t copied = buffer.empty() ? ::copy_file_range(from, &in, to, &out, left, 0) : -1;
    if (copied < 0 && (!buffer.empty() || errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL)) {
      buffer.resize(64 << 10);
      copied = ::pread(from, buffer.data(), std::min(buffer.size(), left), at);
      if (copied > 0) copied = ::pwrite(to, buffer.data(), static_cast<std::size_t>(copied), at);
    }
    if (copied < 0) return fail_errno("copy");
    if (copied == 0) return {};
    at += copied;
  }
  return {};
}

// Clones the file where the file system can; else copies its data and leaves its holes.
Result<void> copy_data(int from, int to, off_t size) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
  if (::ftruncate(to, size) < 0) return fail_errno("set size");
  off_t data = 0;
  while ((data = ::lseek(from, data, SEEK_DATA)) >= 0) {
    off_t end = ::lseek(from, data, SEEK_HOLE);
    if (end < 0) return fail_errno("find hole");
    TRY_OK(copy_range(from, to, data, end));
    data = end;
  }
  return errno == ENXIO ? Result<void>() : fail_errno("find data");
}

class Copier {
 public:
  Copier(int source, sys::UniqueFd target) : source_(source), target_(std::move(target)) {}

  Result<void> run() {
    TRY_OK(fs::walk(source_, [this](const fs::Visit& visit) -> Result<fs::Step> {
      TRY_OK(annotate(copy(visit), "{}", visit.path));
      return fs::Step::into;
    }));
    // Times last, since each entry made in a directory changes them.
    for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
      TRY(auto place, target_.locate(directory->first));
      TRY_OK(set_times(place, directory->second));
    }
    return {};
  }

 private:
  using Place = fs::RootDir::Place;

  Result<void> copy(const fs::Visit& visit) {
    TRY(Place to, target_.locate(visit.path));
    const Status& status = visit.status;
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) return {};
    if (status.st_nlink > 1 && !S_ISDIR(status.st_mode)) {
      auto [first, is_first] = links_.try_emplace({status.st_dev, status.st_ino}, visit.path);
      if (!is_first) return link(first->second, to);
    }
    TRY_OK(make(visit, to));
    return finish(visit, to);
  }

  Result<void> link(const std::string& first, const Place& to) {
    TRY(Place from, target_.locate(first));
    if (::linkat(from.directory.get(), from.name.c_str(), to.directory.get(), to.name.c_str(), 0) < 0)
      return fail_errno("link to " + first);
    return {};
  }

  // The entry itself, with its content, as yet without what finish() adds.
  Result<void> make(const fs::Visit& visit, const Place& to) {
    int directory = to.directory.get();
    const char* name = to.name.c_str();
    mode_t type = visit.status.st_mode & S_IFMT;
    if (type == S_IFREG) {
      TRY(sys::UniqueFd from, sys::open_at(visit.directory, visit.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
      TRY(sys::UniqueFd file, sys::open_at(directory, to.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
      return copy_data(from.get(), file.get(), visit.status.st_size);
    }
    if (type == S_IFLNK) {
      std::string link(static_cast<std::size_t>(visit.status.st_size) + 1, '\0');
      ssize_t size = ::readlinkat(visit.directory, visit.name.c_str(), link.data(), link.size());
      if (size < 0) return fail_errno("read symlink");
      link.resize(static_cast<std::size_t>(size));
      return ::symlinkat(link.c_str(), directory, name) < 0 ? fail_errno("symlink") : Result<void>();
    }
    if (type == S_IFDIR) {
      directories_.emplace_back(visit.path, visit.status);
      return ::mkdirat(directory, name, 0700) < 0 ? fail_errno("mkdir") : Result<void>();
    }
    return ::mknodat(directory, name, type | 0600, 0) < 0 ? fail_errno("mknod") : Result<void>();
  }

  // Owner before mode and attributes: chown(2) clears setuid bits and file capabilities.
  Result<void> finish(const fs::Visit& visit, const Place& to) {
    const Status& status = visit.status;
    int directory = to.directory.get();
    const char* name = to.name.c_str();
    if (::fchownat(directory, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno("chown");
    if (!S_ISLNK(status.st_mode) && ::fchmodat(directory, name, status.st_mode & 07777, 0) < 0)
      return fail_errno("chmod");
    TRY_OK(copy_attributes(path_at(visit.directory, visit.name), path_at(directory, to.name)));
    return set_times(to, status);
  }

  static Result<void> set_times(const Place& to, const Status& status) {
    timespec times[] = {status.st_atim, status.st_mtim};
    if (::utimensat(to.directory.get(), to.name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0)
      return fail_errno("set times");
    return {};
  }

  int source_;
  fs::RootDir target_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;  // the first path of each inode with several
  std::vector<std::pair<std::string, Status>> directories_;
};

Result<void> copy_root(int source, int target) {
  Status status{};
  if (::fstat(source, &status) < 0) return fail_errno("stat");
  if (::fchown(target, status.st_uid, status.st_gid) < 0) return fail_errno("chown");
  if (::fchmod(target, status.st_mode & 07777) < 0) return fail_errno("chmod");
  TRY_OK(copy_attributes(path_at(source, "."), path_at(target, ".")));
  timespec times[] = {status.st_atim, status.st_mtim};
  return ::futimens(target, times) < 0 ? fail_errno("set times") : Result<void>();
}

}  // namespace

Result<void> copy_tree(int source, int target) {
  // Opened anew, since either may be O_PATH.
  TRY(sys::UniqueFd from, sys::open_at(source, ".", O_RDONLY | O_DIRECTORY));
  TRY(sys::UniqueFd to, sys::open_at(target, ".", O_RDONLY | O_DIRECTORY));
  TRY(sys::UniqueFd root, sys::open_at(target, ".", O_RDONLY | O_DIRECTORY));
  TRY_OK(annotate(Copier(from.get(), std::move(root)).run(), "copy"));
  return copy_root(from.get(), to.get());
}

}  // namespace berth::volume
