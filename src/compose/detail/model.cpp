#include "compose/detail/model.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "compose/detail/merge.h"
#include "compose/env_file.h"
#include "sys/file.h"

namespace berth::compose {

namespace {

constexpr std::string_view kServicePrefix = "service:";
constexpr std::size_t kMostServices = 1000;  // walks along dependencies are recursive

Condition condition_of(std::string_view text) {
  if (text == "service_healthy") return Condition::healthy;
  if (text == "service_completed_successfully") return Condition::completed;
  return Condition::started;
}

// The environment of a service: its env files, then what it sets itself. A name without a value takes the one of the
// variables, or goes.
Result<void> resolve_environment(Node& service, const Variables& variables) {
  Node result = Node::make_map(service.mark);
  auto add = [&](const std::string& name, const std::optional<std::string>& value) {
    if (value) {
      result.set(name, Node::make_text(*value));
    } else if (auto found = variables.find(name); found != variables.end()) {
      result.set(name, Node::make_text(found->second));
    }
  };
  if (const Node* files = service.find("env_file")) {
    for (const Node& entry : files->items) {
      std::string path = entry.text_of("path");
      auto text = sys::read_file(path, 4 << 20);
      if (!text && text.error().errno_value() == ENOENT && entry.text_of("required") == "false") continue;
      if (!text && text.error().errno_value() == ENOENT) return fail_at(entry.mark, "env file {} not found", path);
      if (!text) return std::unexpected(std::move(text).error());
      bool raw = entry.text_of("format") == "raw";
      TRY(EnvLines lines, raw ? parse_raw_env_file(*text, path) : parse_env_file(*text, path, variables));
      for (const auto& [name, value] : lines) add(name, value);
    }
    service.erase("env_file");
  }
  if (const Node* own = service.find("environment"))
    for (const Member& member : own->members)
      add(member.key, member.value.is_null() ? std::nullopt : std::optional(member.value.text));
  if (!result.members.empty())
    service.set("environment", std::move(result));
  else
    service.erase("environment");
  return {};
}

Result<void> resolve_labels(Node& service) {
  Node result = Node::make_map(service.mark);
  if (const Node* files = service.find("label_file")) {
    for (const Node& path : files->items) {
      auto text = sys::read_file(path.text, 4 << 20);
      if (!text) return fail_at(path.mark, "label file {} cannot be read", path.text);
      TRY(EnvLines lines, parse_env_file(*text, path.text, {}));
      for (const auto& [name, value] : lines) result.set(name, Node::make_text(value.value_or("")));
    }
    service.erase("label_file");
  }
  if (const Node* own = service.find("labels"))
    for (const Member& member : own->members) result.set(member.key, Node::make_text(member.value.text));
  if (!result.members.empty()) service.set("labels", std::move(result));
  return {};
}

// The value of a build argument without one is the variable's.
void resolve_build_args(Node& service, const Variables& variables) {
  Node* build = service.find("build");
  Node* args = build == nullptr ? nullptr : build->find("args");
  if (args == nullptr) return;
  std::erase_if(args->members, [&](Member& member) {
    if (!member.value.is_null()) return false;
    auto found = variables.find(member.key);
    if (found != variables.end()) member.value = Node::make_text(found->second);
    return found == variables.end();
  });
}

void add_dependency(Service& service, std::string name, bool restart) {
  if (service.find_dependency(name) == nullptr)
    service.depends_on.push_back({std::move(name), Condition::started, true, restart});
}

void collect_dependencies(Service& service, const Node& node) {
  if (const Node* list = node.find("depends_on"))
    for (const Member& member : list->members)
      service.depends_on.push_back({member.key, condition_of(member.value.text_of("condition")),
                                    member.value.text_of("required") != "false",
                                    member.value.text_of("restart") == "true"});
  if (const Node* links = node.find("links"))
    for (const Node& link : links->items) add_dependency(service, std::string(split_once(link.text, ':').first), false);
  if (const Node* sources = node.find("volumes_from"))
    for (const Node& source : sources->items)
      if (!source.text.starts_with("container:"))
        add_dependency(service, std::string(split_once(source.text, ':').first), false);
  for (std::string_view key : {"network_mode", "ipc", "pid"})
    if (std::string mode = node.text_of(key); mode.starts_with(kServicePrefix))
      add_dependency(service, mode.substr(kServicePrefix.size()), true);
}

Result<void> set_replicas(Service& service, const Node& node) {
  const Node* scale = node.find("scale");
  const Node* deploy = node.find("deploy");
  const Node* replicas = deploy == nullptr ? nullptr : deploy->find("replicas");
  if (scale != nullptr && replicas != nullptr && scale->text != replicas->text)
    return fail_at(scale->mark,
                   "services.{}: can't set distinct values on 'scale' and 'deploy.replicas': invalid compose project",
                   service.name);
  if (const Node* count = scale != nullptr ? scale : replicas)
    service.replicas = parse_number<std::int64_t>(count->text).value_or(-1);
  constexpr std::int64_t kMostReplicas = 1000;
  if (service.replicas < 0 || service.replicas > kMostReplicas)
    return fail_at(node.mark, "services.{}: the number of replicas must be between 0 and {}", service.name,
                   kMostReplicas);
  return {};
}

Result<Service> make_service(const Project& project, const std::string& name, Node node, const Variables& variables) {
  Service service;
  service.name = name;
  TRY_OK(resolve_environment(node, variables));
  TRY_OK(resolve_labels(node));
  resolve_build_args(node, variables);
  // Who shares a network, or says so itself, is not on the project's.
  if (node.find("network_mode") == nullptr && node.find("networks") == nullptr) {
    Node networks = Node::make_map(node.mark);
    networks.set("default", Node{});
    node.set("networks", std::move(networks));
  }
  service.image = node.text_of("image");
  if (service.image.empty() && node.find("build") != nullptr) service.image = fmt::format("{}-{}", project.name, name);
  service.container_name = node.text_of("container_name");
  TRY_OK(set_replicas(service, node));
  collect_dependencies(service, node);
  if (const Node* profiles = node.find("profiles"))
    for (const Node& profile : profiles->items) service.profiles.push_back(profile.text);
  service.config = to_json(node);
  return service;
}

// configs and secrets: where the bytes come from must be one of three.
Result<void> resolve_source(Resource& resource, const Node& node, const Variables& variables,
                            std::string_view section) {
  int sources = 0;
  for (std::string_view key : {"file", "environment", "content"}) sources += node.find(key) != nullptr ? 1 : 0;
  if (sources != 1)
    return fail_at(node.mark, "{}.{}: exactly one of file, environment and content is needed", section, resource.key);
  if (std::string name = node.text_of("environment"); !name.empty()) {
    auto found = variables.find(name);
    if (found == variables.end())
      return fail_at(node.mark, "environment variable \"{}\" required by {} \"{}\" is not set", name, section,
                     resource.key);
    resource.config.get_object()["content"] = found->second;
  }
  return {};
}

Result<void> add_resources(Resources& resources, const Node& tree, std::string_view section, const Project& project) {
  const Node* found = tree.find(section);
  if (found == nullptr) return {};
  for (const Member& member : found->members) {
    Resource resource;
    resource.key = member.key;
    resource.name = member.value.text_of("name");
    resource.external = member.value.text_of("external") == "true";
    if (resource.name.empty())
      resource.name = resource.external ? member.key : fmt::format("{}_{}", project.name, member.key);
    resource.config = member.value.is_null() ? json::Value(json::Object()) : to_json(member.value);
    resource.config.get_object()["name"] = resource.name;
    for (const auto& item : resource.config.get_object()) {
      bool own = item.key() == "name" || item.key() == "external" || item.key().starts_with("x-");
      if (resource.external && !own)
        return fail_at(member.mark, "{}.{}: conflicting parameters \"external\" and \"{}\" specified", section,
                       member.key, std::string_view(item.key()));
    }
    resources.emplace(member.key, std::move(resource));
  }
  return {};
}

bool is_service_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_enabled(const Service& service, const std::vector<std::string>& profiles) {
  if (service.profiles.empty()) return true;
  return std::ranges::any_of(profiles, [&](const std::string& profile) {
    return profile == "*" || std::ranges::find(service.profiles, profile) != service.profiles.end();
  });
}

void add_default_network(Project& project) {
  auto uses_default = [](const auto& entry) {
    const json::Value* networks = json::find(entry.second.config, "networks");
    return networks != nullptr && networks->get_object().contains("default");
  };
  bool used =
      std::ranges::any_of(project.services, uses_default) || std::ranges::any_of(project.disabled, uses_default);
  if (!used || project.networks.contains("default")) return;
  std::string name = project.name + "_default";
  project.networks.emplace("default", Resource{"default", name, false, json::Object{{"name", name}}});
}

}  // namespace

const Dependency* Service::find_dependency(std::string_view wanted) const {
  auto found = std::ranges::find(depends_on, wanted, &Dependency::service);
  return found == depends_on.end() ? nullptr : &*found;
}

Result<void> fill_project(Project& project, const Node& tree, const Variables& variables,
                          const std::vector<std::string>& profiles) {
  for (const Member& member : tree.members)
    if (member.key.starts_with("x-")) project.extensions[member.key] = to_json(member.value);
  TRY_OK(add_resources(project.networks, tree, "networks", project));
  TRY_OK(add_resources(project.volumes, tree, "volumes", project));
  TRY_OK(add_resources(project.configs, tree, "configs", project));
  TRY_OK(add_resources(project.secrets, tree, "secrets", project));
  for (auto& [key, resource] : project.configs)
    TRY_OK(resolve_source(resource, *tree.find("configs")->find(key), variables, "configs"));
  for (auto& [key, resource] : project.secrets)
    TRY_OK(resolve_source(resource, *tree.find("secrets")->find(key), variables, "secrets"));

  const Node* services = tree.find("services");
  if (services != nullptr) {
    if (services->members.size() > kMostServices)
      return fail_at(services->mark, "more than {} services", kMostServices);
    for (const Member& member : services->members) {
      if (!is_service_name(member.key))
        return fail_at(member.mark, "services: invalid name \"{}\": only letters, digits, '.', '_' and '-' are allowed",
                       member.key);
      Node node = member.value.is_null() ? Node::make_map(member.mark) : member.value;
      auto service = make_service(project, member.key, std::move(node), variables);
      if (!service) return std::unexpected(std::move(service).error());
      bool enabled = is_enabled(*service, profiles);
      (enabled ? project.services : project.disabled).emplace(member.key, std::move(*service));
    }
  }
  add_default_network(project);
  return check_project(project);
}

}  // namespace berth::compose
