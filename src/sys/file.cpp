#include "sys/file.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/text.h"

namespace berth::sys {

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
  return open_at(AT_FDCWD, path, flags, mode);
}

Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
  int fd;
  do fd = ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return fail_errno("open " + path);
  return UniqueFd(fd);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  TRY(UniqueFd fd, open_file(path, O_RDONLY));
  std::string text;
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + path);
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > limit)
      return fail(ErrorCode::exhausted, "read {}: larger than {} bytes", path, limit);
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> write_value(const std::string& path, std::string_view value) {
  TRY(UniqueFd fd, open_file(path, O_WRONLY));
  ssize_t put;
  do put = ::write(fd.get(), value.data(), value.size());
  while (put < 0 && errno == EINTR);
  if (put < 0) return fail_errno(fmt::format("write \"{}\" to {}", value, path));
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view bytes, mode_t mode, Durability durability) {
  std::string temporary = path + ".tmp-" + random_hex(6);
  auto write_temporary = [&]() -> Result<void> {
    TRY(UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
    TRY_OK(annotate(write_all(fd.get(), bytes), "{}", temporary));
    if (::fchmod(fd.get(), mode) < 0) return fail_errno("chmod " + temporary);
    if (durability == Durability::power && ::fsync(fd.get()) < 0) return fail_errno("fsync " + temporary);
    return {};
  };
  Result<void> result = write_temporary();
  if (result && ::rename(temporary.c_str(), path.c_str()) < 0) result = fail_errno("rename to " + path);
  if (!result) {
    ::unlink(temporary.c_str());
    return result;
  }
  if (durability == Durability::power) {
    std::size_t slash = path.rfind('/');
    TRY(UniqueFd directory,
        open_file(slash == std::string::npos ? "." : path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY));
    if (::fsync(directory.get()) < 0) return fail_errno("fsync the directory of " + path);
  }
  return {};
}

Result<void> overwrite_file(const std::string& path, std::string bytes, mode_t mode) {
  constexpr std::size_t kBlock = 4096;
  TRY(UniqueFd fd, open_file(path, O_WRONLY | O_CREAT, mode));
  struct stat status{};
  if (::fstat(fd.get(), &status) < 0) return fail_errno("stat " + path);
  std::size_t size = std::max(bytes.size(), static_cast<std::size_t>(status.st_size));
  bytes.resize((size + kBlock - 1) / kBlock * kBlock, ' ');
  ssize_t put = ::pwrite(fd.get(), bytes.data(), bytes.size(), 0);
  if (put < 0) return fail_errno("write " + path);
  if (static_cast<std::size_t>(put) != bytes.size()) return fail_errno(ENOSPC, "write " + path);
  return {};
}

Result<void> make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) < 0) return fail_errno("mkdir " + path);
  return {};
}

Result<void> ensure_directories(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) < 0 && errno != EEXIST) return fail_errno("mkdir " + part);
    if (at == std::string::npos) break;
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) return fail_errno("stat " + path);
  if (!S_ISDIR(status.st_mode)) return fail_errno(ENOTDIR, "mkdir " + path);
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return fail_errno("remove " + path);
  return {};
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return fail_errno("open " + path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  int error = errno;
  ::closedir(directory);
  if (error != 0) return fail_errno(error, "list " + path);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace berth::sys
