// The log of a container in the format of Docker's json-file driver: one line of JSON for every line of output,
//   {"log":"text\n","stream":"stdout","time":"2026-11-22T10:52:51.123456789Z"}
// with lines over 16 KiB split in pieces that lack the "\n", and with rotation to PATH.1, PATH.2, ... when a file has
// grown over its limit.
//
// Lines of one turn of the loop share its time: asking the clock for each line would cost more than writing it. What
// cannot be written (full disk) is dropped, said once on stderr, and no torn line is left in the file.
#pragma once

#include <stdint.h>

#include <cstddef>
#include <string_view>

#include "shim/buffer.h"
#include "shim/fd.h"
#include "shim/result.h"

namespace berth::shim {

enum class Output { kStdout = 0, kStderr = 1 };
inline constexpr int kOutputs = 2;

class LogWriter {
 public:
  // max_size in bytes, 0: no limit; max_files counts the current one.
  Result<> open(Buffer path, std::uint64_t max_size, std::uint64_t max_files);

  // Encodes the whole lines in data; what follows the last one waits for its end.
  void append(Output output, std::string_view data);
  // Writes out what is encoded. Called at the end of each turn of the loop; the time of the next one starts here.
  void flush();
  // Lines that never ended are written as they are. To be called when the output has ended.
  void finish();

 private:
  void append_record(Output output, std::string_view text, bool ends_line);
  void rotate();
  void report(const char* what, int error);
  const char* time_text();

  Buffer path_;
  std::uint64_t max_size_ = 0;
  std::uint64_t max_files_ = 1;
  Fd file_;
  std::uint64_t file_size_ = 0;
  std::size_t used_ = 0;  // of the static buffer
  Buffer unfinished_[kOutputs];
  bool time_known_ = false;
  bool reported_ = false;
};

}  // namespace berth::shim
