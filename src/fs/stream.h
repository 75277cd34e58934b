// Byte streams: where tar readers read from and tar writers write to. All of them block; thread: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::fs {

class Source {
 public:
  virtual ~Source() = default;
  // At least one byte, fewer than asked as it comes; 0 only at the end of the stream.
  virtual Result<std::size_t> read(std::span<char> into) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
};

// read(2) and write(2) on a descriptor that somebody else owns and that blocks.
class FdSource : public Source {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  Result<std::size_t> read(std::span<char> into) override;

 private:
  int fd_;
};

class FdSink : public Sink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  Result<void> write(std::string_view bytes) override;

 private:
  int fd_;
};

// Bytes that somebody else owns and that outlive the source.
class StringSource : public Source {
 public:
  explicit StringSource(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::span<char> into) override;

 private:
  std::string_view bytes_;
};

class StringSink : public Sink {
 public:
  Result<void> write(std::string_view bytes) override {
    bytes_.append(bytes);
    return {};
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads ahead, so that small reads cost no system call; large ones go past the buffer. The inner source outlives it.
class BufferedSource : public Source {
 public:
  explicit BufferedSource(Source& inner, std::size_t capacity = 64 << 10) : inner_(inner), buffer_(capacity) {}
  Result<std::size_t> read(std::span<char> into) override;

 private:
  Source& inner_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Gathers small writes; large ones go past the buffer. flush() must be called at the end. The inner sink outlives it.
class BufferedSink : public Sink {
 public:
  explicit BufferedSink(Sink& inner, std::size_t capacity = 64 << 10) : inner_(inner), capacity_(capacity) {}
  Result<void> write(std::string_view bytes) override;
  Result<void> flush();

 private:
  Sink& inner_;
  std::size_t capacity_;
  std::string buffer_;
};

// Reads until into is full or the stream ends; how many bytes it got.
Result<std::size_t> read_full(Source& source, std::span<char> into);
// Moves everything; how many bytes it moved.
Result<std::uint64_t> copy_all(Source& source, Sink& sink);

}  // namespace berth::fs
