#include "async/event.h"

#include <algorithm>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace berth::async {

namespace asio = boost::asio;

Notifier::Notifier(Loop& loop) : loop_(loop), waiters_(std::make_shared<std::list<Waiter>>()) {}

void Notifier::notify_all() {
  for (Waiter& waiter : *waiters_) {
    waiter.notified = true;
    waiter.timer.cancel();
  }
}

Task<bool> Notifier::wait_until(std::chrono::steady_clock::time_point end) {
  auto waiters = waiters_;
  auto self = waiters->insert(waiters->end(), Waiter{asio::steady_timer(loop_.context(), end)});
  boost::system::error_code ignored;
  co_await self->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  bool notified = self->notified;
  waiters->erase(self);
  co_return notified;
}

Task<> Notifier::wait() { co_await wait_until(asio::steady_timer::time_point::max()); }

namespace {

// Longer than any run of the program is for ever; adding the longest durations to now would overflow.
std::chrono::steady_clock::time_point end_of(std::chrono::nanoseconds timeout) {
  constexpr std::chrono::hours kForEver(24 * 365 * 50);
  return std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(timeout, kForEver);
}

}  // namespace

Task<bool> Notifier::wait_for(std::chrono::nanoseconds timeout) { return wait_until(end_of(timeout)); }

Task<> Event::wait() {
  while (!set_) {
    co_await notifier_.wait();
    if (!set_ && co_await cancelled()) co_return;
  }
}

Task<bool> Event::wait_for(std::chrono::nanoseconds timeout) {
  auto end = end_of(timeout);
  while (!set_) {
    auto left = end - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds::zero()) co_return false;
    co_await notifier_.wait_for(left);
    if (!set_ && co_await cancelled()) co_return false;
  }
  co_return true;
}

void Mutex::Lock::unlock() {
  auto state = std::exchange(state_, nullptr);
  if (!state) return;
  if (state->waiters.empty()) {
    state->locked = false;
    return;
  }
  // The lock passes straight to the first waiter, so nobody can take it in between.
  auto next = std::move(state->waiters.front());
  state->waiters.pop_front();
  next->set();
}

Task<Mutex::Lock> Mutex::lock() {
  auto state = state_;
  if (state->locked) {
    auto turn = std::make_shared<Event>(loop_);
    state->waiters.push_back(turn);
    // Event::wait() returns early when the task is cancelled; the turn comes all the same and must be taken.
    while (!turn->is_set()) {
      co_await turn->wait();
      if (!turn->is_set()) co_await yield();
    }
  }
  state->locked = true;
  co_return Lock(std::move(state));
}

}  // namespace berth::async
