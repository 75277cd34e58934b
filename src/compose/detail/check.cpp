// What the parts of a project say about each other.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "compose/detail/model.h"

namespace berth::compose {

namespace {

template <class... Args>
std::unexpected<Error> invalid(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::invalid, "{}: invalid compose project", fmt::format(format, std::forward<Args>(args)...));
}

const json::Array& list_of(const Service& service, std::string_view key) {
  static const json::Array kEmpty;
  const json::Value* value = json::find(service.config, key);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

Result<void> check_networks(const Project& project, const Service& service) {
  const json::Value* networks = json::find(service.config, "networks");
  if (networks == nullptr) return {};
  if (json::find(service.config, "network_mode") != nullptr)
    return invalid("service \"{}\" declares mutually exclusive `network_mode` and `networks`", service.name);
  for (const auto& network : networks->get_object())
    if (!project.networks.contains(network.key()))
      return invalid("service \"{}\" refers to undefined network {}", service.name, std::string_view(network.key()));
  return {};
}

Result<void> check_mounts(const Project& project, const Service& service) {
  for (const json::Value& mount : list_of(service, "volumes")) {
    std::string type = json::string_or(mount, "type"), source = json::string_or(mount, "source");
    std::string target = json::string_or(mount, "target");
    if (target.empty()) return invalid("service \"{}\": a volume without target", service.name);
    if (!target.starts_with('/'))
      return invalid("service \"{}\": the volume target \"{}\" is not an absolute path", service.name, target);
    if (type == "bind" && source.empty())
      return invalid("service \"{}\": the bind mount at {} needs a source", service.name, target);
    if (type == "volume" && !source.empty() && !project.volumes.contains(source))
      return invalid("service \"{}\" refers to undefined volume {}", service.name, source);
  }
  return {};
}

Result<void> check_references(const Service& service, const Resources& resources, std::string_view key,
                              std::string_view kind) {
  for (const json::Value& reference : list_of(service, key))
    if (std::string source = json::string_or(reference, "source"); !resources.contains(source))
      return invalid("service \"{}\" refers to undefined {} {}", service.name, kind, source);
  return {};
}

Result<void> check_dependencies(const Project& project, const Service& service) {
  for (const Dependency& dependency : service.depends_on) {
    if (!dependency.required || project.services.contains(dependency.service)) continue;
    auto disabled = project.disabled.find(dependency.service);
    if (disabled == project.disabled.end())
      return invalid("service \"{}\" depends on undefined service \"{}\"", service.name, dependency.service);
    return invalid("service \"{}\" is required by \"{}\" but is disabled. Can be enabled by profiles [{}]",
                   dependency.service, service.name, join(disabled->second.profiles, " "));
  }
  return {};
}

// Depth first, with the way that led here.
Result<void> check_cycles(const Project& project, const Service& service, std::vector<std::string>& way,
                          std::set<std::string>& done) {
  if (done.contains(service.name)) return {};
  if (auto begin = std::ranges::find(way, service.name); begin != way.end()) {
    std::vector<std::string> cycle(begin, way.end());
    cycle.push_back(service.name);
    return fail(ErrorCode::invalid, "dependency cycle detected: {}", join(cycle, " -> "));
  }
  way.push_back(service.name);
  for (const Dependency& dependency : service.depends_on)
    if (auto next = project.services.find(dependency.service); next != project.services.end())
      TRY_OK(check_cycles(project, next->second, way, done));
  way.pop_back();
  done.insert(service.name);
  return {};
}

}  // namespace

Result<void> check_service(const Project& project, const Service& service) {
  if (service.image.empty())
    return invalid("service \"{}\" has neither an image nor a build context specified", service.name);
  if (const json::Value* build = json::find(service.config, "build")) {
    if (json::string_or(*build, "context").empty())
      return invalid("service \"{}\": build.context is required", service.name);
    if (json::find(*build, "dockerfile") != nullptr && json::find(*build, "dockerfile_inline") != nullptr)
      return invalid("service \"{}\" declares mutually exclusive dockerfile and dockerfile_inline", service.name);
  }
  if (!service.container_name.empty() && service.replicas > 1)
    return invalid("can't set container_name and {} as container name must be unique: service \"{}\"", "scale > 1",
                   service.name);
  TRY_OK(check_networks(project, service));
  TRY_OK(check_mounts(project, service));
  TRY_OK(check_references(service, project.configs, "configs", "config"));
  TRY_OK(check_references(service, project.secrets, "secrets", "secret"));
  return check_dependencies(project, service);
}

Result<void> check_project(const Project& project) {
  std::map<std::string, std::string> container_names;
  for (const auto& [name, service] : project.services) {
    TRY_OK(check_service(project, service));
    if (service.container_name.empty()) continue;
    if (auto [other, added] = container_names.emplace(service.container_name, name); !added)
      return invalid("services \"{}\" and \"{}\" have the same container_name \"{}\"", other->second, name,
                     service.container_name);
  }
  std::vector<std::string> way;
  std::set<std::string> done;
  for (const auto& [name, service] : project.services) TRY_OK(check_cycles(project, service, way, done));
  return {};
}

}  // namespace berth::compose
