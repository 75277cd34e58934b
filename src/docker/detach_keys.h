// The keys by which a client leaves a terminal and lets its process go on: "ctrl-p,ctrl-q", "ctrl-@", "a".
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::docker {

// The bytes that these keys send; empty for empty text. "Invalid detach keys (X) provided".
Result<std::string> parse_detach_keys(std::string_view text);

}  // namespace berth::docker
