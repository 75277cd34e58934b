// One shim: holds one container from the request to start it until its last output is delivered.
//
//   created -> (start) -> network -> starting -> running -> exited
//
// network waits for the engine to configure the network namespace; without a private one it is skipped. A start that
// fails ends the shim. Single-threaded: everything happens in turns of run().
#pragma once

#include <signal.h>
#include <time.h>

#include "shim/conf.h"
#include "shim/control.h"
#include "shim/list.h"
#include "shim/log_writer.h"
#include "shim/namespaces.h"
#include "shim/poll_set.h"
#include "shim/process_io.h"
#include "shim/runtime.h"

namespace berth::shim {

// A process that the runtime has made, or is making, for the shim: PID 1 of the container, or an exec.
//
// Its pid is signalled directly: an adopted child that has not been waited for cannot be another process.
struct Held {
  ProcessIo io;
  RuntimeCall call;
  Requester starter;
  pid_t pid = -1;  // while it runs
  std::uint64_t start_time = 0;
  bool ended = false;
  int code = 0;  // 128 + signal if one ended it
  int signal = 0;
};

struct Exec : Held {
  Buffer id;
  bool direct = false;  // its stdio is not the shim's
  Exec* next = nullptr;
};

class Shim : public Control::Handler {
 public:
  explicit Shim(Conf& conf) : conf_(conf) {}

  // Takes control as the first control connection. To be called once, before run().
  Result<> open(Fd control);
  // Until the container has come and gone. waiting is the signal mask while it waits: SIGCHLD must not be in it.
  void run(const sigset_t& waiting);

  void on_request(const Requester& requester, std::string_view message, ReceivedFds& fds) override;

 private:
  enum class State { kCreated, kNetwork, kStarting, kRunning, kExited };
  static std::string_view state_name(State state);

  // requests.cpp
  struct Request;
  struct Verb;
  static const Verb kVerbs[];
  Result<> on_start(const Request& request);
  Result<> on_network_ready(const Request& request);
  Result<> on_attach(const Request& request);
  Result<> on_resize(const Request& request);
  Result<> on_close_stdin(const Request& request);
  Result<> on_signal(const Request& request);
  Result<> on_status(const Request& request);
  Result<> on_exec(const Request& request);
  Result<> on_shutdown(const Request& request);
  Result<Held*> find_held(const Request& request);
  Result<> start_exec(const Request& request, Exec& exec);
  void reply_ok(const Requester& requester);
  void reply_error(const Requester& requester, const Error& error, std::string_view stage = {});
  void reply_started(const Held& held);

  // start.cpp
  Result<> prepare(const Requester& requester);
  void launch();
  Result<> try_launch();
  void fail_start(std::string_view stage, Error error);
  Error explain(Held& held, Error error);
  void finish_call(Held& held, Exec* exec, int status);

  // shim.cpp
  void take_turn(const sigset_t& waiting);
  void add_interest(Held& held);
  void handle(Held& held, std::string_view exec_id);
  int timeout() const;
  void watch_time();
  void reap();
  void on_child(pid_t pid, int status);
  void end_container(int status);
  void end_exec(Exec& exec, int status);
  void report_exec_end(const Exec& exec);
  bool calls_runtime() const;
  bool is_live(const Held& held) const { return held.pid > 0; }
  bool may_leave();

  // A child that ended before its runtime had named it.
  struct Orphan {
    pid_t pid;
    int status;
    Orphan* next = nullptr;
  };

  Conf& conf_;
  State state_ = State::kCreated;
  Control control_;
  Namespaces namespaces_;
  LogWriter log_;
  Held container_;
  List<Exec> execs_;
  List<Orphan> orphans_;
  std::uint64_t calls_ = 0;
  PollSet set_;
  bool leaving_ = false;
  bool untidy_ = false;      // scratch memory has been used since it was last released
  timespec leave_before_{};  // in state exited
};

}  // namespace berth::shim
