// Opening an engine over what an earlier one left: every container is found again, finished or undone, and what nobody
// claims is swept away, if it is ours by name.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/activation.h"
#include "engine/engine.h"
#include "engine/health_monitor.h"
#include "engine/networks.h"
#include "engine/runtime_trial.h"
#include "engine/shim_client.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

// Two engines over one state would undo each other's work.
Result<sys::UniqueFd> take_lock(const std::string& path) {
  TRY(sys::UniqueFd lock, sys::open_file(path, O_RDWR | O_CREAT, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) < 0)
    return fail(ErrorCode::busy, "another engine is running: it holds {}", path);
  return lock;
}

std::string find_init() {
  for (const char* path : {"/usr/bin/catatonit", "/usr/libexec/podman/catatonit", "/usr/bin/tini-static"})
    if (sys::exists(path)) return path;
  return {};
}

}  // namespace

async::Task<Result<std::unique_ptr<Engine>>> Engine::open(EngineConfig config, Parts parts) {
  if (config.init_program.empty()) config.init_program = find_init();
  CO_TRY(CgroupLayout layout, CgroupLayout::detect());
  CO_TRY(Runtimes runtimes, Runtimes::find(config.runtimes, config.default_runtime));
  std::unique_ptr<Engine> engine(new Engine(std::move(config), parts, std::move(runtimes), std::move(layout)));
  engine->watch_images();
  const Paths& paths = engine->paths_;
  CO_TRY_OK(sys::ensure_directories(paths.containers(), 0711));
  // What a container writes shall not stand where a removed one has just been.
  fs::spread_children(paths.containers());
  CO_TRY_OK(sys::ensure_directories(paths.runs(), 0711));
  CO_TRY_OK(sys::ensure_directories(paths.runtime_root(), 0700));
  CO_TRY(engine->lock_, take_lock(paths.lock()));
  CO_TRY_OK(co_await engine->choose_runtime());
  CO_TRY_OK(co_await engine->recover());
  co_return engine;
}

void Engine::watch_images() {
  parts_.images.set_users([this](const oci::Digest& id) {
    std::vector<image::ImageUser> users;
    for (const auto& container : using_image(id.text())) users.push_back({container->id(), container->running()});
    return users;
  });
  parts_.images.set_events([this](std::string_view action, const oci::Digest& id, const std::string& name) {
    EventRecord event{"image", std::string(action), id.text(), {{"name", name}}, {}};
    events_.publish(std::move(event));
  });
}

async::Task<Result<void>> Engine::choose_runtime() {
  // A runtime that the operator named is taken at his word.
  if (!config_.default_runtime.empty()) co_return Result<void>();
  std::string reasons;
  for (const char* name : {"crun", "runc"}) {
    auto runtime = runtimes_.get(name);
    if (!runtime) continue;
    CO_TRY(std::uint32_t base, id_ranges_.take());
    TrialPlace place{config_.state_dir, paths_, config_.libexec_dir + "/berth-shim", config_.cgroup_parent, base};
    auto worked = co_await try_runtime(parts_.loop, std::move(*runtime), std::move(place));
    id_ranges_.release(base);
    if (worked) {
      runtimes_.set_default(name);
      co_return Result<void>();
    }
    std::string reason = worked.error().text();
    log::warning("runtime does not work here", {{"runtime", name}, {"error", reason}});
    runtimes_.note_failed_trial(name, reason);
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", name, reason);
  }
  // Starting all the same: what is there can be looked at, and `berth doctor` tells what is wrong.
  log::error("no container runtime works", {{"reasons", reasons}});
  co_return Result<void>();
}

Result<std::shared_ptr<Container>> Engine::read_container(const std::string& id) {
  TRY(std::string spec_text, sys::read_file(paths_.spec(id)));
  TRY(json::Value spec_json, json::parse(spec_text));
  TRY(ContainerSpec spec, json::decode<ContainerSpec>(spec_json));
  // Written before a container could have several networks.
  if (json::find(spec_json, "networks") == nullptr) TRY_OK(complete_networks(*this, spec));
  ContainerStatus status;
  TRY(std::string status_text, sys::read_file(paths_.status(id)));
  TRY(json::Value status_json, json::parse(status_text));
  TRY(status, json::decode<ContainerStatus>(status_json));
  if (spec.id != id) return fail(ErrorCode::internal, "{} describes another container", paths_.spec(id));
  return std::make_shared<Container>(*this, std::move(spec), std::move(status));
}

