#include "engine/signals.h"

#include <signal.h>
#include <string.h>

#include "base/text.h"

namespace berth::engine {

Result<int> parse_signal(std::string_view text) {
  auto bad = [&] { return fail(ErrorCode::invalid, "invalid signal: {}", text); };
  if (auto number = parse_number<int>(text)) {
    if (*number < 1 || *number > SIGRTMAX) return bad();
    return *number;
  }
  std::string name;
  for (char c : text) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (name.starts_with("SIG")) name.erase(0, 3);
  // Real-time signals count from the container's C library's SIGRTMIN, 34 with glibc and musl's 35 aside.
  if (name.starts_with("RTMIN") || name.starts_with("RTMAX")) {
    bool from_min = name[3] == 'I';
    int number = from_min ? SIGRTMIN : SIGRTMAX;
    if (name.size() > 5) {
      auto offset = parse_number<int>(std::string_view(name).substr(6));
      if (!offset || name[5] != (from_min ? '+' : '-')) return bad();
      number += from_min ? *offset : -*offset;
    }
    if (number < SIGRTMIN || number > SIGRTMAX) return bad();
    return number;
  }
  if (name == "IOT") name = "ABRT";
  if (name == "CLD") name = "CHLD";
  for (int number = 1; number < SIGRTMIN; ++number) {
    const char* known = ::sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  return bad();
}

std::string signal_name(int number) {
  const char* known = ::sigabbrev_np(number);
  if (known != nullptr) return std::string("SIG") + known;
  return fmt::format("SIGRTMIN+{}", number - SIGRTMIN);
}

}  // namespace berth::engine
