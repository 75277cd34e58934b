#include "engine/logs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr std::size_t kBlock = 256 << 10;
// The shim splits lines of 16 KiB and escapes each byte to six at most.
constexpr std::size_t kLongestLine = 256 << 10;
constexpr auto kPoll = std::chrono::milliseconds(50);

// The hot path of `docker logs`: the shim's own output has one shape, {"log":"...","stream":"stdout","time":"..."}, and
// most lines hold no escape but the newline. Anything else goes through the JSON parser.
std::optional<LogEntry> parse_fast(std::string_view line) {
  constexpr std::string_view kHead = "{\"log\":\"", kStream = "\",\"stream\":\"std", kTime = "\",\"time\":\"";
  if (!line.starts_with(kHead) || !line.ends_with("\"}")) return {};
  std::size_t stream = line.rfind(kStream);
  if (stream == std::string_view::npos || stream < kHead.size()) return {};
  std::string_view text = line.substr(kHead.size(), stream - kHead.size());
  std::string_view rest = line.substr(stream + kStream.size());
  if (rest.size() < 3 + kTime.size() + 2 || rest.substr(3, kTime.size()) != kTime) return {};
  LogEntry entry;
  entry.stderr_ = rest.substr(0, 3) == "err";
  auto time = parse_rfc3339(rest.substr(3 + kTime.size(), rest.size() - 3 - kTime.size() - 2));
  if (!time) return {};
  entry.time = *time;
  bool newline = text.ends_with("\\n");
  if (newline) text.remove_suffix(2);
  if (text.find('\\') != std::string_view::npos) return {};
  entry.text.reserve(text.size() + 1);
  entry.text = text;
  if (newline) entry.text += '\n';
  return entry;
}

std::optional<LogEntry> parse_line(std::string_view line) {
  if (auto entry = parse_fast(line)) return entry;
  auto value = json::parse(line);
  if (!value) return {};  // cut short by a crash of the machine
  auto time = parse_rfc3339(json::string_or(*value, "time"));
  return LogEntry{json::string_or(*value, "stream") == "stderr", time.value_or(Time{}), json::string_or(*value, "log")};
}

bool wanted(const LogEntry& entry, const LogQuery& query) {
  if (entry.stderr_ ? !query.stderr_ : !query.stdout_) return false;
  if (query.since.is_set() && entry.time < query.since) return false;
  return !query.until.is_set() || entry.time <= query.until;
}

// Oldest first: PATH.n ... PATH.1, PATH.
std::vector<std::string> files_of(const std::string& path, int max_files) {
  std::vector<std::string> files;
  for (int number = max_files; number >= 1; --number)
    if (std::string rotated = fmt::format("{}.{}", path, number); sys::exists(rotated)) files.push_back(rotated);
  files.push_back(path);
  return files;
}

// Where the last `lines` lines of an open file begin; counts down the lines found.
Result<off_t> tail_offset(int fd, std::int64_t& lines) {
  struct stat status{};
  if (::fstat(fd, &status) < 0) return fail_errno("stat the log");
  std::vector<char> block(kBlock);
  off_t end = status.st_size, position = end;
  while (position > 0 && lines > 0) {
    std::size_t size = static_cast<std::size_t>(std::min<off_t>(position, static_cast<off_t>(kBlock)));
    position -= static_cast<off_t>(size);
    ssize_t got = ::pread(fd, block.data(), size, position);
    if (got < 0) return fail_errno("read the log");
    for (ssize_t i = got - 1; i >= 0; --i) {
      // The newline that ends the last line begins no further one.
      if (block[static_cast<std::size_t>(i)] != '\n' || position + i + 1 == end) continue;
      if (--lines == 0) return position + i + 1;
    }
  }
  if (end > 0 && lines > 0) --lines;
  return off_t(0);
}

class LineReader {
 public:
  explicit LineReader(sys::UniqueFd fd, off_t offset) : fd_(std::move(fd)), offset_(offset) {}

