// What stands between `compose` and its verb: which project is meant.
#pragma once

#include <string>
#include <vector>

namespace berth::cli {

struct ProjectFlags {
  std::vector<std::string> files, env_files, profiles;
  std::string name, directory;
  std::string ansi = "auto";  // never, always, auto
  std::string progress, parallel;
};

}  // namespace berth::cli
