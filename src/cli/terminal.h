// The terminal of the person who runs the command: its size, raw mode, and the keys that detach.
#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::cli {

bool is_terminal(int fd);

struct TerminalSize {
  unsigned rows = 0;
  unsigned columns = 0;
};
// Nothing when fd is no terminal, or one of unknown size.
std::optional<TerminalSize> terminal_size(int fd);

// Raw mode (cfmakeraw(3)) for as long as it lives. Not entered when fd is no terminal.
class RawMode {
 public:
  explicit RawMode(int fd);
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode();

 private:
  int fd_;
  std::optional<termios> saved_;
};

// "ctrl-p,ctrl-q" -> {0x10, 0x11}: single characters or ctrl- with a-z, @, [, \, ], ^, _, separated by commas. An empty
// text gives no keys.
Result<std::string> parse_detach_keys(std::string_view text);
constexpr std::string_view kDefaultDetachKeys = "ctrl-p,ctrl-q";

// Watches typed bytes for the detach sequence. Bytes that may begin it are held back until it is sure that they don't.
class DetachFilter {
 public:
  explicit DetachFilter(std::string keys) : keys_(std::move(keys)) {}
  // The bytes to pass on. After the whole sequence detached() is true and the rest is dropped.
  std::string feed(std::string_view typed);
  bool detached() const { return detached_; }

 private:
  std::string keys_;
  std::size_t matched_ = 0;
  bool detached_ = false;
};

}  // namespace berth::cli
