#include "base/log.h"

#include <unistd.h>

#include <atomic>

#include "base/time.h"

namespace berth::log {

namespace {

std::atomic<Level> least{Level::info};

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};

bool plain(std::string_view value) {
  if (value.empty()) return false;
  for (char c : value)
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
  return true;
}

// Quoted with control characters escaped, so that hostile text can neither end the line nor forge a field.
void append_value(std::string& line, std::string_view value) {
  if (plain(value)) {
    line += value;
    return;
  }
  line += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  line += '"';
}

}  // namespace

void set_level(Level level) { least = level; }
Level level() { return least; }

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (level < least.load(std::memory_order_relaxed)) return;
  std::string line = format_rfc3339_fixed(now()) + " " + std::string(kNames[static_cast<int>(level)]) + " ";
  append_value(line, event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  line += '\n';
  // A log that cannot be written must not end the program.
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace berth::log
