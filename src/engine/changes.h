// What a container has changed of its image: its upper overlay layer, read as `diff`, `commit` and a build see it.
//
// The runtime makes empty files and directories to mount over (/proc, /etc/hosts, ...). They are not the container's
// doing and are left out, as Docker leaves them out by a layer of its own below the container's; directories that were
// only changed by them are left out too.
//
// Thread: any; blocks on the disk. Ids are the plain ones.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "fs/stream.h"

namespace berth::engine {

// In Docker's numbers.
enum class ChangeKind { modified = 0, added = 1, deleted = 2 };

struct PathChange {
  std::string path;  // absolute
  ChangeKind kind = ChangeKind::modified;
  friend bool operator==(const PathChange&, const PathChange&) = default;
};

struct UpperLayer {
  std::string directory;            // holds diff/
  std::vector<std::string> layers;  // below it, base first
  // Mount points beside the engine's own that are no change: those of a build step. Absolute paths.
  std::vector<std::string> mounted;
};

// Parents before children; a directory is there when it or anything below it has changed.
Result<std::vector<PathChange>> list_changes(const UpperLayer& upper);
// The same as a layer's tar stream, with ".wh." whiteouts.
Result<void> pack_changes(const UpperLayer& upper, fs::Sink& sink);

}  // namespace berth::engine
