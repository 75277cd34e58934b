// From the names of files to one canonical tree: reading, variables, extends, include, merging.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compose/interpolate.h"
#include "compose/yaml.h"

namespace berth::compose {

// One set of files that are merged, with the directory that their paths are relative to. An included set is a
// FileSet of its own.
struct FileSet {
  std::vector<std::string> files;
  std::string directory;
  Variables variables;
};

class FileLoader {
 public:
  // The merged tree with everything that it includes. Errors name file and line.
  Result<Node> load(const FileSet& set);

  // `name:` of the last file that has one, with its variables expanded; empty without one.
  Result<std::string> find_name(const FileSet& set);

  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Result<std::vector<Node>> read(const std::string& file);
  Result<std::vector<Node>> read_canonical(const std::string& file, const FileSet& set);
  Result<void> interpolate(Node& node, const std::string& path, Interpolator& interpolator);
  Result<void> apply_extends(Node& tree, const std::string& file, const FileSet& set);
  Result<Node> extended(const Node& tree, const std::string& name, const std::string& file, const FileSet& set,
                        std::vector<std::string> chain);
  Result<void> apply_includes(Node& tree, const FileSet& set);
  Result<void> add_included(Node& tree, Node included);
  void warn(std::string text);

  std::map<std::string, std::vector<Node>> parsed_;
  std::vector<std::string> including_;  // files whose includes are being read, to find cycles
  std::vector<std::string> warnings_;
  std::set<std::string> missing_;
};

// Variables of env files over those of the environment; which of the files were read.
struct EnvResult {
  Variables variables;
  std::vector<std::string> files;
};
// optional: files that are not there are left out.
Result<EnvResult> read_variables(const std::vector<std::string>& files, const Variables& environment, bool optional);

}  // namespace berth::compose
