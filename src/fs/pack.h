// A directory tree as a tar stream: what Docker's `GET archive` and `export` answer.
//
// Xattrs (security.capability, user.*) and hard links are kept; sockets are left out, as Docker does. The tree may
// change meanwhile: a file that shrinks is filled up with zeros, one that grows is cut, one that goes is left out.
// Thread: any; blocks on tree and sink.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "fs/root_dir.h"
#include "fs/stream.h"
#include "fs/tar.h"

namespace berth::fs {

struct PackOptions {
  // The name that the packed path gets in the archive; empty: the children of the directory themselves, as "a", "a/b".
  std::string name;
  // Overlay's whiteouts (0:0 devices) and opaque marks become ".wh." files: the tree is an upper directory.
  bool whiteouts = false;
  // This much is subtracted from every uid and gid on disk (those below stay): for trees whose files carry shifted ids.
  std::uint32_t id_base = 0;
  // Every entry belongs to these, and has this mode (07777), instead of what the disk says.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner;
  std::optional<std::uint32_t> mode;
  // Left out with everything below: asked with the path below the packed one, "dev/pts".
  std::function<bool(std::string_view)> skip;
};

// Packs entries one by one, each under a name of the caller's choice.
class Packer {
 public:
  // Both outlive it.
  Packer(Sink& sink, const PackOptions& options);

  // The entry NAME of `directory` (a descriptor that can be read from), as `path`; for a directory only itself. status:
  // its lstat(2). What has vanished since is left out.
  Result<void> add(int directory, const std::string& name, const std::string& path, const struct ::stat& status);
  // A directory of the archive's own: 0755, of this owner.
  Result<void> add_directory(const std::string& path, std::uint32_t uid, std::uint32_t gid);
  // A file of the archive's own: 0644, root's.
  Result<void> add_text(const std::string& path, std::string_view text);
  Result<void> finish() { return writer_.finish(); }

 private:
  Result<void> add_file(int directory, const std::string& name, tar::Entry entry, const struct ::stat& status);
  Result<void> add_directory(int directory, const std::string& name, tar::Entry entry);
  Result<void> add_whiteout(const std::string& path, tar::Entry entry);
  Result<void> copy(int file, std::uint64_t size);
  std::uint32_t own_id(std::uint32_t id) const { return id >= options_.id_base ? id - options_.id_base : id; }

  tar::Writer writer_;
  const PackOptions& options_;
  std::vector<char> buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;  // first path of files with several names
};

// path is below root; a symlink there is packed as such.
Result<void> pack(const RootDir& root, std::string_view path, Sink& sink, const PackOptions& options);

}  // namespace berth::fs
