#include "workspace/name.h"

#include <algorithm>

namespace berth::workspace {

namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_name_character(char c) { return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_'; }

constexpr std::string_view kRule =
    "a name has 1 to 48 lower-case letters, digits, '-', '.' or '_', and begins and ends with a letter or digit";

}  // namespace

Outcome<> check_name(std::string_view name) {
  if (name.empty()) return refuse(ErrorCode::invalid, "bad_name", "The workspace needs a name.", std::string(kRule));
  bool good = name.size() <= kMaxNameLength && is_letter_or_digit(name.front()) && is_letter_or_digit(name.back()) &&
              std::ranges::all_of(name, is_name_character);
  if (good) return {};
  // What was sent is not repeated: it may hold anything.
  return refuse(ErrorCode::invalid, "bad_name", "This cannot be the name of a workspace.", std::string(kRule));
}

std::string container_name(std::string_view name) { return fmt::format("ws-{}", name); }
std::string home_volume(std::string_view name) { return fmt::format("{}-home", name); }
std::string state_volume(std::string_view name) { return fmt::format("{}-state", name); }

std::string host_name(std::string_view name) {
  std::string host(name);
  std::ranges::replace(host, '_', '-');
  return host;
}

}  // namespace berth::workspace
