// Whether a container that has ended is started again by itself, and how long after.
//
// The rules are Docker's ("Start containers automatically", docs.docker.com): the first wait is 100 ms, each further
// one twice as long up to a minute, and a run of ten seconds or more begins anew with 100 ms. Pure: the caller keeps
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "engine/spec.h"

namespace berth::engine {

// How a run ended.
struct EndedRun {
  int exit_code = 0;
  bool manually_stopped = false;
  std::chrono::nanoseconds length{};  // how long it ran
  std::int64_t restarts = 0;          // by the policy, since somebody started the container
};

class RestartRule {
 public:
  // The wait before the next start, or nothing when the container stays ended.
  std::optional<std::chrono::nanoseconds> after(const RestartSpec& policy, const EndedRun& run);
  // Somebody asked the container to end: whatever the policy says, the end of this run is the end.
  void cancel() { cancelled_ = true; }
  // Somebody has started the container.
  void reset() { *this = {}; }

 private:
  std::chrono::nanoseconds wait_{};
  bool cancelled_ = false;
};

// The policy's word alone, without memory of earlier runs: also what an engine that starts does with a container that
// has ended before.
bool wants_restart(const RestartSpec& policy, const EndedRun& run);

}  // namespace berth::engine
