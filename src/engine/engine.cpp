#include "engine/engine.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/activation.h"
#include "engine/defaults.h"
#include "engine/devices.h"
#include "engine/inherit.h"
#include "engine/join.h"
#include "engine/names.h"
#include "engine/networks.h"
#include "engine/root_view.h"
#include "fs/root_dir.h"
#include "fs/tree.h"
#include "oci/reference.h"
#include "sys/file.h"

namespace berth::engine {

Engine::Engine(EngineConfig config, Parts parts, Runtimes runtimes, CgroupLayout cgroup_layout)
    : config_(std::move(config)),
      parts_(parts),
      paths_(config_.state_dir, config_.run_dir),
      runtimes_(std::move(runtimes)),
      cgroup_layout_(std::move(cgroup_layout)),
      attach_window_(parts.loop, cgroup_layout_),
      id_ranges_(config_.userns_first, config_.userns_count),
      events_(parts.loop),
      opened_(parts.loop),
      tasks_(parts.loop) {}

Engine::~Engine() = default;

async::Task<> Engine::close() {
  closing_ = true;
  for (auto& [id, container] : containers_) {
    container->activations_->close();
    container->tasks_.cancel();
  }
  tasks_.cancel();
  co_await tasks_.join();
  co_await parts_.networks.close();
}

Result<void> Engine::check_name(std::string_view name) const {
  if (!is_container_name(name))
    return fail(ErrorCode::invalid, "Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
  auto taken = names_.find(name);
  if (taken != names_.end())
    return fail(
        ErrorCode::conflict,
        "Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to remove (or rename) "
        "that container to be able to reuse that name.",
        name, taken->second);
  return {};
}

namespace {

// Host namespaces mean that the container is meant to act on the host, which a user namespace would forbid.
bool wants_host_ids(const ContainerSpec& spec) {
  return spec.userns_mode == "host" || spec.privileged || spec.pid_mode == "host" || spec.ipc_mode == "host" ||
         spec.uts_mode == "host" || spec.network == network::kHostNetwork;
}

// A volume for every anonymous target, and names for the nameless.
void name_volumes(ContainerSpec& spec) {
  for (const std::string& target : spec.volumes) {
    bool mounted = spec.tmpfs.contains(target);
    for (const MountSpec& mount : spec.mounts) mounted |= fs::clean_path(mount.target) == fs::clean_path(target);
    if (mounted) continue;
    MountSpec mount;
    mount.type = "volume";
    mount.target = target;
    spec.mounts.push_back(std::move(mount));
  }
  for (MountSpec& mount : spec.mounts) {
    if (mount.type != "volume" || !mount.source.empty()) continue;
    mount.source = random_hex(32);
    mount.anonymous = true;
  }
}

}  // namespace

async::Task<Result<void>> Engine::resolve(CreateRequest& request) {
  ContainerSpec& spec = request.spec;
  if (containers_.size() >= config_.max_containers)
    co_return fail(ErrorCode::exhausted, "this engine holds {} containers already: remove some", containers_.size());
  for (int round = 0; spec.name.empty(); ++round)
    if (std::string name = random_name(round); !names_.contains(name)) spec.name = name;
  CO_TRY_OK(check_name(spec.name));
  auto image = parts_.images.find(spec.image);
  if (!image) co_return std::unexpected(std::move(image).error());
  spec.image_id = (*image)->id.text();
  spec.id = random_hex(32);
  spec.created = now();
  // Root of the host rules every namespace; other containers join only with the ids to which it belongs.
  CO_TRY_OK(adopt_joined(*this, spec, !wants_host_ids(spec)));
  CO_TRY_OK(complete(request, (*image)->config));
  auto runtime = runtimes_.get(spec.runtime);
  if (!runtime) co_return std::unexpected(std::move(runtime).error());
  CO_TRY_OK(complete_networks(*this, spec));
  // Looked for again at each start; here it is told to who asks for what is not there.
  if (auto devices = find_devices(spec); !devices) co_return std::unexpected(std::move(devices).error());
  CO_TRY_OK(inherit_volumes(*this, spec));
  name_volumes(spec);
  if (!wants_host_ids(spec) && !joins_another(spec)) {
    CO_TRY(spec.userns_base, id_ranges_.take());
    spec.userns_size = IdRanges::kSize;
  }
  co_return Result<void>();
}

void Engine::expect_process() { tasks_.spawn("attach window", attach_window_.open()); }

async::Task<Result<std::shared_ptr<Container>>> Engine::create(CreateRequest request) {
  expect_process();  // most are started at once
  CO_TRY_OK(co_await resolve(request));
  ContainerSpec& spec = request.spec;
  auto container = std::make_shared<Container>(*this, spec, ContainerStatus{});
  // The name is taken from here on; what fails below gives it back.
  containers_[spec.id] = container;
  names_[spec.name] = spec.id;
  auto built = co_await build(container);
  if (!built) {
    forget(*container);
    co_await discard(*container);
    co_return std::unexpected(std::move(built).error());
  }
  crash_point("create.done");
  container->publish("create");
  co_return container;
}

async::Task<Result<void>> Engine::build(std::shared_ptr<Container> container) {
  const ContainerSpec& spec = container->spec();
  std::string directory = paths_.container(spec.id);
  CO_TRY_OK(sys::make_directory(directory, 0711));
  // While this file is there, a later engine takes the container for half-made and removes it.
  CO_TRY_OK(sys::replace_file(directory + "/incomplete", "", 0600));
  crash_point("create.directory-made");
  CO_TRY_OK(container->save_spec());
  CO_TRY_OK(container->save_status());
  crash_point("create.spec-written");
  for (const char* name : {"/layer", "/layer/diff", "/layer/work"})
    CO_TRY_OK(sys::make_directory(directory + name, 0755));
  CO_TRY_OK(copy_root_attributes(container->layers(), directory + "/layer/diff"));
  for (const MountSpec& mount : spec.mounts) {
    if (mount.type != "volume") continue;
    volume::VolumeSpec wanted;
    wanted.name = mount.source;
    wanted.labels = mount.volume_labels;
    wanted.options = mount.volume_options;
    // Docker's mark of volumes that `volume prune` may take.
    if (mount.anonymous) wanted.labels["com.docker.volume.anonymous"] = "";
    bool existed = parts_.volumes.find(mount.source).has_value();
    auto volume = parts_.volumes.create(std::move(wanted));
    if (!volume) co_return std::unexpected(std::move(volume).error());
    if (!existed && mount.copy_up) CO_TRY_OK(co_await copy_up(container, mount));
  }
  crash_point("create.volumes-made");
  if (!spec.activations.empty()) CO_TRY_OK(container->activations_->open());
  co_return sys::remove_file(directory + "/incomplete");
}

Result<void> Engine::copy_root_attributes(const std::vector<std::string>& layers, const std::string& diff) const {
  if (layers.empty()) return {};
  struct stat status{};
  if (::stat(layers.back().c_str(), &status) < 0) return fail_errno("stat " + layers.back());
  if (::chmod(diff.c_str(), status.st_mode & 07777) < 0 || ::chown(diff.c_str(), status.st_uid, status.st_gid) < 0)
    return fail_errno("set the owner and mode of " + diff);
  return {};
}

async::Task<Result<void>> Engine::copy_up(std::shared_ptr<Container> container, MountSpec mount) {
  CO_TRY(sys::UniqueFd view, open_root_view(container->layers(), container->upper_dir(), false));
  fs::RootDir root(std::move(view));
  auto source = root.open(mount.target, O_RDONLY | O_DIRECTORY);
  // The image has nothing there, or no directory: then the volume stays empty.
  if (!source) co_return Result<void>();
  auto copied = co_await parts_.volumes.copy_up(mount.source, source->get());
  if (!copied) co_return std::unexpected(std::move(copied).error());
  co_return Result<void>();
}

void Engine::forget(const Container& container) {
  containers_.erase(container.id());
  auto name = names_.find(container.spec().name);
  if (name != names_.end() && name->second == container.id()) names_.erase(name);
  // Containers that share namespaces share the ids too.
  bool shared = std::ranges::any_of(
      containers_, [&](const auto& entry) { return entry.second->spec().userns_base == container.spec().userns_base; });
  if (container.spec().userns_size != 0 && !shared) id_ranges_.release(container.spec().userns_base);
}

async::Task<> Engine::discard(Container& container) {
  container.activations_->close();
  std::string directory = paths_.container(container.id());
  auto removed = co_await parts_.loop.blocking([directory] { return fs::remove_tree(directory); });
  if (!removed)
    log::error("container directory not removed", {{"container", container.id()}, {"error", removed.error().text()}});
  for (const MountSpec& mount : container.spec().mounts)
    if (mount.anonymous) (void)co_await parts_.volumes.remove(mount.source);
}

Result<std::shared_ptr<Container>> Engine::find(std::string_view reference) const {
  if (auto found = containers_.find(reference); found != containers_.end()) return found->second;
  std::string_view name = reference.starts_with("/") ? reference.substr(1) : reference;
  if (auto found = names_.find(name); found != names_.end()) return containers_.find(found->second)->second;
  std::shared_ptr<Container> match;
  bool hex = !reference.empty() && reference.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (hex) {
    auto first = containers_.lower_bound(reference);
    if (first != containers_.end() && first->first.starts_with(reference)) {
      match = first->second;
      auto second = std::next(first);
      if (second != containers_.end() && second->first.starts_with(reference))
        return fail(ErrorCode::invalid, "multiple IDs found with provided prefix: {}", reference);
    }
  }
  if (!match) return fail(ErrorCode::not_found, "No such container: {}", reference);
  return match;
}

std::vector<std::shared_ptr<Container>> Engine::list() const {
  std::vector<std::shared_ptr<Container>> list;
  for (const auto& [id, container] : containers_) list.push_back(container);
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a->spec().created > b->spec().created; });
  return list;
}

