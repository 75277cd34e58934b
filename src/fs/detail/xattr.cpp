#include "fs/detail/xattr.h"

#include <sys/xattr.h>

#include <cerrno>
#include <string>

namespace berth::fs {

bool xattr_travels(std::string_view name) {
  if (name.starts_with("user.")) return !name.starts_with("user.overlay.");
  return name == "security.capability" || name == "system.posix_acl_access" || name == "system.posix_acl_default";
}

Result<std::map<std::string, std::string>> read_xattrs(int fd) {
  std::map<std::string, std::string> xattrs;
  // Lists and values are at most 64 KiB (xattr(7)).
  std::string names(64 << 10, '\0');
  ssize_t length = ::flistxattr(fd, names.data(), names.size());
  if (length < 0) {
    if (errno == ENOTSUP) return xattrs;
    return fail_errno("list extended attributes");
  }
  if (length == 0) return xattrs;
  names.resize(static_cast<std::size_t>(length));
  std::string value(64 << 10, '\0');
  for (std::size_t at = 0; at < names.size(); at += std::string_view(names.c_str() + at).size() + 1) {
    const char* name = names.c_str() + at;
    if (!xattr_travels(name)) continue;
    ssize_t size = ::fgetxattr(fd, name, value.data(), value.size());
    if (size < 0 && (errno == ENODATA || errno == ENOTSUP)) continue;
    if (size < 0) return fail_errno(fmt::format("read extended attribute {}", name));
    xattrs[name] = value.substr(0, static_cast<std::size_t>(size));
  }
  return xattrs;
}

Result<void> write_xattrs(int fd, const std::map<std::string, std::string>& xattrs) {
  for (const auto& [name, value] : xattrs) {
    if (!xattr_travels(name)) continue;
    if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0 || errno == ENOTSUP) continue;
    return fail_errno(fmt::format("set extended attribute {}", name));
  }
  return {};
}

bool is_overlay_opaque(int fd) {
  char value = 0;
  for (const char* name : {"trusted.overlay.opaque", "user.overlay.opaque"})
    if (::fgetxattr(fd, name, &value, 1) == 1 && value == 'y') return true;
  return false;
}

}  // namespace berth::fs
