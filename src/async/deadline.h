// A time after which a socket is shut down, so that whatever waits on it ends with "end of stream".
//
// Thread: the loop's.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>

#include "async/loop.h"

namespace berth::async {

class Deadline {
 public:
  // The socket stays the caller's; call clear() before it is closed or given away.
  Deadline(Loop& loop, int socket);
  ~Deadline() { clear(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // Replaces the deadline before; a zero duration means none.
  void set(std::chrono::nanoseconds from_now);
  void clear();
  // Whether a deadline has shut the socket down.
  bool passed() const { return state_->passed; }

 private:
  struct State {
    boost::asio::steady_timer timer;
    int socket;
    bool passed = false;
    unsigned generation = 0;
  };
  std::shared_ptr<State> state_;
};

}  // namespace berth::async
