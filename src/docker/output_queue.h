// Between what produces output at its own pace (log lines, progress messages) and the client that takes it at another:
// small pieces become large writes, and a slow client slows the producer down.
//
// Thread: the loop's. The exchange outlives it; close() must be awaited before it goes.
#pragma once

#include <string>
#include <string_view>

#include "async/event.h"
#include "async/task_group.h"
#include "base/error.h"
#include "http/exchange.h"

namespace berth::docker {

class OutputQueue {
 public:
  // type: of the stream, which begins with the first output, or with open().
  OutputQueue(http::Exchange& exchange, std::string type);

  // Sends the answer's head now, before there is any output.
  void open();
  // Never waits; see room().
  void push(std::string_view bytes);
  // Until what is queued is less than the high-water mark. An error when the client has gone.
  async::Task<Result<void>> room();
  // Until everything has been written; an error when it could not be.
  async::Task<Result<void>> close();
  // Whether the answer has begun, so that an error can no longer be its status.
  bool begun() const { return begun_; }

 private:
  async::Task<> pump();
  void start();

  http::Exchange& exchange_;
  std::string type_;
  std::string pending_;
  bool begun_ = false;
  bool closing_ = false;
  Result<void> result_;
  async::Notifier news_;
  async::Notifier taken_;
  async::TaskGroup tasks_;
};

}  // namespace berth::docker
