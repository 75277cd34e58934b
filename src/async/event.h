// Waiting for each other: Event (set until reset), Notifier (wakes whoever waits now) and Mutex (first come, first
// served). All belong to the loop thread; none of them blocks it.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <list>
#include <memory>

#include "async/loop.h"

namespace berth::async {

// Wakes every task that waits at the moment of the call. May go while tasks wait; they then wait for their time limit.
class Notifier {
 public:
  explicit Notifier(Loop& loop);
  void notify_all();
  // Also returns when the task is cancelled; look with cancelled().
  Task<> wait();
  // False when the time was over, or the task cancelled, first.
  Task<bool> wait_for(std::chrono::nanoseconds timeout);

 private:
  struct Waiter {
    boost::asio::steady_timer timer;
    bool notified = false;
  };
  Task<bool> wait_until(std::chrono::steady_clock::time_point end);

  Loop& loop_;
  std::shared_ptr<std::list<Waiter>> waiters_;
};

// Stays set until reset; waiting for a set event returns at once.
class Event {
 public:
  explicit Event(Loop& loop) : notifier_(loop) {}
  void set() {
    set_ = true;
    notifier_.notify_all();
  }
  void reset() { set_ = false; }
  bool is_set() const { return set_; }
  // Also returns, unset, when the task is cancelled.
  Task<> wait();
  // False when the time was over, or the task cancelled, first.
  Task<bool> wait_for(std::chrono::nanoseconds timeout);

 private:
  bool set_ = false;
  Notifier notifier_;
};

// Serialises coroutines in the order in which they came. The mutex may go while a lock is held.
class Mutex {
  struct State {
    bool locked = false;
    std::deque<std::shared_ptr<Event>> waiters;
  };

 public:
  explicit Mutex(Loop& loop) : loop_(loop), state_(std::make_shared<State>()) {}

  class Lock {
   public:
    Lock() = default;
    Lock(Lock&& other) noexcept = default;
    Lock& operator=(Lock&& other) noexcept {
      unlock();
      state_ = std::move(other.state_);
      return *this;
    }
    ~Lock() { unlock(); }
    void unlock();

   private:
    friend class Mutex;
    explicit Lock(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };

  // Not cancellable: what a mutex guards is short, and a lock that was asked for is always given.
  Task<Lock> lock();
  bool locked() const { return state_->locked; }

 private:
  Loop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace berth::async
