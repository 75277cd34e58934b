// A directory that is the root for paths from outside: a container's, an image's, an archive's.
//
// Every path is resolved by openat2(2) with RESOLVE_IN_ROOT: "/", ".." and absolute symlinks stay below the directory,
// whatever the tree holds and whoever changes it meanwhile; magic links are refused. The last component is never
// followed by the calls that change something. Paths may begin with '/' or not: both mean below the root.
//
// Thread: any; all calls block on the disk. Errors carry the path as it was given.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::fs {

class RootDir {
 public:
  // Opens a directory by a path of the host's own.
  static Result<RootDir> open_host(const std::string& path);
  // Takes a directory descriptor (O_PATH is enough).
  explicit RootDir(sys::UniqueFd directory) : directory_(std::move(directory)) {}

  int fd() const { return directory_.get(); }

  // openat2 with O_CLOEXEC added; the last component is followed unless flags has O_NOFOLLOW. O_NONBLOCK is added for
  // reading, so that a fifo does not hang the caller.
  Result<sys::UniqueFd> open(std::string_view path, int flags, mode_t mode = 0) const;
  // The same, but a symlink anywhere in the path is an error (ELOOP), and so is what leads out (EXDEV).
  Result<sys::UniqueFd> open_beneath(std::string_view path, int flags) const;
  // The directory that holds the last component, and that component. Fails with `invalid` for "/" and for paths that
  // end in "." or "..".
  struct Place {
    sys::UniqueFd directory;
    std::string name;
  };
  Result<Place> locate(std::string_view path) const;

  Result<struct ::stat> stat(std::string_view path) const;   // follows the last component
  Result<struct ::stat> lstat(std::string_view path) const;  // does not
  Result<std::string> read_link(std::string_view path) const;
  // The path below the root that symlinks lead to, "/" first: what docker cp calls the resolved path. The last
  // component need not exist.
  Result<std::string> resolve(std::string_view path) const;

  // A regular file of at most limit bytes; anything else is an error.
  Result<std::string> read_file(std::string_view path, std::size_t limit = 16 << 20) const;
  // Written beside and renamed over; an existing file keeps its owner and mode, a new one gets mode and belongs to 0:0.
  Result<void> replace_file(std::string_view path, std::string_view bytes, mode_t mode) const;
  Result<void> make_directory(std::string_view path, mode_t mode) const;      // EEXIST is an error
  Result<void> ensure_directories(std::string_view path, mode_t mode) const;  // mkdir -p
  Result<void> symlink(const std::string& target, std::string_view path) const;
  Result<void> remove_file(std::string_view path) const;  // not a directory

 private:
  Result<sys::UniqueFd> open_with(std::string_view path, int flags, mode_t mode, std::uint64_t resolve) const;

  sys::UniqueFd directory_;
};

// Cleans a path as text: no empty, "." or ".." components, none leading out: "/../a//./b/" -> "a/b", "/" -> "".
std::string clean_path(std::string_view path);

}  // namespace berth::fs