async::Task<Result<void>> Engine::recover() {
  CO_TRY(std::vector<std::string> ids, sys::list_directory(paths_.containers()));
  std::vector<std::shared_ptr<Container>> half_made;
  for (const std::string& id : ids) {
    auto container = read_container(id);
    bool incomplete = sys::exists(paths_.container(id) + "/incomplete");
    if (!container) {
      // Without a readable spec nothing can be started; only a half-made one may be thrown away.
      bool half_removed = !sys::exists(paths_.upper(id));
      log::warning("container cannot be read", {{"container", id}, {"error", container.error().text()}});
      if (incomplete || half_removed) (void)fs::remove_tree(paths_.container(id));
      continue;
    }
    if ((*container)->spec().userns_size != 0) id_ranges_.mark((*container)->spec().userns_base);
    containers_[id] = *container;
    names_[(*container)->spec().name] = id;
    if (incomplete) half_made.push_back(*container);
  }
  for (auto& container : half_made) {
    forget(*container);
    co_await discard(*container);
  }
  for (auto& container : list()) {
    auto recovered = co_await container->recover();
    if (!recovered)
      log::error("container not recovered", {{"container", container->id()}, {"error", recovered.error().text()}});
  }
  for (auto& container : list()) {
    if (!container->spec().transient) continue;
    // Its build died with the engine that ran it.
    auto removed = co_await remove(container, {.force = true, .remove_volumes = true});
    if (!removed)
      log::error("container of a build not removed",
                 {{"container", container->id()}, {"error", removed.error().text()}});
  }
  co_await sweep();
  for (auto& container : list())
    if (container->running()) tasks_.spawn("networks of " + container->id(), container->restore_networks());
  if (auto names = sys::list_directory(config_.state_dir))
    for (const std::string& name : *names)
      if (name.starts_with("trial-")) (void)fs::remove_tree(config_.state_dir + "/" + name);
  start_by_policy();
  opened_.set();
  for (auto& container : list()) {
    if (container->spec().activations.empty()) continue;
    auto opened = container->activations_->open();
    if (!opened)
      log::error("activation not opened", {{"container", container->id()}, {"error", opened.error().text()}});
  }
  co_return Result<void>();
}

// What ended while no engine looked, or under the last one, and wants to run: as a Docker daemon does when it starts.
void Engine::start_by_policy() {
  for (auto& container : list()) {
    const ContainerStatus& status = container->status();
    if (status.state != State::exited || !status.started_at.is_set()) continue;
    EndedRun run{status.exit_code, status.manually_stopped, {}, status.restart_count};
    if (wants_restart(container->spec().restart, run)) tasks_.spawn("start " + container->id(), container->bring_up());
  }
}

async::Task<> Engine::sweep() {
  std::set<std::string> live;
  for (const auto& [id, container] : containers_)
    if (container->running()) live.insert(id);
  auto swept = co_await parts_.networks.sweep(live);
  if (!swept) log::error("networks not swept", {{"error", swept.error().text()}});
  auto run_dirs = sys::list_directory(paths_.runs());
  auto runtime_dirs = sys::list_directory(paths_.runtime_root());
  std::vector<std::string> cgroups = Cgroup(cgroup_layout_, config_.cgroup_parent).children();
  std::set<std::string> unclaimed;
  for (const auto* names : {run_dirs ? &*run_dirs : nullptr, runtime_dirs ? &*runtime_dirs : nullptr, &cgroups}) {
    if (names == nullptr) continue;
    for (const std::string& name : *names) {
      bool id_like = name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
      if (id_like && !live.contains(name)) unclaimed.insert(name);
    }
  }
  for (const std::string& id : unclaimed) {
    log::info("sweeping what nobody claims", {{"container", id}});
    Cgroup group(cgroup_layout_, config_.cgroup_parent + "/" + id);
    std::string run_dir = paths_.run(id), runtime_dir = paths_.runtime_root() + "/" + id;
    auto cleared = co_await parts_.loop.blocking([group, run_dir, runtime_dir]() -> Result<void> {
      if (group.exists()) {
        (void)group.kill_all();
        TRY_OK(group.remove());
      }
      TRY_OK(fs::remove_tree(runtime_dir));
      return fs::remove_tree(run_dir);
    });
    if (!cleared) log::error("not swept", {{"container", id}, {"error", cleared.error().text()}});
  }
}

