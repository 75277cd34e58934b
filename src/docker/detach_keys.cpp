#include "docker/detach_keys.h"

#include "base/text.h"

namespace berth::docker {

Result<std::string> parse_detach_keys(std::string_view text) {
  std::string keys;
  if (text.empty()) return keys;
  for (const std::string& word : split(text, ',')) {
    // ctrl with @ is 0, with a to z 1 to 26, with [ \\ ] ^ _ 27 to 31.
    constexpr std::string_view kControl = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
    bool control = word.starts_with("ctrl-") && word.size() == 6;
    std::size_t code = control ? kControl.find(word[5]) : std::string_view::npos;
    if (control && code != std::string_view::npos)
      keys += static_cast<char>(code);
    else if (word.size() == 1)
      keys += word[0];
    else
      return fail(ErrorCode::invalid, "Invalid detach keys ({}) provided", text);
  }
  return keys;
}

}  // namespace berth::docker
