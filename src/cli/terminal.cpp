#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

namespace berth::cli {

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

std::optional<TerminalSize> terminal_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return TerminalSize{size.ws_row, size.ws_col};
}

RawMode::RawMode(int fd) : fd_(fd) {
  termios now{};
  if (::tcgetattr(fd, &now) < 0) return;
  saved_ = now;
  ::cfmakeraw(&now);
  ::tcsetattr(fd, TCSADRAIN, &now);
}

RawMode::~RawMode() {
  if (saved_) ::tcsetattr(fd_, TCSADRAIN, &*saved_);
}

Result<std::string> parse_detach_keys(std::string_view text) {
  std::string keys;
  if (text.empty()) return keys;
  for (const std::string& key : split(text, ',')) {
    std::string_view rest = key;
    constexpr std::string_view kControl = "ctrl-";
    if (rest.size() == 1) {
      keys += rest[0];
      continue;
    }
    bool control = rest.starts_with(kControl) && rest.size() == kControl.size() + 1;
    char letter = control ? rest.back() : '\0';
    if (letter >= 'a' && letter <= 'z')
      keys += static_cast<char>(letter - 'a' + 1);
    else if (letter == '@' || (letter >= '[' && letter <= '_'))
      keys += static_cast<char>(letter - '@');
    else
      return fail(ErrorCode::invalid, "invalid detach keys ({}): use letters or ctrl-LETTER, separated by commas",
                  text);
  }
  return keys;
}

std::string DetachFilter::feed(std::string_view typed) {
  std::string passed;
  if (keys_.empty()) return std::string(typed);
  for (char c : typed) {
    if (detached_) break;
    if (c == keys_[matched_]) {
      detached_ = ++matched_ == keys_.size();
      continue;
    }
    // What was held back goes on; this byte may begin the sequence anew.
    passed.append(keys_, 0, matched_);
    matched_ = 0;
    if (c == keys_[0])
      detached_ = ++matched_ == keys_.size();
    else
      passed += c;
  }
  return passed;
}

}  // namespace berth::cli
