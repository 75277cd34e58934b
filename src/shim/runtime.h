// Calls of the OCI runtime (crun, runc): one RuntimeCall makes one process, of a container or of an exec.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>

#include "shim/conf.h"
#include "shim/fd.h"
#include "shim/namespaces.h"
#include "shim/process_io.h"
#include "shim/result.h"

namespace berth::shim {

// Where a runtime delivers the master of a terminal ("--console-socket", runc's docs/terminals.md). The listening
// socket lies in the shim's private tmpfs and is reached through /proc/PID/fd, so its path is short and nobody else's.
class Console {
 public:
  Result<> listen(const Conf& conf, std::uint64_t number);
  Buffer path() const;
  // The master has been taken.
  bool is_done() const { return done_; }
  void add_interest(PollSet& set);
  short ready(const PollSet& set) const { return set.ready(place_); }
  // The master if it has come; does not wait.
  Fd take_master();
  void close();

 private:
  Fd directory_;
  Fd listener_;
  Fd connection_;
  Buffer name_;
  bool done_ = false;
  int place_ = PollSet::kNone;
};

struct Call {
  Buffer process;  // path of the OCI process JSON of an exec; empty: run the container
  Buffer pid_file;
  Buffer log_file;
  bool tty = false;
  std::uint64_t number = 0;  // of this call, unique in the shim
};

class RuntimeCall {
 public:
  // Starts the runtime. ends become the process's standard streams; with a terminal they serve the runtime alone.
  Result<> start(Conf& conf, Call call, const ProcessIo::ChildEnds& ends);

  bool is_running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  // Milliseconds until the runtime has overrun its time, 0 if it has.
  int time_left() const;
  void kill_overdue();

  // The terminal comes while the runtime runs, before the process does: in time to give it its size.
  void add_interest(PollSet& set) { console_.add_interest(set); }
  // Its master, once.
  Fd take_terminal(const PollSet& set) { return console_.ready(set) != 0 ? console_.take_master() : Fd(); }

  struct Outcome {
    pid_t pid = -1;
    Fd terminal;  // if it was not taken before
  };
  // The runtime has ended with this wait status: the process that it made, or what it logged as wrong. An error
  // without a message: it logged nothing.
  Result<Outcome> finish(const Conf& conf, int status);

 private:
  std::unexpected<Error> explain(const Conf& conf, int status);

  Call call_;
  Console console_;
  pid_t pid_ = -1;
  timespec deadline_{};
  bool overdue_ = false;
};

// Writes bundle/config.json from bundle/config.template.json, with the tokens replaced by the paths of these
// namespaces; one that is not there leaves its token.
Result<> write_runtime_config(const Conf& conf, const Namespaces& namespaces);

// Field 22 of /proc/PID/stat: clock ticks since boot; 0 when there is no such process.
std::uint64_t start_time_of(pid_t pid);

// Ends every child of this process, the unknown ones too, and waits for them.
void kill_children();

}  // namespace berth::shim
