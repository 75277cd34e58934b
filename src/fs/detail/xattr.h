// The extended attributes that travel in archives: security.capability, POSIX ACLs and user.*. Overlay's own marks,
// labels of security modules and trusted.* belong to the machine and stay behind.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::fs {

bool xattr_travels(std::string_view name);
// Of an open file or directory; empty where the file system has none.
Result<std::map<std::string, std::string>> read_xattrs(int fd);
// Sets those that travel. A file system without support is no error.
Result<void> write_xattrs(int fd, const std::map<std::string, std::string>& xattrs);
// trusted.overlay.opaque or user.overlay.opaque is "y" (kernel documentation, filesystems/overlayfs).
bool is_overlay_opaque(int fd);

}  // namespace berth::fs
