#include "engine/logs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr std::size_t kBlock = 256 << 10;
// The shim splits lines of 16 KiB and escapes each byte to six at most.
constexpr std::size_t kLongestLine = 256 << 10;
constexpr auto kPoll = std::chrono::milliseconds(50);

// The times of a query as the log has them: they sort as text.
class Wanted {
 public:
  explicit Wanted(const LogQuery& query)
      : query_(query),
        since_(query.since.is_set() ? format_rfc3339_fixed(query.since) : ""),
        until_(query.until.is_set() ? format_rfc3339_fixed(query.until) : "") {}

  bool operator()(const LogLine& line) const {
    if (line.stderr_ ? !query_.stderr_ : !query_.stdout_) return false;
    if (!since_.empty() && line.time < since_) return false;
    return until_.empty() || line.time <= until_;
  }

 private:
  const LogQuery& query_;
  std::string since_;
  std::string until_;
};

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
  // The next whole line of what has been read, without its newline; empty when there is none.
  std::span<char> next() {
    if (start_ == buffer_.size()) return {};
    void* newline = std::memchr(buffer_.data() + start_, '\n', buffer_.size() - start_);
    if (newline == nullptr) return {};
    char* line = buffer_.data() + start_;
    auto size = static_cast<std::size_t>(static_cast<char*>(newline) - line);
    start_ += size + 1;
    return {line, size};
  }
  // Reads a block more; false at the present end of the file.
  Result<bool> read_more() {
    buffer_.erase(0, start_);
    start_ = 0;
    if (buffer_.size() > kLongestLine) buffer_.clear();
    std::size_t have = buffer_.size();
    buffer_.resize(have + kBlock);
    ssize_t got = ::pread(fd_.get(), buffer_.data() + have, kBlock, offset_);
    buffer_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return fail_errno("read the log");
    offset_ += got;
    return got > 0;
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

async::Task<Result<void>> deliver_all(LineReader& reader, const Wanted& wanted, LogSink& sink) {
  while (true) {
    CO_TRY(bool more, reader.read_more());
    if (!more) co_return co_await sink.flush();
    for (auto line = reader.next(); line.data() != nullptr; line = reader.next()) {
      auto scanned = scan_log_line(line.data(), line.size());
      if (scanned && wanted(*scanned)) sink.take(*scanned);
    }
    CO_TRY_OK(co_await sink.flush());
  }
}

// New lines as they come, into the next file when the log was rotated; ends with the container.
async::Task<Result<void>> follow(std::shared_ptr<Container> container, LineReader reader, LogQuery query,
                                 LogSink& sink) {
  Wanted wanted(query);
  while (true) {
    // Asked before reading: what was written before the end is then read for certain.
    bool ended = container->removed() || !container->running();
    CO_TRY_OK(co_await deliver_all(reader, wanted, sink));
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

async::Task<Result<void>> read_logs(std::shared_ptr<Container> container, LogQuery query, LogSink& sink) {
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
  Wanted wanted(query);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (i + 1 == readers.size() && query.follow)
      co_return co_await follow(container, std::move(readers[i]), query, sink);
    CO_TRY_OK(co_await deliver_all(readers[i], wanted, sink));
  }
  // Started later, or logging nothing yet.
  if (query.follow && container->running()) {
    while (container->running() && !sys::exists(container->log_path())) {
      co_await container->changes().wait_for(kPoll);
      if (co_await async::cancelled()) co_return fail(ErrorCode::cancelled, "logs: cancelled");
    }
    auto fd = sys::open_file(container->log_path(), O_RDONLY);
    if (fd) co_return co_await follow(container, LineReader(std::move(*fd), 0), query, sink);
  }
  co_return Result<void>();
}

namespace {

std::string option_of(const ContainerSpec& spec, const std::string& key) {
  auto found = spec.log.options.find(key);
  return found == spec.log.options.end() ? "" : found->second;
}

// The words that Docker's log tags know, with what they stand for.
std::string expand_tag(const ContainerSpec& spec, std::string tag) {
  for (const auto& [word, value] : {std::pair<std::string_view, std::string>{"{{.ID}}", spec.id.substr(0, 12)},
                                    {"{{.FullID}}", spec.id},
                                    {"{{.Name}}", spec.name},
                                    {"{{.ImageName}}", spec.image},
                                    {"{{.ImageFullID}}", spec.image_id}})
    for (std::size_t at; (at = tag.find(word)) != std::string::npos;) tag.replace(at, word.size(), value);
  return tag;
}

}  // namespace

std::string log_details(const ContainerSpec& spec) {
  std::map<std::string, std::string> chosen;
  std::vector<std::string> labels = split(option_of(spec, "labels"), ','), env = split(option_of(spec, "env"), ',');
  for (const auto& [key, value] : spec.labels)
    if (std::ranges::find(labels, key) != labels.end()) chosen[key] = value;
  for (const std::string& variable : spec.process.env) {
    auto [key, value] = split_once(variable, '=');
    if (value && std::ranges::find(env, key) != env.end()) chosen[std::string(key)] = *value;
  }
  if (std::string tag = option_of(spec, "tag"); !tag.empty()) chosen["tag"] = expand_tag(spec, tag);
  std::vector<std::string> pairs;
  for (const auto& [key, value] : chosen) pairs.push_back(key + "=" + value);
  return join(pairs, ",");
}

}  // namespace berth::engine
