#include "engine/container.h"

#include <fcntl.h>
#include <signal.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/activation.h"
#include "engine/engine.h"
#include "engine/exec.h"
#include "engine/health_monitor.h"
#include "engine/process_table.h"
#include "engine/root_view.h"
#include "engine/run_files.h"
#include "engine/shim_client.h"
#include "engine/signals.h"
#include "fs/root_dir.h"
#include "sys/file.h"

namespace berth::engine {

Container::Container(Engine& engine, ContainerSpec spec, ContainerStatus status)
    : engine_(engine),
      spec_(std::move(spec)),
      status_(std::move(status)),
      queue_(engine.parts_.loop),
      changes_(engine.parts_.loop),
      activations_(std::make_unique<Activations>(engine.parts_.loop, *this)),
      health_(std::make_unique<HealthMonitor>(engine.parts_.loop, *this)),
      restart_given_up_(engine.parts_.loop),
      tasks_(engine.parts_.loop) {}

Container::~Container() = default;

std::string Container::upper_dir() const { return engine_.paths_.upper(id()); }
std::string Container::log_path() const { return engine_.paths_.log(id()); }

Result<void> Container::save_spec() const {
  return sys::replace_file(engine_.paths_.spec(id()), json::print(json::encode(spec_)), 0600);
}

Result<void> Container::save_status() const {
  return sys::overwrite_file(engine_.paths_.status(id()), json::print(json::encode(status_)), 0600);
}

Result<void> Container::change(Change change) {
  auto next = next_state(status_.state, change);
  if (!next)
    return fail(ErrorCode::internal, "container {} in state {} cannot change so", id(), state_name(status_.state));
  status_.state = *next;
  return save_status();
}

Cgroup Container::cgroup() const { return Cgroup(engine_.cgroup_layout_, cgroup_path(engine_.config_, spec_)); }

void Container::publish(std::string action, std::map<std::string, std::string> more) {
  more.insert(spec_.labels.begin(), spec_.labels.end());
  more["image"] = spec_.image;
  more["name"] = spec_.name;
  EventRecord event{"container", std::move(action), id(), std::move(more), {}};
  engine_.events_.publish(std::move(event));
}

namespace {

std::unexpected<Error> not_running(const std::string& id) {
  return fail(ErrorCode::conflict, "container {} is not running", id);
}

std::unexpected<Error> is_restarting(const std::string& id) {
  return fail(ErrorCode::conflict, "Container {} is restarting, wait until the container is running", id);
}

std::unexpected<Error> gone(const std::string& id) { return fail(ErrorCode::not_found, "No such container: {}", id); }

}  // namespace

async::Task<Result<void>> Container::start() {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return gone(id());
  co_return co_await start_afresh();
}

// Started by somebody: what its restart policy remembers of earlier runs is over.
async::Task<Result<void>> Container::start_afresh() {
  if (active()) co_return fail(ErrorCode::not_modified, "container {} is already running", id());
  restarts_.reset();
  status_.restart_count = 0;
  status_.manually_stopped = false;
  co_return co_await start_locked();
}

async::Task<Result<void>> Container::stop(std::optional<int> timeout, std::string signal) {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return gone(id());
  if (!active()) co_return fail(ErrorCode::not_modified, "container {} is not running", id());
  CO_TRY_OK(co_await stop_locked(timeout, std::move(signal)));
  publish("stop");
  co_return Result<void>();
}

async::Task<Result<void>> Container::restart(std::optional<int> timeout, std::string signal) {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return gone(id());
  if (active()) CO_TRY_OK(co_await stop_locked(timeout, std::move(signal)));
  CO_TRY_OK(co_await start_afresh());
  publish("restart");
  co_return Result<void>();
}

async::Task<Result<void>> Container::kill(std::string signal, std::string as_asked) {
  auto self = shared_from_this();
  // Beside the queue: a kill must reach a container whose stop is waiting for its timeout.
  if (removed_) co_return gone(as_asked);
  auto frame = [&](Result<void> result) { return annotate(std::move(result), "cannot kill container: {}", as_asked); };
  auto number = parse_signal(signal);
  if (!number) co_return frame(std::unexpected(std::move(number).error()));
  if (status_.state == State::restarting) {
    // There is no process; that it is not started again is what was meant.
    note_ask_to_end(*number);
    co_return Result<void>();
  }
  if (!running() || !shim_) co_return frame(not_running(id()));
  note_ask_to_end(*number);
  auto sent = co_await signal_processes(*number);
  if (!sent) co_return frame(std::move(sent));
  publish("kill", {{"signal", std::to_string(*number)}});
  if (*number == SIGKILL && status_.state == State::running) (void)co_await wait_until_ended(kKillWait);
  co_return Result<void>();
}

async::Task<Result<void>> Container::signal_processes(int number) {
  auto shim = shim_;
  if (!shim) co_return not_running(id());
  ShimFields fields{{"signal", std::to_string(number)}};
  auto sent = co_await shim->request("signal", std::move(fields));
  if (!sent) co_return not_running(id());
  // A frozen process takes a signal when it is thawed; SIGKILL must not wait for that.
  if (number == SIGKILL && status_.state == State::paused) (void)cgroup().thaw();
  co_return Result<void>();
}

async::Task<Result<void>> Container::pause() {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return gone(id());
  if (status_.state == State::paused) co_return fail(ErrorCode::conflict, "Container {} is already paused", id());
  if (status_.state == State::restarting) co_return is_restarting(id());
  if (status_.state != State::running) co_return not_running(id());
  Cgroup group = cgroup();
  CO_TRY_OK(co_await engine_.parts_.loop.blocking([group] { return group.freeze(); }));
  if (status_.state != State::running) co_return not_running(id());
  health_->pause();
  CO_TRY_OK(change(Change::pause));
  publish("pause");
  co_return Result<void>();
}

async::Task<Result<void>> Container::unpause() {
  auto self = shared_from_this();
  auto turn = co_await queue_.lock();
  if (removed_) co_return gone(id());
  if (status_.state != State::paused) co_return fail(ErrorCode::internal, "Container {} is not paused", id());
  Cgroup group = cgroup();
  CO_TRY_OK(co_await engine_.parts_.loop.blocking([group] { return group.thaw(); }));
  if (status_.state != State::paused) co_return not_running(id());
  CO_TRY_OK(change(Change::unpause));
  health_->resume();
  publish("unpause");
  co_return Result<void>();
}

async::Task<Result<WaitResult>> Container::wait(WaitCondition condition) {
  auto self = shared_from_this();
  std::uint64_t runs = runs_;
  auto done = [&] {
    switch (condition) {
      case WaitCondition::not_running:
        return runs_ != runs || (!active() && status_.state != State::starting);
      case WaitCondition::next_exit:
        return runs_ != runs || removed_;
      case WaitCondition::removed:
        return removed_;
    }
    return true;
  };
  while (!done()) {
    co_await changes_.wait();
    if (!done() && co_await async::cancelled()) co_return fail(ErrorCode::cancelled, "wait: cancelled");
  }
  co_return WaitResult{status_.exit_code, status_.error};
}

namespace {

// ctrl-p ctrl-q
constexpr std::string_view kDetachKeys = "\x10\x11";

ShimFields attach_fields(const std::string& already_read, const AttachOptions& options, bool framed) {
  ShimFields fields{{"stdin", options.stdin_ ? "1" : "0"},
                    {"stdout", options.stdout_ ? "1" : "0"},
                    {"stderr", options.stderr_ ? "1" : "0"},
                    {"framed", framed ? "1" : "0"}};
  if (!already_read.empty()) fields.emplace_back("already_read_hex", to_hex(already_read));
  fields.emplace_back("detach_keys_hex",
                      to_hex(options.detach_keys.empty() ? kDetachKeys : std::string_view(options.detach_keys)));
  return fields;
}

}  // namespace

async::Task<Result<void>> Container::attach(sys::UniqueFd stream, std::string already_read, AttachOptions options) {
  auto self = shared_from_this();
  if (removed_) co_return gone(id());
  if (!running() || !shim_) {
    // Closes with the container if it is never started.
    pending_attaches_.push_back({std::move(stream), std::move(already_read), options});
    co_return Result<void>();
  }
  std::vector<sys::UniqueFd> fds;
  fds.push_back(std::move(stream));
  ShimFields fields = attach_fields(already_read, options, !spec_.process.tty && !options.plain);
  auto reply = co_await shim_->request("attach", std::move(fields), std::move(fds));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  publish("attach");
  co_return Result<void>();
}

async::Task<Result<void>> Container::hand_over_attaches(std::shared_ptr<ShimClient> shim) {
  auto waiting = std::exchange(pending_attaches_, {});
  for (PendingAttach& attach : waiting) {
    std::vector<sys::UniqueFd> fds;
    fds.push_back(std::move(attach.stream));
    bool framed = !spec_.process.tty && !attach.options.plain;
    ShimFields fields = attach_fields(attach.already_read, attach.options, framed);
    auto reply = co_await shim->request("attach", std::move(fields), std::move(fds));
    if (!reply) co_return std::unexpected(std::move(reply).error());
  }
  co_return Result<void>();
}

async::Task<Result<void>> Container::resize(int rows, int columns) {
  auto self = shared_from_this();
  if (!running() || !shim_) co_return not_running(id());
  ShimFields fields{{"rows", std::to_string(rows)}, {"cols", std::to_string(columns)}};
  auto reply = co_await shim_->request("resize", std::move(fields));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  publish("resize", {{"height", std::to_string(rows)}, {"width", std::to_string(columns)}});
  co_return Result<void>();
}

Result<CgroupStats> Container::stats() const {
  if (!running()) return not_running(id());
  return cgroup().stats();
}

const MountSpec* Container::mount_over(std::string& path) const {
  const MountSpec* deepest = nullptr;
  std::string clean = fs::clean_path(path) + "/";
  std::size_t length = 0;
  for (const MountSpec& mount : spec_.mounts) {
    std::string target = fs::clean_path(mount.target) + "/";
    if (!clean.starts_with(target) || target.size() <= length) continue;
    deepest = &mount;
    length = target.size();
  }
  if (deepest != nullptr) path = "/" + fs::clean_path(clean.substr(length));
  return deepest;
}

Result<sys::UniqueFd> Container::open_mount(const MountSpec& mount) const {
  std::string source = mount.source;
  if (mount.type == "volume") {
    TRY(volume::Volume volume, engine_.parts_.volumes.find(mount.source));
    source = volume.mountpoint;
    if (!mount.subpath.empty()) {
      TRY(fs::RootDir root, fs::RootDir::open_host(source));
      return root.open(mount.subpath, O_RDONLY | O_DIRECTORY);
    }
  } else if (mount.type != "bind") {
    return sys::UniqueFd();
  }
  auto directory = sys::open_file(source, O_RDONLY | O_DIRECTORY);
  bool none = !directory && (directory.error().errno_value() == ENOTDIR || directory.error().errno_value() == ENOENT);
  if (none && mount.type == "bind") return sys::UniqueFd();
  return directory;
}

async::Task<Result<Container::RootHandle>> Container::open_root(std::string path, bool writable) {
  auto self = shared_from_this();
  RootHandle handle;
  handle.path = path;
  if (running()) {
    CO_TRY(handle.root, sys::open_file(fmt::format("/proc/{}/root", status_.process.pid), O_RDONLY | O_DIRECTORY));
    handle.id_shift = spec_.userns_base;
    co_return handle;
  }
  handle.hold = co_await queue_.lock();
  if (removed_) co_return gone(id());
  if (running()) {
    handle.hold.unlock();
    co_return co_await open_root(std::move(path), writable);
  }
  if (const MountSpec* mount = mount_over(path)) {
    if (writable && mount->read_only) co_return fail(ErrorCode::denied, "mounted volume is marked read-only");
    CO_TRY(handle.root, open_mount(*mount));
    if (handle.root) {
      handle.path = std::move(path);
      co_return handle;
    }
  }
  CO_TRY(handle.root, open_root_view(layers(), upper_dir(), writable));
  co_return handle;
}

async::Task<Result<ProcessTable>> Container::top(std::string ps_arguments) {
  auto self = shared_from_this();
  if (!running()) co_return not_running(id());
  Cgroup group = cgroup();
  CO_TRY(std::vector<int> pids, group.processes());
  co_return co_await engine_.parts_.loop.blocking([pids, ps_arguments] { return list_processes(pids, ps_arguments); });
}

std::vector<std::string> Container::layers() const {
  auto digest = oci::Digest::parse(spec_.image_id);
  if (!digest) return {};
  auto image = engine_.parts_.images.find_held(*digest);
  return image ? (*image)->layers : std::vector<std::string>();
}

std::vector<int> Container::active_connections() const { return activations_->counts(); }

}  // namespace berth::engine
