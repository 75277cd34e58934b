// Signal names as Docker takes them: "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3".
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::engine {

// "invalid signal: NOSUCH".
Result<int> parse_signal(std::string_view text);
// "SIGTERM".
std::string signal_name(int number);

}  // namespace berth::engine
