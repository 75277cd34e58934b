#include "engine/restart.h"

#include <algorithm>

namespace berth::engine {

namespace {

constexpr std::chrono::milliseconds kFirstWait{100};
constexpr std::chrono::minutes kLongestWait{1};
// A run of this length counts as a success, whatever became of it.
constexpr std::chrono::seconds kGoodRun{10};

}  // namespace

bool wants_restart(const RestartSpec& policy, const EndedRun& run) {
  if (policy.name == "always") return true;
  if (policy.name == "unless-stopped") return !run.manually_stopped;
  if (policy.name == "on-failure")
    return run.exit_code != 0 && (policy.maximum_retries == 0 || run.restarts < policy.maximum_retries);
  return false;
}

std::optional<std::chrono::nanoseconds> RestartRule::after(const RestartSpec& policy, const EndedRun& run) {
  if (cancelled_ || !wants_restart(policy, run)) return {};
  if (run.length >= kGoodRun) wait_ = {};
  wait_ = std::clamp<std::chrono::nanoseconds>(wait_ * 2, kFirstWait, kLongestWait);
  return wait_;
}

}  // namespace berth::engine
