#include "shim/log_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>

#include "shim/json_text.h"
#include "shim/scratch.h"

namespace berth::shim {

namespace {

// Docker's copier reads lines into a buffer of this size, and splits those that do not fit.
constexpr std::size_t kMaxLine = 16 << 10;
// What a record has beside its text.
constexpr std::size_t kRecordFrame = 128;
constexpr std::string_view kTimeSample = "2026-11-22T10:52:51.123456789Z";

char time_buffer[kTimeSample.size() + 1];

void put_digits(char* place, int digits, std::uint64_t number) {
  for (; digits > 0; --digits, number /= 10) place[digits - 1] = static_cast<char>('0' + number % 10);
}

// Days since 1970-01-01 as year, month and day of the Gregorian calendar; its years are counted from March, so that
// the leap day is the last one. (gmtime(3) would read the time zone files.)
void put_date(char* place, std::int64_t days) {
  constexpr std::int64_t kDaysOf400Years = 146'097;
  const std::int64_t since_march_0000 = days + 719'468;
  const std::int64_t era = since_march_0000 / kDaysOf400Years;
  const std::int64_t day_of_era = since_march_0000 % kDaysOf400Years;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / (kDaysOf400Years - 1)) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  put_digits(place, 4, static_cast<std::uint64_t>(era * 400 + year_of_era + (month <= 2 ? 1 : 0)));
  put_digits(place + 5, 2, static_cast<std::uint64_t>(month));
  put_digits(place + 8, 2, static_cast<std::uint64_t>(day_of_year - (153 * month_from_march + 2) / 5 + 1));
}

void put_time(char* place, const timespec& time) {
  memcpy(place, kTimeSample.data(), kTimeSample.size());
  put_date(place, time.tv_sec / 86'400);
  const auto second_of_day = static_cast<std::uint64_t>(time.tv_sec % 86'400);
  put_digits(place + 11, 2, second_of_day / 3600);
  put_digits(place + 14, 2, second_of_day / 60 % 60);
  put_digits(place + 17, 2, second_of_day % 60);
  put_digits(place + 20, 9, static_cast<std::uint64_t>(time.tv_nsec));
}

char* put(char* out, std::string_view text) {
  memcpy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace

Result<> LogWriter::open(Buffer path, std::uint64_t max_size, std::uint64_t max_files) {
  path_ = std::move(path);
  max_size_ = max_size;
  max_files_ = std::max<std::uint64_t>(max_files, 1);
  file_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  struct stat status;
  if (!file_.valid() || fstat(file_.get(), &status) != 0) return fail(errno, "open the log ", path_);
  file_size_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

void LogWriter::append(Output output, std::string_view data) {
  Buffer& unfinished = unfinished_[static_cast<int>(output)];
  while (!data.empty()) {
    const std::size_t room = kMaxLine - unfinished.size();
    const std::size_t reach = std::min(room, data.size());
    const void* newline = memchr(data.data(), '\n', reach);
    const bool ends_line = newline != nullptr;
    const std::size_t length =
        ends_line ? static_cast<std::size_t>(static_cast<const char*>(newline) - data.data()) : reach;
    std::string_view text = {data.data(), length};
    data.remove_prefix(length + (ends_line ? 1 : 0));
    if (!unfinished.empty() || (!ends_line && reach < room)) {
      unfinished.append(text);
      text = unfinished.view();
    }
    if (ends_line) {
      append_record(output, text, true);
      unfinished.clear();
    } else if (text.size() == kMaxLine) {
      // A character that the cut would tear goes to the next piece.
      Buffer torn = concat(text.substr(kMaxLine - unfinished_utf8(text)));
      text.remove_suffix(torn.size());
      append_record(output, text, false);
      unfinished = std::move(torn);
    }
  }
}

void LogWriter::append_record(Output output, std::string_view text, bool ends_line) {
  const std::size_t most = kJsonGrowth * text.size() + kRecordFrame;
  if (used_ + most > sizeof scratch::log) flush();
  if (max_size_ != 0 && file_size_ + used_ >= max_size_) rotate();
  char* const start = scratch::log + used_;
  char* out = put(start, "{\"log\":\"");
  out = escape_json(out, text);
  if (ends_line) out = put(out, "\\n");
  out = put(
      out, output == Output::kStdout ? "\",\"stream\":\"stdout\",\"time\":\"" : "\",\"stream\":\"stderr\",\"time\":\"");
  out = put(out, {time_text(), kTimeSample.size()});
  out = put(out, "\"}\n");
  used_ += static_cast<std::size_t>(out - start);
}

void LogWriter::flush() {
  time_known_ = false;
  std::string_view rest(scratch::log, std::exchange(used_, 0));
  std::uint64_t written_total = 0;
  while (!rest.empty()) {
    const ssize_t written = write(file_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      report("write", errno);
      if (ftruncate(file_.get(), static_cast<off_t>(file_size_)) == 0) written_total = 0;
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
    written_total += static_cast<std::uint64_t>(written);
  }
  file_size_ += written_total;
  if (written_total > 0) reported_ = false;
}

void LogWriter::finish() {
  for (int i = 0; i < kOutputs; ++i) {
    if (!unfinished_[i].empty()) append_record(static_cast<Output>(i), unfinished_[i].view(), false);
    unfinished_[i].clear();
  }
  flush();
}

void LogWriter::rotate() {
  flush();
  for (std::uint64_t number = max_files_ - 1; number >= 1; --number) {
    Buffer from = concat(path_);
    if (number > 1) from.append(".").append(number - 1);
    Buffer to = concat(path_, ".", number);
    if (rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) report("rotate", errno);
  }
  // Where the file could not be moved it is begun anew all the same: the limit is a promise to the disk.
  Fd fresh(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640));
  if (!fresh.valid()) return report("rotate", errno);
  file_ = std::move(fresh);
  file_size_ = 0;
}

void LogWriter::report(const char* what, int error) {
  if (std::exchange(reported_, true)) return;
  Error text = std::move(fail(error, "berth-shim: ", what, " ", path_)).error();
  text.message.append("\n");
  // Nobody is left to tell when stderr fails too.
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, text.message.view().data(), text.message.size());
}

const char* LogWriter::time_text() {
  if (!std::exchange(time_known_, true)) {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put_time(time_buffer, now);
  }
  return time_buffer;
}

}  // namespace berth::shim
