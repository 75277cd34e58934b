#include "shim/shim.h"

#include <errno.h>
#include <sys/wait.h>

#include <algorithm>

#include "shim/scratch.h"

namespace berth::shim {

namespace {

// How long streams may take, after the container's end, to read the last of the output.
constexpr int kFlushSeconds = 10;
// After this long a quiet time the scratch memory is given back.
constexpr int kTidyAfterMs = 1000;

int milliseconds_until(const timespec& moment) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const long left = (moment.tv_sec - now.tv_sec) * 1000 + (moment.tv_nsec - now.tv_nsec) / 1'000'000 + 1;
  return static_cast<int>(std::max(left, 0L));
}

void set_exit(Held& held, int status) {
  held.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  held.code = WIFSIGNALED(status) ? 128 + held.signal : WEXITSTATUS(status);
  held.pid = -1;
  held.ended = true;
}

void add_exit(Buffer& message, const Held& held) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  add_field(message, "code", held.code);
  add_field(message, "signal", held.signal);
  add_field(message, "time",
            static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec));
}

void write_or_complain(Buffer& path, const Buffer& content) {
  const Result<> written = write_file_atomically(path, content.view());
  if (written) return;
  const Buffer line = concat("berth-shim: ", written.error().message, "\n");
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.view().data(), line.size());
}

}  // namespace

std::string_view Shim::state_name(State state) {
  switch (state) {
    case State::kCreated:
      return "created";
    case State::kNetwork:
      return "network";
    case State::kStarting:
      return "starting";
    case State::kRunning:
      return "running";
    case State::kExited:
      return "exited";
  }
  return "unknown";
}

Result<> Shim::open(Fd control) {
  container_.io.resize(conf_.rows, conf_.cols);
  return control_.open(std::move(control), concat(conf_.control_socket));
}

void Shim::run(const sigset_t& waiting) {
  while (!leaving_) take_turn(waiting);
  if (!container_.ended) kill_children();
  control_.close();
}

void Shim::take_turn(const sigset_t& waiting) {
  set_.clear();
  control_.add_interest(set_);
  add_interest(container_);
  for (Exec& exec : execs_) add_interest(exec);
  if (set_.wait(timeout(), waiting) != PollSet::Woken::kTimeout) {
    untidy_ = true;
  } else if (std::exchange(untidy_, false)) {
    scratch::release();
  }
  control_.handle(set_, *this);
  handle(container_, "");
  for (Exec& exec : execs_) handle(exec, exec.id.view());
  reap();
  watch_time();
  if (conf_.log && is_live(container_)) log_.flush();
  execs_.remove_if([](Exec& exec) { return exec.ended && exec.io.drop_flushed(); });
  if (may_leave()) leaving_ = true;
}

void Shim::add_interest(Held& held) {
  held.io.add_interest(set_, held.pid > 0);
  held.call.add_interest(set_);
}

void Shim::handle(Held& held, std::string_view exec_id) {
  held.io.handle(set_);
  for (int left = held.io.take_detached(); left > 0; --left) {
    Buffer message;
    add_verb(message, event::kDetach);
    add_field(message, "id", exec_id);
    control_.send_to_all(message);
  }
  if (Fd terminal = held.call.take_terminal(set_); terminal.valid()) held.io.use_terminal(std::move(terminal));
}

// Milliseconds that this turn may wait; -1 without end.
int Shim::timeout() const {
  int wait = untidy_ ? kTidyAfterMs : -1;
  const auto at_most = [&wait](int limit) { wait = wait < 0 ? limit : std::min(wait, limit); };
  if (container_.call.is_running()) at_most(container_.call.time_left());
  for (const Exec& exec : execs_) {
    if (exec.call.is_running()) at_most(exec.call.time_left());
  }
  if (state_ == State::kExited) at_most(milliseconds_until(leave_before_));
  return wait;
}

void Shim::watch_time() {
  if (container_.call.is_running() && container_.call.time_left() == 0) container_.call.kill_overdue();
  for (Exec& exec : execs_) {
    if (exec.call.is_running() && exec.call.time_left() == 0) exec.call.kill_overdue();
  }
}

bool Shim::calls_runtime() const {
  return container_.call.is_running() ||
         execs_.find_if([](const Exec& exec) { return exec.call.is_running(); }) != nullptr;
}

void Shim::reap() {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) on_child(pid, status);
  if (!calls_runtime()) orphans_.remove_if([](const Orphan&) { return true; });
}

// A runtime, a held process, or an orphan of the container that fell to this subreaper. A process that ends at once
// may be reaped before the runtime that made it, whose pid file would have told who it is: hence the orphans.
void Shim::on_child(pid_t pid, int status) {
  if (pid == container_.call.pid()) return finish_call(container_, nullptr, status);
  if (pid == container_.pid) return end_container(status);
  for (Exec& exec : execs_) {
    if (pid == exec.call.pid()) return finish_call(exec, &exec, status);
    if (pid == exec.pid) return end_exec(exec, status);
  }
  if (calls_runtime()) orphans_.add(new Orphan{pid, status});
}

void Shim::end_container(int status) {
  set_exit(container_, status);
  state_ = State::kExited;
  clock_gettime(CLOCK_MONOTONIC, &leave_before_);
  leave_before_.tv_sec += kFlushSeconds;
  container_.io.end();
  if (conf_.log) log_.finish();
  Buffer exit;
  add_exit(exit, container_);
  write_or_complain(conf_.exit_file, exit);
  Buffer message;
  add_verb(message, event::kExit);
  message.append(exit);
  control_.send_to_all(message);
}

void Shim::end_exec(Exec& exec, int status) {
  set_exit(exec, status);
  exec.io.end();
  Buffer exit;
  add_exit(exit, exec);
  const std::string_view exit_file = conf_.exit_file.view();
  const std::string_view directory = exit_file.substr(0, exit_file.rfind('/') + 1);
  Buffer path = concat(directory, "exec-", exec.id, ".exit");
  write_or_complain(path, exit);
  Buffer message;
  add_verb(message, event::kExecExit);
  add_field(message, "id", exec.id);
  message.append(exit);
  control_.send_to_all(message);
}

bool Shim::may_leave() {
  const bool started = state_ != State::kCreated && state_ != State::kNetwork;
  if (!started) return !control_.is_connected();
  if (state_ != State::kExited) return false;
  if (milliseconds_until(leave_before_) == 0) return true;
  return container_.io.drop_flushed() && execs_.empty() && !calls_runtime();
}

}  // namespace berth::shim
