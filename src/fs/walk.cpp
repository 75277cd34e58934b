#include "fs/walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "sys/file.h"
#include "sys/unique_fd.h"

namespace berth::fs {

namespace {

constexpr std::size_t kMaxDepth = 500;

struct Level {
  sys::UniqueFd directory;
  std::string path;  // with a trailing '/', or empty
  std::vector<std::string> names;
  std::size_t next = 0;
};

Result<Level> enter(sys::UniqueFd directory, std::string path) {
  // A descriptor of its own: closedir(3) takes it along.
  sys::UniqueFd copy(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 3));
  DIR* stream = copy ? ::fdopendir(copy.get()) : nullptr;
  if (stream == nullptr) return fail_errno("read directory " + path);
  (void)copy.release();
  ::rewinddir(stream);
  Level level{std::move(directory), std::move(path), {}};
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") level.names.emplace_back(name);
    errno = 0;
  }
  int error = errno;
  ::closedir(stream);
  if (error != 0) return fail_errno(error, "read directory " + level.path);
  std::sort(level.names.begin(), level.names.end());
  return level;
}

}  // namespace

Result<void> walk(int directory, const std::function<Result<Step>(const Visit&)>& visit) {
  TRY(sys::UniqueFd start, sys::open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  std::vector<Level> levels;
  TRY(Level first, enter(std::move(start), ""));
  levels.push_back(std::move(first));
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.next == level.names.size()) {
      levels.pop_back();
      continue;
    }
    const std::string& name = level.names[level.next++];
    struct ::stat status{};
    if (::fstatat(level.directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT) continue;
      return fail_errno("stat " + level.path + name);
    }
    std::string path = level.path + name;
    TRY(Step step, visit(Visit{level.directory.get(), name, path, status}));
    if (step == Step::over || !S_ISDIR(status.st_mode)) continue;
    auto child = sys::open_at(level.directory.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child && (child.error().errno_value() == ENOENT || child.error().errno_value() == ENOTDIR)) continue;
    if (!child) return std::unexpected(std::move(child).error());
    if (levels.size() == kMaxDepth) return fail(ErrorCode::exhausted, "{} is nested too deep", path);
    TRY(Level inner, enter(*std::move(child), path + "/"));
    levels.push_back(std::move(inner));
  }
  return {};
}

}  // namespace berth::fs
