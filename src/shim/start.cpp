// The start of a container: namespaces and mounts, the engine's turn at the network, then the runtime.
#include <errno.h>
#include <sys/wait.h>

#include "shim/mounts.h"
#include "shim/shim.h"

namespace berth::shim {

Result<> Shim::prepare(const Requester& requester) {
  container_.starter = requester;
  unlink(conf_.exit_file.c_str());
  SHIM_TRY(enter_private_mounts(conf_));
  Result<Namespaces> made = make_namespaces(conf_);
  if (!made) return std::unexpected(std::move(made).error());
  namespaces_ = std::move(*made);
  if (conf_.private_netns) {
    // Before the mounts: the engine's work on the network goes on beside them.
    Buffer message;
    add_verb(message, event::kNetns);
    control_.send(requester.connection, message, namespaces_.net.get());
  }
  return mount_container(conf_, namespaces_.user.get());
}

void Shim::launch() {
  state_ = State::kStarting;
  if (Result<> launched = try_launch(); !launched) fail_start("runtime", std::move(launched).error());
}

Result<> Shim::try_launch() {
  SHIM_TRY(write_runtime_config(conf_, namespaces_));
  if (conf_.log) SHIM_TRY(log_.open(concat(conf_.log_path), conf_.log_max_size, conf_.log_max_files));
  container_.io.configure(conf_.log ? &log_ : nullptr, conf_.stdin_once);
  ProcessIo::ChildEnds ends;
  SHIM_TRY(conf_.tty ? container_.io.make_runtime_ends(ends)
                     : container_.io.make_pipes(conf_.open_stdin, true, conf_.userns_base, ends));
  Call call{.pid_file = concat(conf_.pid_file), .log_file = concat(conf_.bundle, "/runtime.log"), .tty = conf_.tty};
  call.number = ++calls_;
  return container_.call.start(conf_, std::move(call), ends);
}

void Shim::fail_start(std::string_view stage, Error error) {
  reply_error(container_.starter, error, stage);
  leaving_ = true;
}

Error Shim::explain(Held& held, Error error) {
  if (!error.message.empty()) return error;
  Buffer complaint = held.io.take_complaint();
  if (complaint.empty()) return std::move(fail(0, conf_.runtime, " failed and said nothing")).error();
  return std::move(fail(0, conf_.runtime, " failed: ", complaint)).error();
}

void Shim::finish_call(Held& held, Exec* exec, int status) {
  Result<RuntimeCall::Outcome> outcome = held.call.finish(conf_, status);
  if (exec == nullptr) namespaces_ = {};
  if (!outcome) {
    Error error = explain(held, std::move(outcome).error());
    if (exec == nullptr) return fail_start("runtime", std::move(error));
    reply_error(held.starter, error);
    exec->io.leave_streams();
    exec->ended = true;  // and its streams are closed; what the runtime said on them is nobody's output
    return;
  }
  held.pid = outcome->pid;
  held.start_time = start_time_of(held.pid);
  if (outcome->terminal.valid()) held.io.use_terminal(std::move(outcome->terminal));
  if (exec == nullptr) state_ = State::kRunning;
  reply_started(held);
  if (const Orphan* orphan = orphans_.find_if([&](const Orphan& one) { return one.pid == held.pid; })) {
    on_child(orphan->pid, orphan->status);
  }
}

}  // namespace berth::shim
