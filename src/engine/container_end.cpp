// How a container's run ends: asked to, by itself, or because its shim was lost.
#include <fcntl.h>
#include <signal.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "engine/activation.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/exec.h"
#include "engine/health_monitor.h"
#include "engine/shim_client.h"
#include "engine/signals.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr int kDefaultStopSeconds = 10;
// A killed process is gone within milliseconds, unless the kernel is stuck in a disk or network wait.

}  // namespace

async::Task<bool> Container::wait_until_ended(std::chrono::nanoseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (running()) {
    auto left = end - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds::zero()) co_return false;
    co_await changes_.wait_for(left);
  }
  co_return true;
}

async::Task<Result<void>> Container::stop_locked(std::optional<int> timeout, std::string signal) {
  if (signal.empty()) signal = spec_.stop_signal.empty() ? "SIGTERM" : spec_.stop_signal;
  CO_TRY(int number, parse_signal(signal));
  if (status_.state == State::paused) {
    (void)cgroup().thaw();
    (void)change(Change::unpause);
  }
  note_ask_to_end(SIGKILL);
  if (!running()) co_return Result<void>();
  int seconds = timeout.value_or(spec_.stop_timeout.value_or(kDefaultStopSeconds));
  auto sent = co_await signal_processes(number);
  if (sent) publish("kill", {{"signal", std::to_string(number)}});
  crash_point("stop.signalled");
  auto patience = seconds < 0 ? std::chrono::nanoseconds(std::chrono::hours(24 * 365))
                              : std::chrono::nanoseconds(std::chrono::seconds(seconds));
  if (co_await wait_until_ended(patience)) co_return Result<void>();
  publish("kill", {{"signal", std::to_string(SIGKILL)}});
  (void)co_await signal_processes(SIGKILL);
  Cgroup group = cgroup();
  (void)co_await engine_.parts_.loop.blocking([group] { return group.kill_all(); });
  if (co_await wait_until_ended(kKillWait)) co_return Result<void>();
  co_return fail(ErrorCode::timeout, "container {} did not end within {} s of SIGKILL", id(), kKillWait.count());
}

async::Task<> Container::release_resources() {
  Cgroup group = cgroup();
  std::string run_dir = engine_.paths_.run(id());
  std::string runtime_dir = engine_.paths_.runtime_root() + "/" + id();
  auto cleared = co_await engine_.parts_.loop.blocking([group, run_dir, runtime_dir]() -> Result<void> {
    if (group.exists()) {
      (void)group.kill_all();
      TRY_OK(group.remove());
    }
    TRY_OK(fs::remove_tree(runtime_dir));
    return fs::remove_tree(run_dir);
  });
  if (!cleared) log::error("container left something behind", {{"container", id()}, {"error", cleared.error().text()}});
  for (const network::Endpoint& endpoint : endpoints()) publish_network("disconnect", endpoint);
  auto detached = co_await engine_.parts_.networks.detach(id());
  if (!detached) log::error("network not released", {{"container", id()}, {"error", detached.error().text()}});
}

// Docker's rule: any signal counts as a request to end but those that a container with a stop signal of its own may get
// besides it.
void Container::note_ask_to_end(int signal) {
  bool final = signal == SIGKILL || spec_.stop_signal.empty() || parse_signal(spec_.stop_signal).value_or(0) == signal;
  if (final) restarts_.cancel();
  status_.manually_stopped = true;
  if (status_.state == State::restarting) {
    give_up_restarting();
  } else if (auto saved = save_status(); !saved) {
    log::error("state not saved", {{"container", id()}, {"error", saved.error().text()}});
  }
}

void Container::give_up_restarting() {
  if (auto changed = change(Change::give_up); !changed)
    log::error("state not saved", {{"container", id()}, {"error", changed.error().text()}});
  restart_given_up_.notify_all();
  changes_.notify_all();
}

// The wait is not persisted: an engine that dies meanwhile leaves the state, and the next one starts the container.
async::Task<> Container::restart_after(std::chrono::nanoseconds wait, std::uint64_t run) {
  auto self = shared_from_this();
  co_await engine_.opened_.wait();
  co_await restart_given_up_.wait_for(wait);
  if (engine_.closing_) co_return;
  auto turn = co_await queue_.lock();
  if (status_.state != State::restarting || runs_ != run || engine_.closing_) co_return;
  crash_point("restart.waited");
  if (auto started = co_await start_locked(); !started)
    log::warning("not restarted", {{"container", id()}, {"error", started.error().text()}});
}

