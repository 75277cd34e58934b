// Takes the wait of the kernel's control group lock before it hurts.
//
// Moving a process between control groups needs a lock whose first writer waits for an RCU grace period, about 10 ms;
// writers that come while that one is at work, or within about as long afterwards, hardly wait (cgroup_attach_lock in
// the kernel's kernel/cgroup/cgroup.c, percpu_down_write, kernel/rcu/sync.c). The OCI runtime makes such a move in the
// middle of every start and exec, and it is half of its time. So the engine makes one that changes nothing, of itself
// to where it is, as soon as it knows that a process will be started: the wait then passes beside the work before it.
#pragma once

#include "async/loop.h"
#include "engine/cgroup.h"

namespace berth::engine {

class AttachWindow {
 public:
  AttachWindow(async::Loop& loop, const CgroupLayout& layout);

  // Returns when moves are quick; at once while another call is at it. Nothing depends on its success: where the engine
  // may not write to its own group, moves are only as slow as they were. Thread: the loop's.
  async::Task<> open();

 private:
  async::Loop& loop_;
  std::string mount_point_;  // of the hierarchy used
  std::string controller_;   // as /proc/self/cgroup names it; empty: version 2
  bool opening_ = false;
};

}  // namespace berth::engine