async::Task<Result<void>> Engine::remove(std::shared_ptr<Container> container, RemoveOptions options) {
  auto turn = co_await container->queue_.lock();
  if (container->removed()) co_return fail(ErrorCode::not_found, "No such container: {}", container->id());
  if (container->active()) {
    State state = container->status().state;
    if (!options.force) {
      bool paused = state == State::paused;
      co_return fail(ErrorCode::conflict,
                     "cannot remove container \"{}\": container is {}: {} before removing or force remove",
                     container->spec().name, state_name(state),
                     paused ? "unpause and then stop the container" : "stop the container");
    }
    std::string kill = "SIGKILL";
    auto stopped = co_await container->stop_locked(0, kill);
    if (!stopped) co_return stopped;
  }
  turn.unlock();
  co_await erase(container, options.remove_volumes || container->spec().auto_remove);
  co_return Result<void>();
}

async::Task<> Engine::erase(std::shared_ptr<Container> container, bool remove_volumes) {
  auto turn = co_await container->queue_.lock();
  if (container->removed() || container->active()) co_return;
  if (auto marked = container->change(Change::remove); !marked) {
    log::error("container not removed", {{"container", container->id()}, {"error", marked.error().text()}});
    co_return;
  }
  crash_point("remove.state-written");
  container->activations_->close();
  container->pending_attaches_.clear();
  // Before the spec, which names them, goes.
  if (remove_volumes)
    for (const MountSpec& mount : container->spec().mounts)
      if (mount.anonymous) (void)co_await parts_.volumes.remove(mount.source);
  std::string layer = container->upper_dir(), directory = paths_.container(container->id());
  auto removed = co_await parts_.loop.blocking([layer, directory]() -> Result<void> {
    TRY_OK(fs::remove_tree(layer));
    crash_point("remove.layer-removed");
    return fs::remove_tree(directory);
  });
  if (!removed)
    log::error("container directory not removed", {{"container", container->id()}, {"error", removed.error().text()}});
  crash_point("remove.done");
  forget(*container);
  container->removed_ = true;
  std::erase_if(execs_, [&](const auto& entry) { return entry.second->container() == container; });
  container->publish("destroy");
  container->changes_.notify_all();
  co_await parts_.images.collect_garbage();
}

