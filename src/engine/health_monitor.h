// Runs the health check of one container while it runs: one timer for a container with a check, nothing for others.
//
// Thread: the loop's; belongs to its container. What a check says goes into the container's status, on disk too, so it
// outlives the engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "async/event.h"
#include "engine/status.h"
#include "sys/unique_fd.h"

namespace berth::engine {

class Container;
class Exec;

class HealthMonitor {
 public:
  HealthMonitor(async::Loop& loop, Container& container) : loop_(loop), container_(container), stopped_(loop) {}

  // A new run has begun: its health is not known yet.
  void begin();
  // The run goes on, after a pause or under a new engine: from the health that is known.
  void resume();
  // No further check, and one that is under way does not count.
  void pause();
  // The run has ended: what nobody looks after is not healthy.
  void end();

 private:
  async::Task<> watch(std::uint64_t watch);
  async::Task<HealthProbe> probe();
  async::Task<> collect_output(sys::UniqueFd stream, std::shared_ptr<std::string> output);
  async::Task<bool> wait_for_end(std::shared_ptr<Exec> exec, std::chrono::nanoseconds limit);
  void note(HealthProbe probe);

  async::Loop& loop_;
  Container& container_;
  async::Notifier stopped_;
  std::uint64_t watch_ = 0;  // which call of watch() counts; 0 is none
  std::uint64_t watches_ = 0;
};

}  // namespace berth::engine
