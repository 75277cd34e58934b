// The root of a container that does not run, as an overlay mount that is attached nowhere: it has no path, nobody else
// sees it, and it goes when its descriptor is closed or the engine dies.
//
// Thread: any; blocks for a fraction of a millisecond. Ids are the plain ones.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::engine {

// How the kernel is told of the layers: one option each, which is of Linux 6.5, or all in one of 255 bytes, which holds
// some sixty layers.
enum class LowerForm { each, joined };

// layers: absolute directories, base first. upper_dir holds diff/ and work/. A directory descriptor for fs::RootDir.
// A kernel that does not know the form `each` gets the other one by itself.
// Two writable views of one upper layer must not exist at a time: the caller sees to it.
Result<sys::UniqueFd> open_root_view(const std::vector<std::string>& layers, const std::string& upper_dir,
                                     bool writable, LowerForm form = LowerForm::each);

// Removes what a `volatile` overlay mount leaves in its work directory, or the next mount would be refused
// (Documentation/filesystems/overlayfs.rst, "Volatile mount").
void clear_volatile_mark(const std::string& upper_dir);

}  // namespace berth::engine
