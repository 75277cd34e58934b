#include "compose/project.h"

#include <algorithm>
#include <set>

#include "compose/detail/model.h"
#include "compose/sha256.h"

namespace berth::compose {

namespace {

json::Value sorted(const json::Value& value) {
  if (value.is_array()) {
    json::Array array;
    for (const json::Value& item : value.get_array()) array.push_back(sorted(item));
    return array;
  }
  if (!value.is_object()) return value;
  std::map<std::string_view, const json::Value*> members;
  for (const auto& member : value.get_object()) members.emplace(member.key(), &member.value());
  json::Object object;
  for (const auto& [key, member] : members) object[key] = sorted(*member);
  return object;
}

// Dependencies first. Cycles have been refused before.
void visit(const Project& project, const std::string& name, std::vector<std::string>& order,
           std::set<std::string>& seen) {
  auto service = project.services.find(name);
  if (service == project.services.end() || !seen.insert(name).second) return;
  for (const Dependency& dependency : service->second.depends_on) visit(project, dependency.service, order, seen);
  order.push_back(name);
}

// Resources whose bytes come from a variable are shown by its name only: the value may be a secret.
json::Object resources_of(const Resources& resources) {
  json::Object section;
  for (const auto& [key, resource] : resources) {
    json::Object config = resource.config.get_object();
    if (config.contains("environment")) config.erase("content");
    section[key] = sorted(std::move(config));
  }
  return section;
}

}  // namespace

Result<const Service*> Project::service(std::string_view wanted) const {
  if (auto found = services.find(wanted); found != services.end()) return &found->second;
  return fail(ErrorCode::not_found, "no such service: {}", wanted);
}

Result<void> enable_services(Project& project, const std::vector<std::string>& names) {
  std::vector<std::string> wanted = names;
  while (!wanted.empty()) {
    std::string name = std::move(wanted.back());
    wanted.pop_back();
    auto found = project.disabled.find(name);
    if (found == project.disabled.end()) continue;
    // What it depends on must share a profile with it, or be enabled by name.
    for (const Dependency& dependency : found->second.depends_on) {
      auto other = project.disabled.find(dependency.service);
      bool shares = other != project.disabled.end() &&
                    std::ranges::any_of(other->second.profiles, [&](const std::string& profile) {
                      return std::ranges::find(found->second.profiles, profile) != found->second.profiles.end();
                    });
      if (shares) wanted.push_back(dependency.service);
    }
    project.services.insert(project.disabled.extract(found));
  }
  for (const std::string& name : names) TRY_OK(project.service(name));
  return check_project(project);
}

Result<std::vector<std::string>> start_order(const Project& project, const std::vector<std::string>& names,
                                             bool with_dependencies) {
  std::vector<std::string> order;
  std::set<std::string> seen;
  for (const auto& [name, service] : project.services) visit(project, name, order, seen);
  if (names.empty()) return order;
  std::vector<std::string> closure;
  std::set<std::string> wanted;
  for (const std::string& name : names) {
    TRY_OK(project.service(name));
    if (with_dependencies)
      visit(project, name, closure, wanted);
    else
      wanted.insert(name);
  }
  std::erase_if(order, [&](const std::string& name) { return !wanted.contains(name); });
  return order;
}

json::Value config_of(const Project& project) {
  json::Object object{{"name", project.name}};
  json::Object services;
  for (const auto& [name, service] : project.services) services[name] = sorted(service.config);
  object["services"] = std::move(services);
  auto add = [&](std::string_view section, const Resources& resources) {
    if (!resources.empty()) object[section] = resources_of(resources);
  };
  add("networks", project.networks);
  add("volumes", project.volumes);
  add("configs", project.configs);
  add("secrets", project.secrets);
  for (const auto& extension : project.extensions) object[extension.key()] = sorted(extension.value());
  return object;
}

std::string config_hash(const Project& project, const Service& service) {
  json::Object config = service.config.get_object();
  // What a running container does not depend on.
  for (std::string_view key : {"build", "pull_policy", "scale", "depends_on", "profiles", "attach"}) config.erase(key);
  if (json::Value* deploy = config.if_contains("deploy"); deploy != nullptr && deploy->is_object())
    deploy->get_object().erase("replicas");
  config["image"] = service.image;
  // The files that it is given belong to it.
  auto add = [&](std::string_view key, const Resources& resources) {
    const json::Value* list = config.if_contains(key);
    if (list == nullptr || !list->is_array()) return;
    json::Array sources;
    for (const json::Value& reference : list->get_array())
      if (auto found = resources.find(json::string_or(reference, "source")); found != resources.end())
        sources.push_back(found->second.config);
    config[fmt::format("{}:sources", key)] = std::move(sources);
  };
  add("configs", project.configs);
  add("secrets", project.secrets);
  return sha256_text(json::print(sorted(config)));
}

}  // namespace berth::compose
