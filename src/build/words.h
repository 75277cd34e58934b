// Words and variables of a Dockerfile line, as the reference describes them under "Environment replacement": quotes,
// escapes, $name, ${name}, ${name:-word}, ${name:+word}, ${name:?word} and these without the colon, ${name#pattern},
// ${name%pattern} and ${name/pattern/text}.
//
// Pure. Errors are `invalid`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::build {

// The value of a variable; nothing when it is not set.
using Lookup = std::function<std::optional<std::string>(std::string_view)>;

// The text with variables replaced and quotes removed.
Result<std::string> expand(std::string_view text, const Lookup& lookup, char escape);
// The same, then cut at blanks outside quotes; what variables hold is cut too.
Result<std::vector<std::string>> expand_words(std::string_view text, const Lookup& lookup, char escape);
// Variables only: quotes stay, as in a heredoc.
Result<std::string> expand_variables(std::string_view text, const Lookup& lookup, char escape);

// Cuts at blanks outside quotes and leaves quotes and escapes where they are.
std::vector<std::string> split_words(std::string_view text, char escape);

// ["a", "b"]: an array of strings, and nothing when it is anything else: then it is a line for the shell.
std::optional<std::vector<std::string>> parse_exec_form(std::string_view text);

}  // namespace berth::build