async::Task<Result<void>> Engine::keep(std::shared_ptr<Container> container) {
  auto turn = co_await container->queue_.lock();
  if (container->removed()) co_return fail(ErrorCode::not_found, "No such container: {}", container->id());
  container->spec_.transient = false;
  co_return container->save_spec();
}

async::Task<Result<void>> Engine::rename(std::shared_ptr<Container> container, std::string name) {
  auto turn = co_await container->queue_.lock();
  if (container->removed()) co_return fail(ErrorCode::not_found, "No such container: {}", container->id());
  if (name.starts_with("/")) name.erase(0, 1);
  std::string old = container->spec().name;
  if (name == old) co_return fail(ErrorCode::invalid, "Renaming a container with the same name as its current name");
  auto free = check_name(name);
  if (!free) co_return annotate(std::move(free), "Error when allocating new name");
  container->spec_.name = name;
  if (auto saved = container->save_spec(); !saved) {
    container->spec_.name = old;
    co_return saved;
  }
  names_.erase(old);
  names_[name] = container->id();
  container->rename_endpoints();
  container->publish("rename", {{"oldName", "/" + old}});
  co_return Result<void>();
}

Result<std::shared_ptr<Exec>> Engine::create_exec(std::shared_ptr<Container> container, ExecSpec spec) {
  constexpr std::size_t kMaxExecs = 4096;
  if (container->status().state == State::paused)
    return fail(ErrorCode::conflict, "Container {} is paused, unpause the container before exec",
                container->spec().name);
  if (container->status().state == State::restarting)
    return fail(ErrorCode::conflict, "Container {} is restarting, wait until the container is running",
                container->id());
  if (!container->running()) return fail(ErrorCode::conflict, "container {} is not running", container->id());
  if (spec.process.args.empty()) return fail(ErrorCode::invalid, "No exec command specified");
  expect_process();
  // Ended ones are kept so that their exit code can be asked for; the oldest make room.
  if (execs_.size() >= kMaxExecs)
    std::erase_if(execs_, [](const auto& e) { return e.second->exit_code().has_value(); });
  if (execs_.size() >= kMaxExecs) return fail(ErrorCode::exhausted, "too many execs: {}", execs_.size());
  std::vector<std::string> env = container->spec().process.env;
  env.insert(env.end(), spec.process.env.begin(), spec.process.env.end());
  spec.process.env = std::move(env);
  if (spec.process.working_dir.empty()) spec.process.working_dir = container->spec().process.working_dir;
  if (spec.process.user.empty()) spec.process.user = container->spec().process.user;
  spec.process.groups = container->spec().process.groups;
  auto exec = std::make_shared<Exec>(std::move(container), random_hex(32), std::move(spec));
  execs_[exec->id()] = exec;
  exec->container()->publish("exec_create: " + join(exec->spec().process.args, " "), {{"execID", exec->id()}});
  return exec;
}

