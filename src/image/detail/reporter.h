// Carries progress from the threads that work to the loop, where the caller's callback runs.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "async/loop.h"
#include "image/progress.h"

namespace berth::image {

// Thread: any, several at once. The operation ends on the loop after its last report has been delivered: both go
// through the loop's queue.
class Reporter {
 public:
  Reporter(async::Loop& loop, Progress progress)
      : loop_(loop), progress_(std::make_shared<Progress>(std::move(progress))) {}
  // What has not been delivered then never is: whom it was for may be gone.
  ~Reporter() { *progress_ = {}; }
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  void status(std::string text, std::string id = {});
  void stream(std::string text);
  void aux(json::Value value);
  // At most ten of one id and status in a second, and always the one that completes the total.
  void amount(std::string_view text, const std::string& id, std::int64_t current, std::int64_t total);

 private:
  void send(ProgressEvent event);

  async::Loop& loop_;
  std::shared_ptr<Progress> progress_;
  std::mutex mutex_;
  struct Last {
    std::string status;
    std::chrono::steady_clock::time_point at;
  };
  std::map<std::string, Last> last_;
};

}  // namespace berth::image
