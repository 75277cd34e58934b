#include "docker/output_queue.h"

namespace berth::docker {

namespace {
constexpr std::size_t kHighWater = 256 << 10;
}

OutputQueue::OutputQueue(http::Exchange& exchange, std::string type)
    : exchange_(exchange),
      type_(std::move(type)),
      news_(exchange.loop()),
      taken_(exchange.loop()),
      tasks_(exchange.loop()) {}

void OutputQueue::start() {
  if (begun_) return;
  begun_ = true;
  tasks_.spawn("http output", pump());
}

void OutputQueue::open() { start(); }

void OutputQueue::push(std::string_view bytes) {
  if (!result_) return;
  pending_ += bytes;
  start();
  news_.notify_all();
}

async::Task<Result<void>> OutputQueue::room() {
  while (result_ && pending_.size() > kHighWater) {
    co_await taken_.wait();
    if (co_await async::cancelled()) co_return fail(ErrorCode::cancelled, "the client has left");
  }
  co_return result_;
}

async::Task<Result<void>> OutputQueue::close() {
  closing_ = true;
  news_.notify_all();
  // A cancelled handler has nobody left to write to.
  if (co_await async::cancelled()) tasks_.cancel();
  co_await tasks_.join();
  co_return result_;
}

async::Task<> OutputQueue::pump() {
  result_ = co_await exchange_.start_stream(200, type_);
  while (result_) {
    if (pending_.empty()) {
      if (closing_ || co_await async::cancelled()) break;
      co_await news_.wait();
      continue;
    }
    std::string bytes = std::exchange(pending_, {});
    taken_.notify_all();
    Result<void> written = co_await exchange_.write(bytes);
    if (!written) result_ = std::move(written);
  }
  taken_.notify_all();
}

}  // namespace berth::docker
