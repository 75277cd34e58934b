// A walk over a directory tree, without following symlinks.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "base/error.h"

namespace berth::fs {

struct Visit {
  int directory;            // holds the entry
  const std::string& name;  // in it
  const std::string& path;  // below the start of the walk: "a/b"
  const struct ::stat& status;
};
enum class Step { into, over };

// Calls visit for everything below the directory, parents before children, names in byte order. What vanishes meanwhile
// is left out. Trees deeper than 500 levels are `exhausted`: each level holds a descriptor.
// Thread: any; blocks on the disk. The directory is not O_PATH.
Result<void> walk(int directory, const std::function<Result<Step>(const Visit&)>& visit);

}  // namespace berth::fs
