// A Dockerfile as a build sees it: arguments before the first FROM, then stages. Everything that can be told wrong
// without building is told here. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "build/dockerfile.h"

namespace berth::build {

struct Stage {
  Instruction from;
  std::string image;     // as written: variables are not replaced yet
  std::string platform;  // of --platform, likewise
  std::string name;      // of AS, lower case; empty: none
  std::vector<Instruction> steps;
};

struct Plan {
  char escape = '\\';
  std::vector<Instruction> arguments;  // ARG before the first FROM
  std::vector<Stage> stages;
};

// "no build stage in current context", "dockerfile parse error on line 2: FROM requires either one or three arguments".
Result<Plan> plan_stages(Dockerfile file);
// How many stages are to be built so that the named (or numbered) one is; all when target is empty.
// `target stage "x" could not be found`.
Result<std::size_t> stages_until(const Plan& plan, std::string_view target);
// A step by itself, as ONBUILD brings it.
Result<void> check_step(const Instruction& step, char escape);

struct CopyFlags {
  std::string from;
  std::string chown;
  std::string chmod;
  std::string checksum;  // ADD of a URL: "sha256:..."
};
Result<CopyFlags> copy_flags_of(const Instruction& instruction);
// The sources and, last, the destination.
std::vector<std::string> copy_words_of(const Instruction& instruction, char escape);

// RUN --mount=type=...
struct RunMount {
  std::string type = "bind";  // bind, cache, tmpfs, secret, ssh
  std::string target;
  std::string source;
  std::string from;
  std::string id;
  std::string sharing = "shared";  // cache: shared, private, locked
  std::string env;                 // secret: the variable that shall hold it
  std::optional<bool> read_only;
  bool required = false;
  std::optional<std::uint32_t> mode;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string size;  // tmpfs
};
struct RunFlags {
  std::vector<std::string> mounts;  // as written, for parse_run_mount() when variables are replaced
  std::string network;              // "", default, none, host
};
Result<RunFlags> run_flags_of(const Instruction& instruction);
Result<RunMount> parse_run_mount(std::string_view text);

// NAME or NAME=default words of ARG.
struct Argument {
  std::string name;
  std::optional<std::string> value;  // not expanded yet
};
Result<std::vector<Argument>> arguments_of(const Instruction& instruction, char escape);

}  // namespace berth::build
