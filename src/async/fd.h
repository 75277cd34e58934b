// A descriptor on the loop: sockets, pipes, pidfds, inotify.
//
// Thread: the loop's. One reader and one writer at a time. Reads and writes may be cancelled with their task.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "async/loop.h"
#include "sys/unique_fd.h"

namespace berth::async {

class Fd {
 public:
  // Takes the descriptor, makes it non-blocking.
  Fd(Loop& loop, sys::UniqueFd fd);
  Fd(Fd&&) noexcept;
  Fd& operator=(Fd&&) noexcept;
  ~Fd();

  int get() const;
  // Ends pending waits as cancelled and gives the descriptor back, blocking again.
  sys::UniqueFd release();
  // Ends pending waits as cancelled.
  void close();

  // Until read(2), accept(2) or the like would not block; a pidfd is readable when its process has ended.
  Task<Result<void>> readable();
  Task<Result<void>> writable();
  // At least one byte; 0 at the end of the stream.
  Task<Result<std::size_t>> read_some(std::span<char> buffer);
  Task<Result<void>> write_all(std::string_view bytes);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace berth::async