async::Task<> Container::bring_up() {
  auto self = shared_from_this();
  if (auto started = co_await start(); !started && started.error().code() != ErrorCode::not_modified)
    log::warning("not started by its restart policy", {{"container", id()}, {"error", started.error().text()}});
}

void Container::run_ends() {
  ++runs_;
  activations_->run_ended();
}

async::Task<> Container::finish(int exit_code, Time time) {
  auto self = shared_from_this();
  if (finishing_ || !running()) co_return;
  finishing_ = true;
  crash_point("exit.noticed");
  bool out_of_memory = cgroup().oom_killed();
  if (out_of_memory) publish("oom");
  co_await release_resources();
  crash_point("exit.resources-released");
  status_.exit_code = exit_code;
  status_.oom_killed = out_of_memory;
  status_.finished_at = time.is_set() ? time : now();
  status_.process = {};
  health_->end();
  for (const auto& exec : execs_running()) exec->ended(exec->exit_code().value_or(137));
  EndedRun run{exit_code, status_.manually_stopped,
               std::chrono::nanoseconds(status_.finished_at.nanoseconds - status_.started_at.nanoseconds),
               status_.restart_count};
  auto wait = restarts_.after(spec_.restart, run);
  if (wait) ++status_.restart_count;
  if (auto saved = change(wait ? Change::exit_to_restart : Change::exit); !saved)
    log::error("exit not saved", {{"container", id()}, {"error", saved.error().text()}});
  (void)sys::remove_file(engine_.paths_.exit_file(id()));
  crash_point("exit.state-written");
  finishing_ = false;
  run_ends();
  publish("die", {{"exitCode", std::to_string(exit_code)}});
  changes_.notify_all();
  if (wait) tasks_.spawn("restart " + id(), restart_after(*wait, runs_));
  if (spec_.auto_remove && !engine_.closing_) engine_.tasks_.spawn("remove " + id(), engine_.erase(self, true));
}

async::Task<> Container::shim_gone() {
  auto self = shared_from_this();
  // It may have written the status and died before it could tell.
  if (auto status = sys::read_file(engine_.paths_.exit_file(id()))) {
    ShimMessage fields{"exit", decode_shim_fields(*status), {}};
    co_await finish(static_cast<int>(fields.number("code")), Time{fields.number("time")});
    co_return;
  }
  co_await lost("its shim was killed");
}

async::Task<> Container::lost(std::string reason) {
  auto self = shared_from_this();
  if (finishing_) co_return;
  finishing_ = true;
  log::error("container lost", {{"container", id()}, {"reason", reason}});
  // Nobody holds its output any more, but it may hold data: it is asked to stop before it is killed.
  auto process =
      sys::find_process({static_cast<pid_t>(status_.process.pid), status_.process.start_time, status_.process.boot_id});
  if (process) {
    auto number = parse_signal(spec_.stop_signal.empty() ? "SIGTERM" : spec_.stop_signal);
    if (status_.state == State::paused) (void)cgroup().thaw();
    (void)process->signal(number.value_or(SIGTERM));
    int copy = ::fcntl(process->pidfd(), F_DUPFD_CLOEXEC, 0);
    auto ended = std::make_shared<async::Event>(engine_.parts_.loop);
    if (copy >= 0) tasks_.spawn("await end of " + id(), signal_when_readable(sys::UniqueFd(copy), ended));
    int seconds = spec_.stop_timeout.value_or(kDefaultStopSeconds);
    if (!co_await ended->wait_for(std::chrono::seconds(seconds))) (void)process->signal(SIGKILL);
  }
  bool out_of_memory = cgroup().oom_killed();
  co_await release_resources();
  status_.exit_code = 137;
  status_.oom_killed = out_of_memory;
  status_.error = reason;
  status_.finished_at = now();
  status_.process = {};
  health_->end();
  for (const auto& exec : execs_running()) exec->ended(137);
  if (auto saved = change(Change::shim_lost); !saved)
    log::error("state not saved", {{"container", id()}, {"error", saved.error().text()}});
  finishing_ = false;
  run_ends();
  publish("die", {{"exitCode", "137"}});
  changes_.notify_all();
}

async::Task<> Container::signal_when_readable(sys::UniqueFd fd, std::shared_ptr<async::Event> event) {
  async::Fd watched(engine_.parts_.loop, std::move(fd));
  if (co_await watched.readable()) event->set();
}

}  // namespace berth::engine
