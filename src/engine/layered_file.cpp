#include "engine/layered_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

#include "engine/root_view.h"
#include "fs/root_dir.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr std::size_t kLimit = 16 << 20;

enum class Look { found, absent, below, unusual };

// What one layer says of directory/name: there it is, it is hidden, ask the layer below, or this is no simple case.
Look look_at(const std::string& root, const std::string& directory, const std::string& name) {
  struct stat status{};
  std::string parent = root + "/" + directory;
  if (::lstat(parent.c_str(), &status) < 0) return errno == ENOENT ? Look::below : Look::unusual;
  if (!S_ISDIR(status.st_mode)) return Look::unusual;
  if (::lstat((parent + "/" + name).c_str(), &status) == 0) {
    if (S_ISREG(status.st_mode)) return Look::found;
    // A whiteout (Documentation/filesystems/overlayfs.rst).
    if (S_ISCHR(status.st_mode) && status.st_rdev == 0) return Look::absent;
    return Look::unusual;
  }
  if (errno != ENOENT) return Look::unusual;
  char opaque = 0;
  bool hides = ::lgetxattr(parent.c_str(), "trusted.overlay.opaque", &opaque, 1) == 1 && opaque == 'y';
  return hides ? Look::absent : Look::below;
}

Result<std::string> read_mounted(const std::vector<std::string>& layers, const std::string& upper_dir,
                                 const std::string& path) {
  TRY(sys::UniqueFd view, open_root_view(layers, upper_dir, false));
  fs::RootDir root(std::move(view));
  auto text = root.read_file(path, kLimit);
  if (!text && text.error().code() == ErrorCode::not_found) return std::string();
  return text;
}

}  // namespace

Result<std::string> read_layered_file(const std::vector<std::string>& layers, const std::string& upper_dir,
                                      const std::string& directory, const std::string& name) {
  std::vector<std::string> roots{upper_dir + "/diff"};
  roots.insert(roots.end(), layers.rbegin(), layers.rend());
  for (const std::string& root : roots) {
    switch (look_at(root, directory, name)) {
      case Look::found: {
        // The directory is a container's to change while it runs; it does not, and the name is opened as no symlink.
        TRY(fs::RootDir opened, fs::RootDir::open_host(root));
        return opened.read_file(directory + "/" + name, kLimit);
      }
      case Look::absent:
        return std::string();
      case Look::below:
        continue;
      case Look::unusual:
        return read_mounted(layers, upper_dir, directory + "/" + name);
    }
  }
  return std::string();
}

}  // namespace berth::engine
