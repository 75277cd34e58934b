// JSON text, as far as the shim needs it: strings of log lines out, the message of a runtime's log in.
#pragma once

#include <cstddef>
#include <string_view>

#include "shim/buffer.h"

namespace berth::shim {

// The most that one byte can become: "\u0000".
inline constexpr std::size_t kJsonGrowth = 6;

// Writes text as the inside of a JSON string and returns the end; out has room for kJsonGrowth * text.size(). Exactly
// what Docker's json-file driver writes: each invalid byte of UTF-8 is \ufffd, and <, >, &, U+2028 and U+2029 are
// escaped too.
char* escape_json(char* out, std::string_view text);

// The string value of "key" in one line of JSON, unescaped; empty when it is not there.
Buffer find_json_string(std::string_view line, std::string_view key);

// How many bytes at the end of text begin a UTF-8 sequence that is not finished: 0 to 3.
std::size_t unfinished_utf8(std::string_view text);

}  // namespace berth::shim
