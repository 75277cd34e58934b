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
  removing,   // its remains are being taken away; a crash goes on with it
  dead,       // its shim was lost; only removal is left
  restarting  // ended, and waiting for its restart policy to start it again
};
// Docker's word: "created", "running" (also for starting), "paused", "restarting", "exited", "removing", "dead".
std::string_view state_name(State state);

// never_started: the start of a container that has not run before failed; it is as it was.
// exit_to_restart: an exit after which the restart policy starts it again. give_up: no further restart after all.
enum class Change {
  start,
  started,
  start_failed,
  never_started,
  pause,
  unpause,
  exit,
  exit_to_restart,
  give_up,
  shim_lost,
  remove
};
// The state after the change, or nothing when the change does not fit the state. Pure.
std::optional<State> next_state(State state, Change change);

// A process across restarts: sys::ProcessIdentity for the disk.
struct SavedProcess {
  std::int64_t pid = 0;
  std::uint64_t start_time = 0;
  std::string boot_id;
};
BOOST_DESCRIBE_STRUCT(SavedProcess, (), (pid, start_time, boot_id))

// One run of the health check.
struct HealthProbe {
  Time start;
  Time end;
  int exit_code = 0;   // -1: it could not be run, or took too long
  std::string output;  // the beginning of it
};
BOOST_DESCRIBE_STRUCT(HealthProbe, (), (start, end, exit_code, output))

struct HealthStatus {
  std::string state = "starting";  // starting, healthy or unhealthy
  int failing_streak = 0;
  std::vector<HealthProbe> log;  // the last ones, oldest first
};
BOOST_DESCRIBE_STRUCT(HealthStatus, (), (state, failing_streak, log))

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
  Time last_used;                      // of its activations
  bool manually_stopped = false;       // somebody asked it to end; unless-stopped heeds it
  std::optional<HealthStatus> health;  // while there is a check
};
BOOST_DESCRIBE_STRUCT(ContainerStatus, (),
                      (state, process, shim, exit_code, oom_killed, error, started_at, finished_at, restart_count,
                       anonymous_volumes, last_used, manually_stopped, health))

// `docker ps`: "Up 3 minutes (healthy)", "Up 2 hours (Paused)", "Restarting (1) 5 seconds ago", "Exited (0) 5 seconds
// ago", "Created", "Dead".
std::string status_text(const ContainerStatus& status, Time now);

}  // namespace berth::engine
