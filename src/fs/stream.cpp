#include "fs/stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sys/file.h"

namespace berth::fs {

Result<std::size_t> FdSource::read(std::span<char> into) {
  ssize_t got;
  do got = ::read(fd_, into.data(), into.size());
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("read");
  return static_cast<std::size_t>(got);
}

Result<void> FdSink::write(std::string_view bytes) { return sys::write_all(fd_, bytes); }

Result<std::size_t> StringSource::read(std::span<char> into) {
  std::size_t count = std::min(into.size(), bytes_.size());
  if (count > 0) std::memcpy(into.data(), bytes_.data(), count);
  bytes_.remove_prefix(count);
  return count;
}

Result<std::size_t> BufferedSource::read(std::span<char> into) {
  if (into.empty()) return 0;
  if (begin_ == end_) {
    if (into.size() >= buffer_.size()) return inner_.read(into);
    begin_ = end_ = 0;
    TRY(end_, inner_.read(buffer_));
  }
  std::size_t count = std::min(into.size(), end_ - begin_);
  std::memcpy(into.data(), buffer_.data() + begin_, count);
  begin_ += count;
  return count;
}

Result<void> BufferedSink::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > capacity_) TRY_OK(flush());
  if (bytes.size() >= capacity_) return inner_.write(bytes);
  buffer_.append(bytes);
  return {};
}

Result<void> BufferedSink::flush() {
  if (buffer_.empty()) return {};
  TRY_OK(inner_.write(buffer_));
  buffer_.clear();
  return {};
}

Result<std::size_t> read_full(Source& source, std::span<char> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    TRY(std::size_t got, source.read(into.subspan(filled)));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

Result<std::uint64_t> copy_all(Source& source, Sink& sink) {
  std::vector<char> buffer(256 << 10);
  std::uint64_t total = 0;
  while (true) {
    TRY(std::size_t got, source.read(buffer));
    if (got == 0) return total;
    TRY_OK(sink.write({buffer.data(), got}));
    total += got;
  }
}

}  // namespace berth::fs
