#include "image/detail/pull_job.h"

#include <algorithm>

namespace berth::image {

void PullJob::report(const ProgressEvent& event) {
  auto same = [&](const ProgressEvent& other) { return !event.id.empty() && other.id == event.id; };
  auto last = std::find_if(last_.begin(), last_.end(), same);
  if (last != last_.end()) {
    *last = event;
  } else {
    last_.push_back(event);
  }
  for (const Progress& caller : callers_)
    if (caller) caller(event);
}

void PullJob::finish(Result<PullResult> result) {
  result_ = std::move(result);
  done_.set();
}

async::Task<Result<PullResult>> PullJob::wait(Progress progress) {
  if (progress)
    for (const ProgressEvent& event : last_) progress(event);
  auto caller = callers_.insert(callers_.end(), std::move(progress));
  while (!done_.is_set()) {
    co_await done_.wait();
    if (!done_.is_set() && co_await async::cancelled()) break;
  }
  callers_.erase(caller);
  if (done_.is_set()) co_return *result_;
  if (callers_.empty()) stop->store(true);
  co_return fail(ErrorCode::cancelled, "context canceled");
}

}  // namespace berth::image
