// Takes the lines of a container's log file apart: {"log":"text\n","stream":"stdout","time":"..."}, as the shim writes
// them (shim/log_writer.h) and Docker's json-file driver.
//
// Pure and without allocation: a line is decoded in place, which is possible because no escape of JSON is shorter than
// what it stands for.
#pragma once

#include <optional>
#include <string_view>

namespace berth::engine {

// Views into the line, good until its bytes are overwritten.
struct LogLine {
  bool stderr_ = false;
  std::string_view time;  // RFC 3339 with nine digits of the second, UTC: sorts as text
  std::string_view text;  // with its newline, unless it is a piece of a longer line
};

// line: without its newline; its bytes are changed. Nothing for what is no such line: one that a crash of the machine
// has cut short.
std::optional<LogLine> scan_log_line(char* line, std::size_t size);

}  // namespace berth::engine
