// The loop: one thread on which all of a daemon's state lives, so that state needs no locks; and a pool of threads for
// what blocks (file trees, tar, hashes, name look-ups, libcurl).
//
// One Loop is made in main() and passed down by reference; it outlives everything that holds it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "async/task.h"

namespace berth::async {

class Loop {
 public:
  explicit Loop(std::size_t blocking_threads = 4);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Runs until stop() is called. Thread: the one that owns all state.
  void run();
  // Thread: any.
  void stop();
  // Runs work on the loop thread, soon. Thread: any.
  void post(std::function<void()> work);
  // The first of these signals calls handler on the loop thread, again for each further one.
  void on_signals(std::vector<int> numbers, std::function<void(int)> handler);

  // Runs f() on a pool thread and comes back to the loop with what it returned. f must not touch loop state. It is not
  // interrupted by cancellation: the task goes on when f has returned.
  template <class F>
  Task<std::invoke_result_t<F>> blocking(F f) {
    using T = std::invoke_result_t<F>;
    if constexpr (std::is_void_v<T>) {
      co_await run_blocking([&f] { f(); });
    } else {
      std::optional<T> result;
      // The references stay good: this frame lives until run_blocking has come back.
      co_await run_blocking([&f, &result] { result.emplace(f()); });
      co_return std::move(*result);
    }
  }

  // The same on a thread of its own, for what may take minutes (a transfer, a slow reader) and must not hold up the
  // pool.
  template <class F>
  Task<std::invoke_result_t<F>> dedicated(F f) {
    std::optional<std::invoke_result_t<F>> result;
    // As above: this frame outlives the work.
    co_await run_dedicated([&f, &result] { result.emplace(f()); });
    co_return std::move(*result);
  }

  boost::asio::io_context& context() { return context_; }

 private:
  Task<> run_blocking(std::function<void()> work);
  Task<> run_dedicated(std::function<void()> work);

  boost::asio::io_context context_{1};
  boost::asio::thread_pool pool_;
  struct Threads;
  std::shared_ptr<Threads> threads_;
  struct Signals;
  std::vector<std::unique_ptr<Signals>> signals_;
};

// Cancellable; returns early without an error when cancelled.
Task<> sleep_for(std::chrono::nanoseconds duration);
// Throws away the turn: other ready tasks run first.
Task<> yield();
// Whether the current task has been asked to stop.
Task<bool> cancelled();

}  // namespace berth::async
