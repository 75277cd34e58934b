// Where a copy lands: the rules of `docker cp`, which are those of cp -a with a twist for a source that ends in "/.".
//
//   source      destination           lands as
//   file        missing               that name in its directory, which must be there
//   file        file                  replaces it
//   file        directory             own name in it
//   directory   missing               that name in its directory: what it held is then in it
//   directory   directory             own name in it; ending in "/.": what it holds, straight in it
//   directory   file                  an error
#pragma once

#include <optional>
#include <string>

#include "base/error.h"

namespace berth::cli {

// "web:/etc" -> container and path; "./a:b", "/a" and "-" have no container.
struct CopyPlace {
  std::string container;
  std::string path;
};
CopyPlace parse_place(const std::string& text);

// The directory to unpack in, and the name that the archive's first component gets; "." means what is below it only.
struct Landing {
  std::string directory;
  std::string name;
  friend bool operator==(const Landing&, const Landing&) = default;
};

// target_is_directory is absent when there is nothing at target.
Result<Landing> plan_landing(bool source_is_directory, const std::string& source, const std::string& target,
                             std::optional<bool> target_is_directory);
// Whether a target on this machine is there, or at least its directory: asked before the daemon is.
Result<void> check_local(const std::string& target);
// plan_landing for a target on this machine.
Result<Landing> plan_local(bool source_is_directory, const std::string& source, const std::string& target);

// "dir/." and ".": what is in the directory, not the directory.
bool copies_contents(const std::string& path);

// "old/a/b" -> "NAME/a/b"; with "." -> "./a/b". The first component is replaced whatever it is, "." included.
std::string rename_first(const std::string& path, const std::string& name);

}  // namespace berth::cli
