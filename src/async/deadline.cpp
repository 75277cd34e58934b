#include "async/deadline.h"

#include <sys/socket.h>

namespace berth::async {

Deadline::Deadline(Loop& loop, int socket) : state_(new State{boost::asio::steady_timer(loop.context()), socket}) {}

void Deadline::set(std::chrono::nanoseconds from_now) {
  clear();
  if (from_now <= std::chrono::nanoseconds::zero()) return;
  state_->timer.expires_after(from_now);
  // The generation tells a timer that had already rung when it was replaced.
  state_->timer.async_wait([state = state_, mine = state_->generation](boost::system::error_code error) {
    if (error || mine != state->generation) return;
    state->passed = true;
    ::shutdown(state->socket, SHUT_RDWR);
  });
}

void Deadline::clear() {
  ++state_->generation;
  state_->timer.cancel();
}

}  // namespace berth::async
