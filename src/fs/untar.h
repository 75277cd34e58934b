// Makes files from a tar stream below a RootDir: layers, `PUT archive`, imports.
//
// Nothing leaves the root, even when somebody swaps directories for symlinks meanwhile: each parent is opened by
// openat2 RESOLVE_IN_ROOT and each entry is made relative to it without following its last component. A path's ".." and
// leading "/" are removed as text; a path that is then empty means the root itself and only a directory may have it.
// What stands in the way of an entry is replaced, except a directory by a directory. Files are created anew, never
// written through.
//
// Thread: any; blocks on stream and disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "fs/root_dir.h"
#include "fs/tar.h"

namespace berth::fs {

enum class Whiteouts {
  plain,   // ".wh." names are ordinary names
  overlay  // ".wh.x" makes a 0:0 character device x; ".wh..wh..opq" is reported in UntarReport::opaque
};

struct UntarOptions {
  tar::Limits limits;
  // More is `exhausted`: entries with the directories that they imply; content of files, holes included; and the memory
  // that the times of directories take until the end, when they are set.
  std::uint64_t max_entries = 20'000'000;
  std::uint64_t max_bytes = 1ull << 40;
  std::uint64_t max_held_bytes = 256 << 20;
  Whiteouts whiteouts = Whiteouts::plain;
  // Refuses to replace a directory by something else or the other way round (Docker's noOverwriteDirNonDir).
  bool keep_kinds = false;
  // Character and block devices: skipped and counted, or made.
  bool make_devices = false;
  // Every file belongs to these instead of what the archive says (Docker's copyUIDGID is the opposite).
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner;
  // Added to every uid and gid.
  std::uint32_t id_base = 0;
  Sink* raw = nullptr;  // see tar::ReaderOptions
};

struct UntarReport {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // content of regular files, as stat tells their sizes
  std::uint64_t skipped_devices = 0;
  std::vector<std::string> opaque;  // directories below the root, cleaned
  bool overlapping = false;         // an entry replaced another one, or went through a symlink
};

// Reads to the end of the source. What was made before an error stays.
Result<UntarReport> untar(Source& source, const RootDir& root, const UntarOptions& options);

}  // namespace berth::fs