Result<std::shared_ptr<Exec>> Engine::find_exec(std::string_view id) const {
  auto found = execs_.find(id);
  if (found == execs_.end()) return fail(ErrorCode::not_found, "No such exec instance: {}", id);
  return found->second;
}

namespace {

template <class Matches>
std::vector<std::shared_ptr<Container>> select(const auto& containers, Matches matches) {
  std::vector<std::shared_ptr<Container>> list;
  for (const auto& [id, container] : containers)
    if (matches(container->spec())) list.push_back(container);
  return list;
}

}  // namespace

std::vector<std::shared_ptr<Container>> Engine::using_image(std::string_view image_id) const {
  return select(containers_, [&](const ContainerSpec& spec) { return spec.image_id == image_id; });
}

std::vector<std::shared_ptr<Container>> Engine::using_volume(std::string_view volume) const {
  auto users = select(containers_, [&](const ContainerSpec& spec) {
    return std::any_of(spec.mounts.begin(), spec.mounts.end(),
                       [&](const MountSpec& mount) { return mount.type == "volume" && mount.source == volume; });
  });
  // One that is being removed never uses it again.
  std::erase_if(users, [](const auto& container) { return container->status().state == State::removing; });
  return users;
}

std::vector<std::shared_ptr<Container>> Engine::using_network(std::string_view network_name) const {
  return select(containers_, [&](const ContainerSpec& spec) {
    return spec.network == network_name || std::ranges::any_of(spec.networks, [&](const AttachmentSpec& attachment) {
             return attachment.network == network_name;
           });
  });
}

}  // namespace berth::engine
