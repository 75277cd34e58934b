// A pull that several callers wait for.
//
// Thread: the loop's.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/event.h"
#include "image/progress.h"
#include "image/store.h"

namespace berth::image {

class PullJob {
 public:
  explicit PullJob(async::Loop& loop) : done_(loop) {}

  // Tells every caller, and remembers the last word on each id for those who come later.
  void report(const ProgressEvent& event);
  void finish(Result<PullResult> result);
  bool finished() const { return result_.has_value(); }

  // Until the job is done, however; also returns when the calling task is cancelled.
  async::Task<> ended() { co_await done_.wait(); }
  // Joins until the job is done or the calling task is cancelled; the last one that leaves early stops the work.
  async::Task<Result<PullResult>> wait(Progress progress);

  // Read by the threads that work.
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);

 private:
  std::list<Progress> callers_;
  std::vector<ProgressEvent> last_;
  std::optional<Result<PullResult>> result_;
  async::Event done_;
};

}  // namespace berth::image
