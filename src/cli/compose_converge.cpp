#include "cli/compose_converge.h"

#include <algorithm>

#include "base/text.h"
#include "cli/compose_tasks.h"
#include "cli/compose_wait.h"
#include "cli/output.h"
#include "fs/tar.h"

namespace berth::cli {

namespace {

using compose::Resource;

std::string container_path(const std::string& id, std::string_view action = "") {
  return fmt::format("/containers/{}{}", escape_path(id), action);
}

// The files as one archive from the root, with the directories that they stand in.
Result<std::string> archive_of(const std::vector<compose::InjectedFile>& files) {
  fs::StringSink sink;
  fs::tar::Writer writer(sink);
  std::set<std::string> directories;
  for (const compose::InjectedFile& file : files) {
    for (std::size_t slash = file.path.find('/', 1); slash != std::string::npos;
         slash = file.path.find('/', slash + 1)) {
      std::string directory = file.path.substr(1, slash);
      // What images have anyway keeps its mode.
      static const std::set<std::string> kKnown{"etc/", "run/", "tmp/",  "var/", "usr/",
                                                "opt/", "srv/", "home/", "root/"};
      if (kKnown.contains(directory) || !directories.insert(directory).second) continue;
      fs::tar::Entry entry;
      entry.type = fs::tar::Type::directory;
      entry.path = directory;
      entry.mode = 0755;
      TRY_OK(writer.add(entry, ""));
    }
    fs::tar::Entry entry;
    entry.path = file.path.substr(1);
    entry.mode = file.mode;
    entry.uid = file.uid;
    entry.gid = file.gid;
    entry.size = file.content.size();
    TRY_OK(writer.add(entry, file.content));
  }
  TRY_OK(writer.finish());
  return sink.take();
}

// Volumes of a container that have no name of a person's, by target.
Result<std::map<std::string, std::string>> anonymous_volumes(const EngineClient& engine, const std::string& id) {
  TRY(json::Value container, engine.get(container_path(id, "/json")));
  std::map<std::string, std::string> volumes;
  const json::Value* mounts = json::find(container, "Mounts");
  if (mounts == nullptr || !mounts->is_array()) return volumes;
  for (const json::Value& mount : mounts->get_array()) {
    std::string name = json::string_or(mount, "Name");
    bool anonymous = name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (json::string_or(mount, "Type") == "volume" && anonymous)
      volumes.emplace(json::string_or(mount, "Destination"), name);
  }
  return volumes;
}

// Whether it is there and, when it has other labels than ours, what the matter is.
Result<bool> is_network_there(const EngineClient& engine, const std::string& project, const Resource& network) {
  auto found = engine.get("/networks/" + escape_path(network.name));
  if (!found && found.error().code() != ErrorCode::not_found) return std::unexpected(std::move(found).error());
  if (!found && network.external)
    return fail(ErrorCode::not_found, "network {} declared as external, but could not be found", network.name);
  if (!found) return false;
  if (network.external) return true;
  const json::Value* labels = json::find(*found, "Labels");
  std::string owner = labels == nullptr ? "" : json::string_or(*labels, compose::kProjectLabel);
  if (owner.empty() || owner != project)
    print_error(
        fmt::format("WARN[0000] a network with name {} exists but was not created for project \"{}\".\n"
                    "Set `external: true` to use an existing network\n",
                    network.name, project));
  return true;
}

Result<bool> is_volume_there(const EngineClient& engine, const std::string& project, const Resource& volume) {
  auto found = engine.get("/volumes/" + escape_path(volume.name));
  if (!found && found.error().code() != ErrorCode::not_found) return std::unexpected(std::move(found).error());
  if (!found && volume.external) return fail(ErrorCode::not_found, "external volume \"{}\" not found", volume.name);
  if (!found) return false;
  if (volume.external) return true;
  const json::Value* labels = json::find(*found, "Labels");
  std::string owner = labels == nullptr ? "" : json::string_or(*labels, compose::kProjectLabel);
  if (owner.empty())
    print_error(
        fmt::format("WARN[0000] volume \"{}\" already exists but was not created by Docker Compose. "
                    "Use `external: true` to use an existing volume\n",
                    volume.name));
  else if (owner != project)
    print_error(
        fmt::format("WARN[0000] volume \"{}\" already exists but was created for project \"{}\" (expected "
                    "\"{}\"). Use `external: true` to use an existing volume\n",
                    volume.name, owner, project));
  return true;
}

// What a new container is called until the old one is gone: "0123456789ab_web-1".
std::string temporary_name(const ComposeContainer& old) { return fmt::format("{}_{}", old.id.substr(0, 12), old.name); }

bool is_temporary_name(std::string_view name, std::string_view final_name) {
  return name.size() == final_name.size() + 13 && name[12] == '_' && name.ends_with(final_name);
}

std::string stop_target(const std::string& id, std::optional<std::int64_t> timeout) {
  return container_path(id, "/stop") + query({{"t", timeout ? std::to_string(*timeout) : ""}});
}

}  // namespace

Result<void> stop_containers(const EngineClient& engine, const std::vector<ComposeContainer>& containers,
                             std::optional<std::int64_t> timeout) {
  return for_each_together(containers, [&](const ComposeContainer& container) -> Result<void> {
    print_step("Container", container.name, "Stopping");
    TRY_OK(engine.post(stop_target(container.id, timeout)));
    print_step("Container", container.name, "Stopped");
    return {};
  });
}

Result<void> remove_containers(const EngineClient& engine, const std::vector<ComposeContainer>& containers,
                               bool with_volumes) {
  return for_each_together(containers, [&](const ComposeContainer& container) -> Result<void> {
    print_step("Container", container.name, "Removing");
    auto removed =
        engine.remove(container_path(container.id) + query({{"force", "1"}, {"v", with_volumes ? "1" : ""}}));
    if (!removed && removed.error().code() != ErrorCode::not_found) return std::unexpected(std::move(removed).error());
    print_step("Container", container.name, "Removed");
    return {};
  });
}

Result<void> Converger::make_networks(const Words& services) {
  std::set<std::string> keys;
  for (const std::string& name : services)
    if (const json::Value* used = json::find(session_.project.services.find(name)->second.config, "networks"))
      for (const auto& network : used->get_object()) keys.emplace(network.key());
  for (const std::string& key : keys) {
    const Resource& network = session_.project.networks.find(key)->second;
    TRY(bool there, is_network_there(session_.engine, session_.project.name, network));
    if (there) continue;
    print_step("Network", network.name, "Creating");
    TRY_OK(session_.engine.post("/networks/create",
                                compose::network_request(session_.project, network, session_.version)));
    print_step("Network", network.name, "Created");
  }
  return {};
}

Result<void> Converger::make_volumes(const Words& services) {
  std::set<std::string> keys;
  for (const std::string& name : services) {
    const json::Value* mounts = json::find(session_.project.services.find(name)->second.config, "volumes");
    if (mounts == nullptr) continue;
    for (const json::Value& mount : mounts->get_array())
      if (std::string source = json::string_or(mount, "source");
          json::string_or(mount, "type") == "volume" && !source.empty())
        keys.insert(std::move(source));
  }
  for (const std::string& key : keys) {
    const Resource& volume = session_.project.volumes.find(key)->second;
    TRY(bool there, is_volume_there(session_.engine, session_.project.name, volume));
    if (there) continue;
    print_step("Volume", fmt::format("\"{}\"", volume.name), "Creating");
    TRY_OK(
        session_.engine.post("/volumes/create", compose::volume_request(session_.project, volume, session_.version)));
    print_step("Volume", fmt::format("\"{}\"", volume.name), "Created");
  }
  return {};
}

Result<void> Converger::create(const Words& services, const Words& one_offs) {
  Words all = services;
  all.insert(all.end(), one_offs.begin(), one_offs.end());
  TRY_OK(make_networks(all));
  TRY_OK(make_volumes(all));
  TRY(auto containers, list_containers(session_.engine, session_.project.name, OneOff::without));
  for (ComposeContainer& container : containers) by_service_[container.service].push_back(std::move(container));
  return in_dependency_order(session_.project, services, Direction::dependencies_first,
                             [this](const compose::Service& service) { return converge(service); });
}

bool Converger::was_recreated(const std::string& service) {
  std::lock_guard lock(mutex_);
  return recreated_.contains(service);
}

bool Converger::must_recreate(const compose::Service& service, const ComposeContainer& container) {
  using Recreate = ConvergeOptions::Recreate;
  Recreate how = options_.targets.contains(service.name) ? options_.recreate : options_.recreate_dependencies;
  if (how == Recreate::never) return false;
  if (how == Recreate::always || container.hash != compose::config_hash(session_.project, service)) return true;
  const json::Value* labels = json::find(container.summary, "Labels");
  auto image = images_.find(service.name);
  if (image != images_.end() && labels != nullptr && json::string_or(*labels, compose::kImageLabel) != image->second)
    return true;
  // Namespaces and volumes are those of one container, which may be another one now.
  for (std::string_view key : {"network_mode", "ipc", "pid"}) {
    std::string mode = json::string_or(service.config, key);
    if (mode.starts_with("service:") && was_recreated(mode.substr(8))) return true;
  }
  if (const json::Value* sources = json::find(service.config, "volumes_from"))
    for (const json::Value& source : sources->get_array())
      if (was_recreated(std::string(split_once(std::string_view(source.get_string()), ':').first))) return true;
  return false;
}

Result<void> Converger::converge(const compose::Service& service) {
  std::vector<ComposeContainer> old;
  {
    std::lock_guard lock(mutex_);
    old = by_service_[service.name];
  }
  std::ranges::stable_partition(old, [&](const ComposeContainer& container) {
    return !is_temporary_name(container.name, name_of(service, container.number));
  });
  auto scale = options_.scale.find(service.name);
  auto wanted = static_cast<std::size_t>(scale == options_.scale.end() ? service.replicas : scale->second);
  // The first ones stay; what is too much goes.
  if (old.size() > wanted) {
    std::vector<ComposeContainer> extra(old.begin() + static_cast<std::ptrdiff_t>(wanted), old.end());
    old.resize(wanted);
    std::vector<ComposeContainer> running = extra;
    std::erase_if(running, [](const ComposeContainer& container) { return !container.is_running(); });
    TRY_OK(stop_containers(session_.engine, running, options_.stop_timeout));
    TRY_OK(remove_containers(session_.engine, extra, false));
  }
  std::vector<ComposeContainer> now;
  for (ComposeContainer& container : old) {
    TRY_OK(restore_name(service, container));
    if (!must_recreate(service, container)) {
      if (container.is_running()) print_step("Container", container.name, "Running");
      now.push_back(container);
      continue;
    }
    TRY(ComposeContainer made, recreate(service, container));
    now.push_back(std::move(made));
  }
  std::set<std::int64_t> numbers;
  for (const ComposeContainer& container : now) numbers.insert(container.number);
  for (std::int64_t number = 1; now.size() < wanted; ++number) {
    if (!numbers.insert(number).second) continue;
    std::string name = name_of(service, number);
    print_step("Container", name, "Creating");
    TRY(ComposeContainer made, make(service, name, number, nullptr));
    print_step("Container", name, "Created");
    now.push_back(std::move(made));
  }
  std::lock_guard lock(mutex_);
  by_service_[service.name] = std::move(now);
  return {};
}

std::string Converger::name_of(const compose::Service& service, std::int64_t number) const {
  if (!service.container_name.empty()) return service.container_name;
  return fmt::format("{}-{}-{}", session_.project.name, service.name, number);
}

Result<void> Converger::restore_name(const compose::Service& service, ComposeContainer& container) {
  std::string name = name_of(service, container.number);
  if (!is_temporary_name(container.name, name)) return {};
  TRY_OK(session_.engine.post(container_path(container.id, "/rename") + query({{"name", name}})));
  container.name = std::move(name);
  return {};
}

void Converger::find_shared(const compose::Service& service, compose::ContainerPlan& plan) {
  std::lock_guard lock(mutex_);
  for (const compose::Dependency& dependency : service.depends_on) {
    auto found = by_service_.find(dependency.service);
    if (found == by_service_.end() || found->second.empty()) continue;
    plan.shared[dependency.service] = found->second.front().id;
    for (const ComposeContainer& container : found->second) plan.linked[dependency.service].push_back(container.name);
  }
}

Result<std::string> Converger::create_container(const std::string& name, const compose::ContainerRequest& request) {
  const EngineClient& engine = session_.engine;
  TRY(json::Value made,
      engine.post("/containers/create" + query({{"name", name}, {"platform", request.platform}}), request.body));
  if (const json::Value* warnings = json::find(made, "Warnings"); warnings != nullptr && warnings->is_array())
    for (const json::Value& warning : warnings->get_array())
      print_error(fmt::format("WARN[0000] {}\n", print_go(warning)));
  std::string id = json::string_or(made, "Id");
  auto finish = [&]() -> Result<void> {
    for (const auto& [network, endpoint] : request.networks)
      TRY_OK(engine.post(fmt::format("/networks/{}/connect", escape_path(network)),
                         json::Object{{"Container", id}, {"EndpointConfig", endpoint}}));
    if (request.files.empty()) return {};
    TRY(std::string archive, archive_of(request.files));
    http::ClientRequest put;
    put.method = "PUT";
    put.target = container_path(id, "/archive?path=%2F&copyUIDGID=1");
    put.headers.add("Content-Type", "application/x-tar");
    put.body = std::move(archive);
    TRY(auto response, engine.open_stream(std::move(put)));
    return {};
  };
  if (auto finished = finish(); !finished) {
    // Half made, it would be taken for whole by the next up.
    (void)engine.remove(container_path(id, "?force=1&v=1"));
    return std::unexpected(std::move(finished).error());
  }
  return id;
}

Result<ComposeContainer> Converger::make(const compose::Service& service, std::string name, std::int64_t number,
                                         const ComposeContainer* old) {
  compose::ContainerPlan plan;
  plan.name = name_of(service, number);
  plan.number = number;
  plan.version = session_.version;
  if (auto image = images_.find(service.name); image != images_.end()) plan.image_id = image->second;
  find_shared(service, plan);
  if (old != nullptr && !options_.renew_anonymous_volumes) {
    TRY(plan.inherited_volumes, anonymous_volumes(session_.engine, old->id));
  }
  TRY(auto request, compose::make_container_request(session_.project, service, plan));
  TRY(std::string id, create_container(name, request));
  ComposeContainer container;
  container.id = std::move(id);
  container.name = plan.name;
  container.service = service.name;
  container.number = number;
  container.state = "created";
  return container;
}

Result<ComposeContainer> Converger::recreate(const compose::Service& service, const ComposeContainer& old) {
  print_step("Container", old.name, "Recreate");
  const EngineClient& engine = session_.engine;
  TRY(ComposeContainer made, make(service, temporary_name(old), old.number, &old));
  if (old.is_running()) TRY_OK(engine.post(stop_target(old.id, options_.stop_timeout)));
  TRY_OK(engine.remove(container_path(old.id, "?force=1")));
  TRY_OK(engine.post(container_path(made.id, "/rename") + query({{"name", made.name}})));
  print_step("Container", old.name, "Recreated");
  std::lock_guard lock(mutex_);
  recreated_.insert(service.name);
  return made;
}

Result<std::string> Converger::create_one_off(const compose::Service& service, const std::string& name,
                                              bool use_aliases,
                                              const std::function<Result<void>(json::Object& body)>& adjust) {
  compose::ContainerPlan plan;
  plan.name = name;
  plan.one_off = true;
  plan.use_aliases = use_aliases;
  plan.version = session_.version;
  if (auto image = images_.find(service.name); image != images_.end()) plan.image_id = image->second;
  find_shared(service, plan);
  TRY(auto request, compose::make_container_request(session_.project, service, plan));
  TRY_OK(adjust(request.body));
  return create_container(name, request);
}

Result<void> Converger::start(const Words& services, bool with_dependencies) {
  return in_dependency_order(
      session_.project, services, Direction::dependencies_first,
      [&](const compose::Service& service) { return start_service(service, with_dependencies); });
}

Result<void> Converger::start_service(const compose::Service& service, bool with_dependencies) {
  std::vector<ComposeContainer> containers;
  bool restart = false;
  {
    std::lock_guard lock(mutex_);
    containers = by_service_[service.name];
    for (const compose::Dependency& dependency : service.depends_on)
      restart |= dependency.restart && recreated_.contains(dependency.service);
  }
  auto needs_start = [&](const ComposeContainer& container) { return !container.is_running() || restart; };
  if (std::ranges::none_of(containers, needs_start)) return {};
  if (with_dependencies)
    for (const compose::Dependency& dependency : service.depends_on)
      TRY_OK(wait_for_dependency(session_.engine, session_.project.name, dependency));
  return for_each_together(containers, [&](const ComposeContainer& container) -> Result<void> {
    if (!needs_start(container)) return {};
    bool again = container.is_running();
    print_step("Container", container.name, again ? "Restarting" : "Starting");
    TRY_OK(session_.engine.post(container_path(container.id, again ? "/restart" : "/start")));
    print_step("Container", container.name, "Started");
    return {};
  });
}

std::vector<ComposeContainer> Converger::containers(const Words& services) const {
  std::vector<ComposeContainer> all;
  for (const std::string& service : services)
    if (auto found = by_service_.find(service); found != by_service_.end())
      all.insert(all.end(), found->second.begin(), found->second.end());
  return all;
}

}  // namespace berth::cli
