// A Dockerfile as a list of instructions: parser directives, comments, continued lines, heredocs and flags are
// understood here; what an instruction means is not (build/instruction.h).
//
// Follows the Dockerfile reference (docs.docker.com/reference/dockerfile) and its error texts. Pure, for hostile input:
// time and memory are linear in the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::build {

// "<<EOF" and the lines up to EOF.
struct Heredoc {
  std::string name;
  std::string content;
  bool expand = true;  // the name was not quoted
  friend bool operator==(const Heredoc&, const Heredoc&) = default;
};

struct Instruction {
  std::string name;                // upper case: "RUN"
  std::vector<std::string> flags;  // "--from=base", "--link"
  std::string rest;                // what follows the flags, on one line
  std::string text;                // the whole logical line, as a build prints it
  std::vector<Heredoc> heredocs;
  int line = 0;  // of its first line, from 1
};

struct Dockerfile {
  char escape = '\\';
  std::vector<Instruction> instructions;
};

// Errors are `invalid`: "dockerfile parse error on line 3: unknown instruction: FRO (did you mean FROM?)".
Result<Dockerfile> parse_dockerfile(std::string_view text);
// One instruction as ONBUILD and `commit --change` hold it.
Result<Instruction> parse_instruction(std::string_view line, char escape = '\\');

// Fails at the instruction's line.
template <class... Args>
std::unexpected<Error> fail_at(const Instruction& instruction, fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::invalid, "dockerfile parse error on line {}: {}", instruction.line,
              fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace berth::build
