// Instructions that change only the image's configuration: ENV, LABEL, EXPOSE, USER, VOLUME, WORKDIR, CMD, ENTRYPOINT,
// HEALTHCHECK, ONBUILD, SHELL, STOPSIGNAL, MAINTAINER. Used by a build's steps and by `commit --change`.
//
// Pure. Errors are `invalid`, in Docker's texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "build/dockerfile.h"
#include "build/words.h"
#include "oci/image_config.h"

namespace berth::build {

// The configuration under construction.
struct Draft {
  oci::ContainerDefaults config;
  std::string author;
  bool cmd_was_set = false;  // in this stage: a new ENTRYPOINT forgets only what the base image said
};

bool is_metadata(std::string_view instruction);
// What does not need the build to be seen as wrong: flags, number of arguments, their shape.
Result<void> check_metadata(const Instruction& instruction, char escape);
// Changes the draft; the answer is what the image's history says of it: "ENV A=b".
Result<std::string> apply_metadata(const Instruction& instruction, const Lookup& variables, char escape, Draft& draft);

// The lines of `commit --change` and `import --change`: "CMD [\"sh\"]". "FROM is not a valid change command".
Result<oci::ContainerDefaults> apply_changes(oci::ContainerDefaults config, const std::vector<std::string>& lines);

// The words before a command in shell form.
std::vector<std::string> shell_of(const oci::ContainerDefaults& config);
// K of "K=V" to V, as the configuration's env has them.
Lookup variables_of(const std::vector<std::string>& env);
// Puts "K=V" in place of an earlier one of that name.
void set_variable(std::vector<std::string>& env, const std::string& name, const std::string& value);
// name=value words of ENV and LABEL, or the older "ENV name value", not yet expanded.
Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(const Instruction& instruction, char escape);
// ["a" "b"], as Go prints a list of words.
std::string print_words(const std::vector<std::string>& words);

}  // namespace berth::build
