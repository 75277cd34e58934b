// The descriptors that one turn of the loop waits for. It is filled anew for every turn from the state of things, so
// interest can neither be forgotten nor outlive its owner; for the dozen descriptors of a shim that costs less than an
// epoll instance with its registrations.
#pragma once

#include <poll.h>
#include <stdlib.h>

namespace berth::shim {

class PollSet {
 public:
  PollSet() = default;
  PollSet(const PollSet&) = delete;
  PollSet& operator=(const PollSet&) = delete;
  ~PollSet() { free(entries_); }

  static constexpr int kNone = -1;

  void clear() { count_ = 0; }
  // Returns the place to ask ready() for after wait(). Hang-ups and errors are reported whatever events says.
  int add(int fd, short events) {
    if (count_ == capacity_) {
      capacity_ = capacity_ == 0 ? 16 : 2 * capacity_;
      entries_ = static_cast<pollfd*>(realloc(entries_, sizeof(pollfd) * static_cast<std::size_t>(capacity_)));
      if (entries_ == nullptr) abort();
    }
    entries_[count_] = {fd, events, 0};
    return count_++;
  }
  short ready(int place) const { return place == kNone ? short{0} : entries_[place].revents; }
  enum class Woken { kReady, kSignal, kTimeout };
  // ppoll(2) with mask as signal mask meanwhile; timeout in milliseconds, below 0 for none. Unless kReady, nothing is
  // ready.
  Woken wait(int timeout_ms, const sigset_t& mask) {
    const timespec timeout{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
    const int count = ppoll(entries_, static_cast<nfds_t>(count_), timeout_ms < 0 ? nullptr : &timeout, &mask);
    if (count > 0) return Woken::kReady;
    for (int i = 0; i < count_; ++i) entries_[i].revents = 0;
    return count == 0 ? Woken::kTimeout : Woken::kSignal;
  }

 private:
  pollfd* entries_ = nullptr;
  int count_ = 0;
  int capacity_ = 0;
};

}  // namespace berth::shim
