#include "async/event.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace berth::async {

namespace asio = boost::asio;

Notifier::Notifier(Loop& loop) : loop_(loop) {}

void Notifier::notify_all() {
  // The waiters keep their timer alive; whoever waits next makes a new one.
  if (auto timer = std::exchange(timer_, nullptr)) timer->cancel();
}

Task<> Notifier::wait() {
  if (!timer_) timer_ = std::make_shared<asio::steady_timer>(loop_.context(), asio::steady_timer::time_point::max());
  auto timer = timer_;
  boost::system::error_code ignored;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

Task<bool> Notifier::wait_for(std::chrono::nanoseconds timeout) {
  // A timer of its own, which notify_all() cannot reach, would miss the notice; so this wait polls the shared timer's
  // identity: it is replaced exactly when somebody notified.
  if (!timer_) timer_ = std::make_shared<asio::steady_timer>(loop_.context(), asio::steady_timer::time_point::max());
  auto timer = timer_;
  auto alarm = std::make_shared<asio::steady_timer>(loop_.context(), timeout);
  auto rung = std::make_shared<bool>(false);
  auto wake = std::make_shared<asio::steady_timer>(loop_.context(), asio::steady_timer::time_point::max());
  alarm->async_wait([wake, rung](boost::system::error_code error) {
    if (error) return;
    *rung = true;
    wake->cancel();
  });
  timer->async_wait([wake](boost::system::error_code) { wake->cancel(); });
  boost::system::error_code ignored;
  co_await wake->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  alarm->cancel();
  co_return !*rung && timer_ != timer;
}

Task<> Event::wait() {
  while (!set_) {
    co_await notifier_.wait();
    if (!set_ && co_await cancelled()) co_return;
  }
}

Task<bool> Event::wait_for(std::chrono::nanoseconds timeout) {
  auto end = std::chrono::steady_clock::now() + timeout;
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
