// Names of workspaces, and the names that the engine knows their parts by.
#pragma once

#include <string>
#include <string_view>

#include "workspace/problem.h"

namespace berth::workspace {

inline constexpr std::size_t kMaxNameLength = 48;

// Lower-case letters, digits, '-', '.' and '_', beginning and ending with a letter or digit; all digits are fine
// (staff ids). Anything else is bad_name, with the rule as the hint.
Outcome<> check_name(std::string_view name);

std::string container_name(std::string_view name);  // "ws-joe"
std::string home_volume(std::string_view name);     // "joe-home", at /home/user
std::string state_volume(std::string_view name);    // "joe-state", at /media/state
// What `hostname` says inside: the name with '_' as '-', which RFC 1123 asks for.
std::string host_name(std::string_view name);

}  // namespace berth::workspace
