// A directory tree as a tar stream: what Docker's `GET archive` and `export` answer.
//
// Xattrs (security.capability, user.*) and hard links are kept; sockets are left out, as Docker does. The tree may
// change meanwhile: a file that shrinks is filled up with zeros, one that grows is cut, one that goes is left out.
// Thread: any; blocks on tree and sink.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "fs/root_dir.h"
#include "fs/stream.h"

namespace berth::fs {

struct PackOptions {
  // The name that the packed path gets in the archive; empty: the children of the directory themselves, as "a", "a/b".
  std::string name;
  // Overlay's whiteouts (0:0 devices) and opaque marks become ".wh." files: the tree is an upper directory.
  bool whiteouts = false;
  // This much is subtracted from every uid and gid on disk (those below stay): for trees whose files carry shifted ids.
  std::uint32_t id_base = 0;
  // Left out with everything below: asked with the path below the packed one, "dev/pts".
  std::function<bool(std::string_view)> skip;
};

// path is below root; a symlink there is packed as such.
Result<void> pack(const RootDir& root, std::string_view path, Sink& sink, const PackOptions& options);

}  // namespace berth::fs
