#include "engine/health_monitor.h"

#include <sys/socket.h>

#include <array>

#include "async/fd.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/exec.h"
#include "engine/health.h"

namespace berth::engine {

void HealthMonitor::begin() {
  if (!has_check(container_.spec_.health)) {
    container_.status_.health.reset();
    return;
  }
  // What the last run's checks said stays to be looked at.
  HealthStatus& health = container_.status_.health ? *container_.status_.health : container_.status_.health.emplace();
  health.state = "starting";
  health.failing_streak = 0;
  resume();
}

void HealthMonitor::resume() {
  if (!has_check(container_.spec_.health) || !container_.status_.health) return;
  watch_ = ++watches_;
  container_.tasks_.spawn("health of " + container_.id(), watch(watch_));
}

void HealthMonitor::pause() {
  watch_ = 0;
  stopped_.notify_all();
}

void HealthMonitor::end() {
  pause();
  if (container_.status_.health) container_.status_.health->state = "unhealthy";
}

async::Task<> HealthMonitor::watch(std::uint64_t watch) {
  auto self = container_.shared_from_this();
  while (watch_ == watch) {
    auto wait =
        health_interval(*container_.spec_.health, *container_.status_.health, container_.status_.started_at, now());
    co_await stopped_.wait_for(wait);
    if (watch_ != watch || co_await async::cancelled()) co_return;
    HealthProbe result = co_await probe();
    if (watch_ != watch || !container_.running() || container_.finishing_) co_return;
    note(std::move(result));
  }
}

void HealthMonitor::note(HealthProbe result) {
  ContainerStatus& status = container_.status_;
  bool changed = note_probe(*container_.spec_.health, status.started_at, std::move(result), *status.health);
  crash_point("health.noted");
  if (auto saved = container_.save_status(); !saved)
    log::error("health not saved", {{"container", container_.id()}, {"error", saved.error().text()}});
  if (changed) container_.publish("health_status: " + status.health->state);
}

namespace {

std::vector<std::string> command_of(const ContainerSpec& spec) {
  const std::vector<std::string>& test = spec.health->test;
  std::vector<std::string> command(test.begin() + 1, test.end());
  if (test.front() == "CMD") return command;
  std::vector<std::string> shell = spec.shell;
  if (shell.empty()) shell = {"/bin/sh", "-c"};
  shell.insert(shell.end(), command.begin(), command.end());
  return shell;
}

std::string seconds_text(std::chrono::nanoseconds duration) {
  double seconds = std::chrono::duration<double>(duration).count();
  return seconds < 1 ? fmt::format("{:g}ms", seconds * 1000) : fmt::format("{:g}s", seconds);
}

}  // namespace

async::Task<HealthProbe> HealthMonitor::probe() {
  HealthProbe result{now(), {}, -1, {}};
  ExecSpec spec;
  spec.process.args = command_of(container_.spec_);
  spec.attach_stdout = spec.attach_stderr = spec.plain_output = true;
  Engine& engine = container_.engine_;
  auto exec = engine.create_exec(container_.shared_from_this(), std::move(spec));
  int ends[2];
  if (!exec || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    result.output = exec ? "no descriptor is left" : exec.error().text();
    result.end = now();
    co_return result;
  }
  auto output = std::make_shared<std::string>();
  container_.tasks_.spawn("health output of " + container_.id(), collect_output(sys::UniqueFd(ends[0]), output));
  auto started = co_await (*exec)->start(sys::UniqueFd(ends[1]), "", false);
  auto limit = health_timeout(*container_.spec_.health);
  if (!started) {
    result.output = started.error().text();
  } else if (co_await wait_for_end(*exec, limit)) {
    result.exit_code = (*exec)->exit_code().value_or(-1);
    result.output = *output;
  } else {
    (void)co_await (*exec)->kill();
    result.output = fmt::format("Health check exceeded timeout ({})", seconds_text(limit));
    if (!output->empty()) result.output += ": " + *output;
  }
  engine.forget_exec((*exec)->id());
  result.end = now();
  co_return result;
}

// True when it has ended within the limit.
async::Task<bool> HealthMonitor::wait_for_end(std::shared_ptr<Exec> exec, std::chrono::nanoseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (exec->running()) {
    auto left = end - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds::zero()) co_return false;
    co_await container_.changes_.wait_for(left);
    if (co_await async::cancelled()) co_return false;
  }
  co_return true;
}

// What comes beyond the limit is read and thrown away: a check that talks much must not stand still for it.
async::Task<> HealthMonitor::collect_output(sys::UniqueFd stream, std::shared_ptr<std::string> output) {
  auto self = container_.shared_from_this();
  async::Fd fd(loop_, std::move(stream));
  std::array<char, 4096> buffer;
  bool cut = false;
  while (true) {
    auto got = co_await fd.read_some(buffer);
    if (!got || *got == 0) co_return;
    if (cut) continue;
    output->append(buffer.data(), *got);
    if (output->size() <= kHealthOutputMost) continue;
    output->resize(kHealthOutputMost);
    *output += "...";
    cut = true;
  }
}

}  // namespace berth::engine
