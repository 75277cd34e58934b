#include "async/loop.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/impl/src.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace berth::async {

namespace asio = boost::asio;

struct Loop::Signals {
  explicit Signals(asio::io_context& context) : set(context) {}
  void wait() {
    set.async_wait([this](boost::system::error_code error, int number) {
      if (error) return;
      handler(number);
      wait();
    });
  }
  asio::signal_set set;
  std::function<void(int)> handler;
};

// How many dedicated threads still run.
struct Loop::Threads {
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;
};

Loop::Loop(std::size_t blocking_threads) : pool_(blocking_threads), threads_(std::make_shared<Threads>()) {}

Loop::~Loop() {
  {
    std::unique_lock lock(threads_->mutex);
    threads_->ended.wait(lock, [this] { return threads_->running == 0; });
  }
  // Work that is under way in the pool may post back to the context, which is still there.
  pool_.join();
}

void Loop::run() {
  auto guard = asio::make_work_guard(context_);
  context_.run();
}

void Loop::stop() { context_.stop(); }

void Loop::post(std::function<void()> work) { asio::post(context_, std::move(work)); }

void Loop::on_signals(std::vector<int> numbers, std::function<void(int)> handler) {
  auto signals = std::make_unique<Signals>(context_);
  for (int number : numbers) signals->set.add(number);
  signals->handler = std::move(handler);
  signals->wait();
  signals_.push_back(std::move(signals));
}

namespace {

// Completes when work has run on the pool. Takes no part in cancellation: work uses the awaiting frame.
template <class Token>
auto async_run(asio::thread_pool& pool, std::function<void()> work, Token&& token) {
  return asio::async_initiate<Token, void()>(
      [&pool](auto handler, std::function<void()> inner) {
        auto executor = asio::get_associated_executor(handler);
        asio::post(pool, [handler = std::move(handler), executor, inner = std::move(inner)]() mutable {
          inner();
          asio::post(executor, std::move(handler));
        });
      },
      token, std::move(work));
}

// work, with what it throws put aside.
std::function<void()> guarded(std::function<void()>& work, std::exception_ptr& thrown) {
  return [&work, &thrown] {
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
}

}  // namespace

Task<> Loop::run_blocking(std::function<void()> work) {
  std::exception_ptr thrown;
  co_await async_run(pool_, guarded(work, thrown), asio::use_awaitable);
  if (thrown) std::rethrow_exception(thrown);
}

Task<> Loop::run_dedicated(std::function<void()> work) {
  std::exception_ptr thrown;
  auto start = [threads = threads_](auto handler, std::function<void()> inner) {
    auto executor = asio::get_associated_executor(handler);
    {
      std::lock_guard lock(threads->mutex);
      ++threads->running;
    }
    auto body = [threads, executor, handler = std::move(handler), inner = std::move(inner)]() mutable {
      inner();
      asio::post(executor, std::move(handler));
      std::lock_guard lock(threads->mutex);
      --threads->running;
      threads->ended.notify_all();
    };
    std::thread(std::move(body)).detach();  // counted above; the destructor waits for it
  };
  co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(std::move(start), asio::use_awaitable,
                                                                       guarded(work, thrown));
  if (thrown) std::rethrow_exception(thrown);
}

Task<> sleep_for(std::chrono::nanoseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

Task<> yield() { co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable); }

Task<bool> cancelled() {
  auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace berth::async
