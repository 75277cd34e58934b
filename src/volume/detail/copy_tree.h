// Copies a directory tree with all that its files carry. Thread: any; blocks for as long as the tree is large.
#pragma once

#include "base/error.h"

namespace berth::volume {

// Copies what is below source, and source's own owner, mode, times and extended attributes, to the empty directory
// target: owners, modes, times, extended attributes (those of overlay file systems excepted), hard links and holes.
// Devices are left out. Both may be O_PATH; source must not change meanwhile. Needs root.
Result<void> copy_tree(int source, int target);

}  // namespace berth::volume
