// What is known of a container now, and the state machine that says which change may follow which.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"

namespace berth::engine {

enum class State {
  created,   // never started
  starting,  // its shim is being made
  running,
  paused,  // running, frozen by request
  exited,
  removing,  // its remains are being taken away; a crash goes on with it
  dead       // its shim was lost; only removal is left
};
// Docker's word: "created", "running" (also for starting), "paused", "exited", "removing", "dead".
std::string_view state_name(State state);

// never_started: the start of a container that has not run before failed; it is as it was.
enum class Change { start, started, start_failed, never_started, pause, unpause, exit, shim_lost, remove };
// The state after the change, or nothing when the change does not fit the state. Pure.
std::optional<State> next_state(State state, Change change);

// A process across restarts: sys::ProcessIdentity for the disk.
struct SavedProcess {
  std::int64_t pid = 0;
  std::uint64_t start_time = 0;
  std::string boot_id;
};
BOOST_DESCRIBE_STRUCT(SavedProcess, (), (pid, start_time, boot_id))

struct ContainerStatus {
  State state = State::created;
  SavedProcess process;  // PID 1, seen from the host; pid 0 while it does not run
  SavedProcess shim;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  // why the last start failed, or why it is dead
  Time started_at;
  Time finished_at;
  std::int64_t restart_count = 0;
  std::vector<std::string> anonymous_volumes;
  Time last_used;  // of its activations
};
BOOST_DESCRIBE_STRUCT(ContainerStatus, (),
                      (state, process, shim, exit_code, oom_killed, error, started_at, finished_at, restart_count,
                       anonymous_volumes, last_used))

// `docker ps`: "Up 3 minutes", "Up 2 hours (Paused)", "Exited (0) 5 seconds ago", "Created", "Dead".
std::string status_text(const ContainerStatus& status, Time now);

}  // namespace berth::engine
