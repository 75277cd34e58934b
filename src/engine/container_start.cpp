// Starting a container: the files that the shim reads, the shim itself, the network, the runtime's answer.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "engine/activation.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/health_monitor.h"
#include "engine/root_view.h"
#include "engine/run_files.h"
#include "engine/runtime_errors.h"
#include "engine/shim_client.h"
#include "fs/root_dir.h"
#include "fs/tree.h"
#include "network/guest_files.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

SavedProcess saved(const sys::ProcessIdentity& identity) {
  return {identity.pid, identity.start_time, identity.boot_id};
}

}  // namespace

async::Task<Result<void>> Container::start_locked() {
  if (running()) co_return fail(ErrorCode::not_modified, "container {} is already running", id());
  if (status_.state == State::dead)
    co_return fail(ErrorCode::conflict, "container {} is marked for removal and cannot be started", id());
  // The last run's shim may still be handing its last output to a slow reader.
  if (auto old = std::exchange(shim_, nullptr); old && !old->closed()) {
    (void)co_await old->request("shutdown", {});
    while (!old->closed()) co_await changes_.wait_for(std::chrono::milliseconds(20));
  }
  status_.error.clear();
  status_.exit_code = 0;
  status_.oom_killed = false;
  status_.process = {};
  status_.shim = {};
  engine_.expect_process();
  CO_TRY_OK(change(Change::start));
  crash_point("start.state-written");
  auto launched = co_await launch();
  if (launched) {
    crash_point("start.done");
    co_return Result<void>();
  }
  pending_attaches_.clear();
  co_await release_resources();
  status_.error = launched.error().text();
  status_.exit_code = start_failure_exit_code(status_.error);
  (void)change(status_.finished_at.is_set() ? Change::start_failed : Change::never_started);
  changes_.notify_all();
  if (spec_.auto_remove) engine_.tasks_.spawn("remove " + id(), engine_.erase(shared_from_this(), true));
  co_return launched;
}

async::Task<Result<void>> Container::launch() {
  async::Loop& loop = engine_.parts_.loop;
  auto image_layers = layers();
  CO_TRY(Runtime runtime, engine_.runtimes_.get(spec_.runtime));
  CO_TRY(RunFiles files, make_run_files(engine_, *this, runtime, image_layers));
  CO_TRY(std::shared_ptr<ShimClient> shim,
         ShimClient::spawn(loop, engine_.config_.libexec_dir + "/berth-shim", files.shim_conf, runtime));
  shim_ = shim;
  auto netns = std::make_shared<sys::UniqueFd>();
  auto netns_came = std::make_shared<async::Event>(loop);
  tasks_.spawn("shim of " + id(), watch_shim(shim, netns, netns_came));
  if (auto identity = sys::identify(shim->process().pid())) status_.shim = saved(*identity);
  CO_TRY_OK(save_status());
  crash_point("start.shim-spawned");
  CO_TRY_OK(co_await hand_over_attaches(shim));

  // The time from before the program runs: clients ask for the logs since then, and its first line must be among them.
  Time begun = now();
  // The start request is answered when the runtime has come back; the network is set up in between.
  auto answer = std::make_shared<std::optional<Result<ShimMessage>>>();
  auto answered = std::make_shared<async::Event>(loop);
  tasks_.spawn("start " + id(), request_start(shim, answer, answered, netns_came));
  if (has_own_network(spec_)) {
    co_await netns_came->wait();
    if (netns->valid()) {
      auto connected = co_await attach_networks(std::move(*netns));
      if (!connected) {
        (void)shim->process().signal(SIGKILL);
        co_await answered->wait();
        co_return std::unexpected(std::move(connected).error().with("failed to set up container networking"));
      }
      crash_point("start.network-attached");
      begun = now();
      ShimFields none;
      (void)co_await shim->request("network-ready", std::move(none));
    }
  }
  while (!answered->is_set()) co_await answered->wait();
  Result<ShimMessage>& reply = **answer;
  if (!reply) co_return std::unexpected(start_error(spec_, reply.error()));
  status_.process = {reply->number("pid"), static_cast<std::uint64_t>(reply->number("start_time")), sys::boot_id()};
  status_.started_at = begun;
  crash_point("start.running");
  // A program that ended at once may have been finished already.
  if (status_.state == State::starting) {
    health_->begin();  // its first word is saved with the state
    CO_TRY_OK(change(Change::started));
    activations_->run_started();
  }
  changes_.notify_all();
  publish("start");
  if (auto ended = std::exchange(ended_early_, std::nullopt)) co_await finish(ended->first, ended->second);
  co_return Result<void>();
}

async::Task<> Container::request_start(std::shared_ptr<ShimClient> shim,
                                       std::shared_ptr<std::optional<Result<ShimMessage>>> answer,
                                       std::shared_ptr<async::Event> answered,
                                       std::shared_ptr<async::Event> netns_came) {
  ShimFields none;
  auto reply = co_await shim->request("start", std::move(none));
  answer->emplace(std::move(reply));
  answered->set();
  // A shim that failed before its network namespace was made will not send one.
  netns_came->set();
}

async::Task<> Container::watch_shim(std::shared_ptr<ShimClient> shim, std::shared_ptr<sys::UniqueFd> netns,
                                    std::shared_ptr<async::Event> netns_came) {
  auto self = shared_from_this();
  co_await shim->run([this, netns, netns_came](ShimMessage event) {
    if (event.verb == "netns" && !event.fds.empty()) {
      *netns = std::move(event.fds.front());
      netns_came->set();
    } else if (event.verb == "exit") {
      int code = static_cast<int>(event.number("code"));
      Time time{event.number("time")};
      if (status_.state == State::starting)
        ended_early_.emplace(code, time);
      else
        tasks_.spawn("finish " + id(), finish(code, time));
    } else if (event.verb == "detach") {
      std::string exec_id = event.get("id");
      if (exec_id.empty())
        publish("detach");
      else
        publish("exec_detach", {{"execID", exec_id}});
    } else if (event.verb == "exec-exit") {
      exec_ended(event.get("id"), static_cast<int>(event.number("code")));
    }
  });
  netns_came->set();
  // Closed: either it has told the exit and left, or it was never asked to keep a container, or it was killed.
  if (shim_ == shim && running() && !finishing_) co_await shim_gone();
  changes_.notify_all();
}

}  // namespace berth::engine
