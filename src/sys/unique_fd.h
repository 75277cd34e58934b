// The owner of a file descriptor. Not copyable, no implicit int; closes when it goes.
//
// Every descriptor in Berth is made with O_CLOEXEC; a child gets the ones it needs by name (sys/spawn.h).
#pragma once

#include <unistd.h>

#include <utility>

namespace berth::sys {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  // close(2) is not retried: on Linux the descriptor is gone even after EINTR (close(2), NOTES).
  void reset(int fd = -1) {
    int old = std::exchange(fd_, fd);
    if (old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace berth::sys