async::Task<Result<void>> Container::recover() {
  auto self = shared_from_this();
  switch (status_.state) {
    case State::removing:
      co_await engine_.erase(self, spec_.auto_remove);
      co_return Result<void>();
    case State::starting:
    case State::running:
    case State::paused:
      break;
    case State::restarting:
      ++runs_;
      tasks_.spawn("restart " + id(), restart_after(std::chrono::nanoseconds(0), runs_));
      co_return Result<void>();
    case State::exited:
      // Its engine died between noting the end and removing it.
      if (spec_.auto_remove) co_await engine_.erase(self, true);
      co_return Result<void>();
    default:
      co_return Result<void>();
  }
  if (co_await adopt_shim()) co_return Result<void>();
  // No shim: it has ended and told the file, or was killed, or the machine was restarted.
  if (auto text = sys::read_file(engine_.paths_.exit_file(id()))) {
    ShimMessage fields{"exit", decode_shim_fields(*text), {}};
    if (status_.state == State::starting) CO_TRY_OK(change(Change::started));
    co_await finish(static_cast<int>(fields.number("code")), Time{fields.number("time")});
  } else if (status_.state == State::starting) {
    co_await release_resources();
    status_.error = "the engine was restarted while it was being started";
    CO_TRY_OK(change(status_.finished_at.is_set() ? Change::start_failed : Change::never_started));
  } else if (!status_.shim.boot_id.empty() && status_.shim.boot_id != sys::boot_id()) {
    constexpr int kRebooted = 255;
    co_await finish(kRebooted, now());
  } else {
    // Beside the others: it is given its stop timeout, and the engine is to answer before that.
    tasks_.spawn("lost " + id(), lost("its shim was killed"));
  }
  co_return Result<void>();
}

async::Task<bool> Container::adopt_shim() {
  std::string socket = engine_.paths_.shim_socket(id());
  auto connection = sys::connect_unix(socket, SOCK_SEQPACKET);
  if (!connection) co_return false;
  auto peer = sys::peer_credentials(connection->get());
  if (!peer) co_return false;
  auto process = sys::Process::open(peer->pid);
  if (!process) co_return false;
  auto shim = ShimClient::connect(engine_.parts_.loop, socket, std::move(*process));
  connection->reset();
  if (!shim) co_return false;
  auto netns = std::make_shared<sys::UniqueFd>();
  auto netns_came = std::make_shared<async::Event>(engine_.parts_.loop);
  ShimFields none;
  shim_ = *shim;
  tasks_.spawn("shim of " + id(), watch_shim(*shim, netns, netns_came));
  auto status = co_await (*shim)->request("status", std::move(none));
  if (!status || status->get("running") != "1") {
    if (status) (void)co_await (*shim)->request("shutdown", {});
    // A shim that has started nothing leaves when we do.
    (void)(*shim)->process().signal(SIGKILL);
    shim_.reset();
    co_return false;
  }
  status_.process = {status->number("pid"), static_cast<std::uint64_t>(status->number("start_time")), sys::boot_id()};
  if (status_.state == State::starting) {
    if (!status_.started_at.is_set()) status_.started_at = now();
    // A container whose network was not finished is not what was asked for.
    if (!change(Change::started)) co_return false;
    if (!status_.health) health_->begin();
  }
  for (const auto& [key, value] : status->fields)
    if (key == "exec") adopt_exec(value);
  // An update may have been noted and not carried out.
  ResourceSpec limits = spec_.resources;
  if (limits.pids_limit == 0) limits.pids_limit = -1;
  (void)cgroup().set_limits(limits);
  activations_->run_started();
  if (status_.state == State::running) health_->resume();
  log::info("container found again", {{"container", id()}, {"pid", status_.process.pid}});
  co_return true;
}

void Container::adopt_exec(const std::string& description) {
  auto [exec_id, pid] = split_once(description, ':');
  auto exec = std::make_shared<Exec>(shared_from_this(), std::string(exec_id), ExecSpec{});
  exec->started_ = exec->running_ = true;
  exec->pid_ = parse_number<std::int64_t>(pid.value_or("")).value_or(0);
  running_execs_[exec->id()] = exec;
  engine_.execs_[exec->id()] = exec;
  // "activation-INDEX-RANDOM" (engine/activation.cpp).
  std::vector<std::string> parts = split(exec_id, '-');
  if (parts.size() == 3 && parts[0] == "activation")
    if (auto index = parse_number<std::size_t>(parts[1])) activations_->adopt(*index, exec->id());
}

}  // namespace berth::engine
