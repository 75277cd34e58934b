// The answer of pull, push, load and import: one JSON message a line while the work goes on. An error before the first
// message is the answer's status; afterwards it is the last message, as Docker does.
//
// Thread: the loop's. finish() must be awaited before it goes.
#pragma once

#include "docker/output_queue.h"
#include "image/progress.h"

namespace berth::docker {

class ProgressStream {
 public:
  explicit ProgressStream(http::Exchange& exchange) : queue_(exchange, "application/json") {}

  // Passed to the store; it may be called as long as the stream lives.
  image::Progress sink() {
    return [this](const image::ProgressEvent& event) { tell(event); };
  }
  void tell(const image::ProgressEvent& event) { queue_.push(json::print(image::to_json(event)) + "\r\n"); }
  // Keeps quiet about progress: `load -q`.
  static image::Progress quiet() {
    return [](const image::ProgressEvent&) {};
  }

  // Whatever follows, the answer is a success whose last message may be an error.
  void begin() { queue_.open(); }
  // What the handler answers with.
  async::Task<Result<void>> finish(Result<void> result) {
    if (!result && !queue_.begun()) co_return result;
    if (!result) {
      json::Object detail{{"message", result.error().text()}};
      json::Object message{{"errorDetail", std::move(detail)}, {"error", result.error().text()}};
      queue_.push(json::print(message) + "\r\n");
    }
    queue_.open();
    co_return co_await queue_.close();
  }

 private:
  OutputQueue queue_;
};

}  // namespace berth::docker
