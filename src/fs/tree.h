// Whole directory trees: removal and measuring. Nothing here follows a symlink or leaves the file system entry it was
// given; trees may be as deep and as hostile as a container can make them.
//
// Thread: any; they block for as long as the tree is large.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace berth::fs {

// Removes path and everything below; absent is fine. Immutable and append-only flags are cleared on the way. A mount
// point below is an error (busy), and what it covers stays.
Result<void> remove_tree(const std::string& path);
Result<void> remove_tree_at(int directory, const std::string& name);

struct TreeSize {
  std::uint64_t bytes = 0;    // sum of the sizes of regular files, each inode once
  std::uint64_t entries = 0;  // everything below, the directory itself not counted
};
// A tree of over 500 levels is `exhausted`.
Result<TreeSize> measure_tree(const std::string& path);

}  // namespace berth::fs
