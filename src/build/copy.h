// What COPY and ADD put into a layer: which files, under which names, with which digest for the cache.
//
//   resolve_sources   names and patterns -> files and directories of the context, a stage or an image
//   plan_copy         these and a destination -> one entry for each path of the new layer
//   write_copy        the entries -> the layer's tar stream
//
// Nothing is ever read from outside of a source's root: paths are resolved by RootDir, and files below directories are
// never followed. Thread: any; blocks on the disk. Errors carry Docker's texts.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "fs/root_dir.h"
#include "fs/stream.h"

namespace berth::build {

using RootPtr = std::shared_ptr<const fs::RootDir>;

struct CopySource {
  RootPtr root;
  std::string path;  // resolved, absolute below root
  std::string name;  // the last component as it was asked for: what a destination directory gets
  bool is_directory = false;
  bool keeps_owner = false;  // an extracted archive's files belong to whom it says
};

// root_is_context: the texts of a missing file differ. instruction: "COPY" or "ADD".
struct SourceQuery {
  RootPtr root;
  std::vector<std::string> patterns;
  bool root_is_context = true;
  std::string instruction = "COPY";
};
Result<std::vector<CopySource>> resolve_sources(const SourceQuery& query);

// Whether the file begins as a tar archive or a compressed one does: then ADD tries to extract it.
Result<bool> may_be_archive(const CopySource& source);

using Owner = std::pair<std::uint32_t, std::uint32_t>;

struct CopyOptions {
  std::string instruction = "COPY";
  std::string target;          // absolute; a trailing slash says that it is a directory
  std::optional<Owner> owner;  // of --chown; absent: 0 and 0
  std::optional<std::uint32_t> mode;
  bool target_is_directory = false;  // whatever the image has there: of several sources
};

struct CopyEntry {
  RootPtr root;
  std::string path;  // below root
  struct ::stat status{};
  bool keeps_owner = false;
};

struct CopyPlan {
  CopyOptions options;
  std::map<std::string, CopyEntry> entries;    // by path in the image, relative and clean
  std::vector<std::string> directories;        // that the image does not have and that are no entry, parents first
  std::vector<std::string> image_directories;  // above the entries, that the image has: they keep what they are
  std::string digest;                          // "file:HEX", "dir:HEX", "multi:HEX": of content, modes and names
};

// image: the root that the layer will lie on, null when there is none.
Result<CopyPlan> plan_copy(const std::vector<CopySource>& sources, const RootPtr& image, CopyOptions options);
Result<void> write_copy(const CopyPlan& plan, const RootPtr& image, fs::Sink& sink);

// The layer of WORKDIR: the directory, when the image lacks it.
Result<CopyPlan> plan_directory(const std::string& path, const RootPtr& image);

// "user", "uid", "user:group", "uid:gid" of --chown, by the image's passwd and group. A user alone is its own group.
Result<Owner> find_owner(std::string_view text, const RootPtr& image);

}  // namespace berth::build
