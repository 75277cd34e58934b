// Processes: spawning without fork's dangers, and pidfds that survive pid reuse.
//
// A threaded daemon must not fork to do work; spawn() uses posix_spawn-like vfork semantics (clone
// CLONE_VM|CLONE_VFORK) and execs at once. Signals go through pidfds only (pidfd_open(2)). A pid that is written to
// disk carries the boot id and the start time, so that after a restart it names the same process or none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::sys {

// A running process, held by pidfd. Thread: any.
class Process {
 public:
  Process() = default;
  Process(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  // pidfd_open(2); not_found when there is none.
  static Result<Process> open(pid_t pid);

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  bool valid() const { return pidfd_.valid(); }
  // pidfd_send_signal(2). A process that has ended is not_found.
  Result<void> signal(int number) const;
  // For a child: its wait status once it has ended (waitid(P_PIDFD)). Blocks.
  Result<int> wait() const;
  // For a child: nothing while it still runs.
  Result<std::optional<int>> try_wait() const;

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

// What names a process across restarts of the daemon and reboots of the machine.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  // field 22 of /proc/PID/stat, in clock ticks since boot
  std::string boot_id;           // /proc/sys/kernel/random/boot_id
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

std::string boot_id();
Result<ProcessIdentity> identify(pid_t pid);
// The process if it is still the same one; not_found otherwise.
Result<Process> find_process(const ProcessIdentity& identity);

struct SpawnOptions {
  std::vector<std::string> argv;                // argv[0] is the path of the program
  std::optional<std::vector<std::string>> env;  // "K=V"; absent: inherited
  std::string directory;                        // empty: inherited
  // {descriptor here, number in the child}. All others are closed by O_CLOEXEC; 0, 1 and 2 not named are /dev/null.
  std::vector<std::pair<int, int>> fds;
  bool new_session = false;  // setsid(2)
};

// Starts argv[0] with all signals unblocked and at their defaults. An exec that fails is reported here, by its errno.
// The child is the caller's to wait for. Thread: any.
Result<Process> spawn(const SpawnOptions& options);

// exit code of a wait status as shells tell it: code, or 128 + signal.
int exit_code_of(int wait_status);

}  // namespace berth::sys