  int fd() const { return fd_.get(); }
  // The next whole line without its newline; nothing at the present end.
  Result<std::optional<std::string_view>> next() {
    while (true) {
      std::size_t newline = buffer_.find('\n', start_);
      if (newline != std::string::npos) {
        std::string_view line = std::string_view(buffer_).substr(start_, newline - start_);
        start_ = newline + 1;
        return std::optional(line);
      }
      buffer_.erase(0, start_);
      start_ = 0;
      if (buffer_.size() > kLongestLine) buffer_.clear();
      std::size_t have = buffer_.size();
      buffer_.resize(have + kBlock);
      ssize_t got = ::pread(fd_.get(), buffer_.data() + have, kBlock, offset_);
      buffer_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0) return fail_errno("read the log");
      if (got == 0) return std::optional<std::string_view>();
      offset_ += got;
    }
  }

 private:
  sys::UniqueFd fd_;
  off_t offset_;
  std::string buffer_;
  std::size_t start_ = 0;
};

bool same_file(int fd, const std::string& path) {
  struct stat open{}, named{};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino;
}

}  // namespace

namespace {

using Deliver = std::function<async::Task<Result<void>>(const LogEntry&)>;

async::Task<Result<void>> deliver_all(LineReader& reader, const LogQuery& query, const Deliver& deliver) {
  while (true) {
    CO_TRY(auto line, reader.next());
    if (!line) co_return Result<void>();
    auto entry = parse_line(*line);
    if (entry && wanted(*entry, query)) {
      CO_TRY_OK(co_await deliver(*entry));
    }
  }
}

// New lines as they come, into the next file when the log was rotated; ends with the container.
async::Task<Result<void>> follow(std::shared_ptr<Container> container, LineReader reader, LogQuery query,
                                 Deliver deliver) {
  while (true) {
    // Asked before reading: what was written before the end is then read for certain.
    bool ended = container->removed() || !container->running();
    CO_TRY_OK(co_await deliver_all(reader, query, deliver));
    if (!same_file(reader.fd(), container->log_path())) {
      auto next = sys::open_file(container->log_path(), O_RDONLY);
      if (next) {
        reader = LineReader(std::move(*next), 0);
        continue;
      }
    }
    if (ended) co_return Result<void>();
    if (query.until.is_set() && now() > query.until) co_return Result<void>();
    co_await container->changes().wait_for(kPoll);
    if (co_await async::cancelled()) co_return fail(ErrorCode::cancelled, "logs: cancelled");
  }
}

}  // namespace

async::Task<Result<void>> read_logs(std::shared_ptr<Container> container, LogQuery query, Deliver deliver) {
  if (container->spec().log.driver == "none")
    co_return fail(ErrorCode::unsupported, "configured logging driver does not support reading");
  std::vector<std::string> paths = files_of(container->log_path(), container->spec().log.max_files);
  std::vector<LineReader> readers;
  // From the newest file backwards, until enough lines are found.
  std::int64_t lines = query.tail.value_or(-1);
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    auto fd = sys::open_file(*path, O_RDONLY);
    if (!fd) continue;
    off_t offset = 0;
    if (query.tail) {
      if (lines == 0) {
        offset = ::lseek(fd->get(), 0, SEEK_END);
      } else {
        CO_TRY(offset, tail_offset(fd->get(), lines));
      }
    }
    readers.emplace_back(std::move(*fd), offset);
    if (query.tail && lines == 0) break;
  }
  std::reverse(readers.begin(), readers.end());
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (i + 1 == readers.size() && query.follow)
      co_return co_await follow(container, std::move(readers[i]), query, deliver);
    CO_TRY_OK(co_await deliver_all(readers[i], query, deliver));
  }
  // Started later, or logging nothing yet.
  if (query.follow && container->running()) {
    while (container->running() && !sys::exists(container->log_path())) {
      co_await container->changes().wait_for(kPoll);
      if (co_await async::cancelled()) co_return fail(ErrorCode::cancelled, "logs: cancelled");
    }
    auto fd = sys::open_file(container->log_path(), O_RDONLY);
    if (fd) co_return co_await follow(container, LineReader(std::move(*fd), 0), query, deliver);
  }
  co_return Result<void>();
}

}  // namespace berth::engine
