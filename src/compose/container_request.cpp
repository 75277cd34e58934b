#include "compose/container_request.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "base/time.h"
#include "compose/detail/request_parts.h"

namespace berth::compose {

namespace {

// Keys that are Docker's under another name: the value goes over as it is.
struct Rename {
  std::string_view key, field;
};

constexpr Rename kConfigFields[] = {{"command", "Cmd"},
                                    {"domainname", "Domainname"},
                                    {"entrypoint", "Entrypoint"},
                                    {"hostname", "Hostname"},
                                    {"stdin_open", "OpenStdin"},
                                    {"stop_signal", "StopSignal"},
                                    {"tty", "Tty"},
                                    {"user", "User"},
                                    {"working_dir", "WorkingDir"}};

constexpr Rename kHostFields[] = {{"annotations", "Annotations"},
                                  {"cap_add", "CapAdd"},
                                  {"cap_drop", "CapDrop"},
                                  {"cgroup", "CgroupnsMode"},
                                  {"cgroup_parent", "CgroupParent"},
                                  {"cpu_period", "CpuPeriod"},
                                  {"cpu_quota", "CpuQuota"},
                                  {"cpu_rt_period", "CpuRealtimePeriod"},
                                  {"cpu_rt_runtime", "CpuRealtimeRuntime"},
                                  {"cpu_shares", "CpuShares"},
                                  {"cpuset", "CpusetCpus"},
                                  {"device_cgroup_rules", "DeviceCgroupRules"},
                                  {"dns", "Dns"},
                                  {"dns_opt", "DnsOptions"},
                                  {"dns_search", "DnsSearch"},
                                  {"group_add", "GroupAdd"},
                                  {"init", "Init"},
                                  {"mem_limit", "Memory"},
                                  {"mem_reservation", "MemoryReservation"},
                                  {"mem_swappiness", "MemorySwappiness"},
                                  {"memswap_limit", "MemorySwap"},
                                  {"oom_kill_disable", "OomKillDisable"},
                                  {"oom_score_adj", "OomScoreAdj"},
                                  {"pids_limit", "PidsLimit"},
                                  {"privileged", "Privileged"},
                                  {"read_only", "ReadonlyRootfs"},
                                  {"runtime", "Runtime"},
                                  {"security_opt", "SecurityOpt"},
                                  {"shm_size", "ShmSize"},
                                  {"storage_opt", "StorageOpt"},
                                  {"sysctls", "Sysctls"},
                                  {"userns_mode", "UsernsMode"},
                                  {"uts", "UTSMode"}};

// Maps of Docker's have strings only.
json::Value texts_of(const json::Value& value) {
  if (!value.is_object()) return value;
  json::Object object;
  for (const auto& member : value.get_object())
    object[member.key()] = member.value().is_null() ? json::Value("") : member.value();
  return object;
}

void rename_fields(const Service& service, std::span<const Rename> fields, json::Object& into) {
  for (const Rename& rename : fields)
    if (const json::Value* value = json::find(service.config, rename.key)) into[rename.field] = texts_of(*value);
}

json::Array environment_of(const Service& service) {
  json::Array env;
  if (const json::Value* map = json::find(service.config, "environment"))
    for (const auto& member : map->get_object())
      env.push_back(boost::json::string(
          fmt::format("{}={}", std::string_view(member.key()), json::string_or(*map, member.key()))));
  return env;
}

std::string dependencies_label(const Service& service) {
  std::vector<std::string> items;
  for (const Dependency& dependency : service.depends_on) {
    std::string_view condition = dependency.condition == Condition::healthy     ? "service_healthy"
                                 : dependency.condition == Condition::completed ? "service_completed_successfully"
                                                                                : "service_started";
    items.push_back(fmt::format("{}:{}:{}", dependency.service, condition, dependency.restart));
  }
  return join(items, ",");
}

json::Object labels_of(const RequestParts& parts) {
  json::Object labels;
  if (const json::Value* own = parts.find("labels"))
    for (const auto& member : own->get_object()) labels[member.key()] = json::string_or(*own, member.key());
  for (const auto& member : project_labels(parts.project, parts.plan.version)) labels[member.key()] = member.value();
  labels[kServiceLabel] = parts.service.name;
  labels[kNumberLabel] = std::to_string(parts.plan.number);
  labels[kOneOffLabel] = parts.plan.one_off ? "True" : "False";
  labels[kHashLabel] = config_hash(parts.project, parts.service);
  labels[kImageLabel] = parts.plan.image_id;
  labels["com.docker.compose.depends_on"] = dependencies_label(parts.service);
  labels["com.docker.compose.project.working_dir"] = parts.project.directory;
  labels["com.docker.compose.project.config_files"] = join(parts.project.files, ",");
  if (!parts.project.env_files.empty())
    labels["com.docker.compose.project.environment_file"] = join(parts.project.env_files, ",");
  return labels;
}

void add_restart(RequestParts& parts) {
  std::string policy = json::string_or(parts.service.config, "restart");
  std::int64_t attempts = 0;
  const json::Value* deploy = parts.find("deploy");
  const json::Value* wanted = deploy == nullptr ? nullptr : json::find(*deploy, "restart_policy");
  if (auto [name, count] = split_once(policy, ':'); count) {
    attempts = parse_number<std::int64_t>(*count).value_or(0);
    policy = std::string(name);
  } else if (policy.empty() && wanted != nullptr) {
    std::string condition = json::string_or(*wanted, "condition", "any");
    policy = condition == "none" ? "no" : condition == "any" ? "always" : condition;
    if (policy == "on-failure") attempts = json::int_or(*wanted, "max_attempts");
  }
  if (policy.empty() || parts.plan.one_off) return;
  parts.host["RestartPolicy"] = json::Object{{"Name", policy}, {"MaximumRetryCount", attempts}};
}

void add_logging(RequestParts& parts) {
  const json::Value* logging = parts.find("logging");
  if (logging == nullptr) return;
  const json::Value* options = json::find(*logging, "options");
  parts.host["LogConfig"] =
      json::Object{{"Type", json::string_or(*logging, "driver")},
                   {"Config", options == nullptr ? json::Value(json::Object()) : texts_of(*options)}};
}

Result<void> add_rest(RequestParts& parts) {
  json::Object& body = parts.request.body;
  json::Object& host = parts.host;
  if (const json::Value* hosts = parts.find("extra_hosts")) {
    json::Array list;
    for (const json::Value& entry : hosts->get_array()) {
      auto [name, address] = split_once(std::string_view(entry.get_string()), '=');
      list.push_back(boost::json::string(fmt::format("{}:{}", name, address.value_or(""))));
    }
    host["ExtraHosts"] = std::move(list);
  }
  for (auto [key, field] : {std::pair("ipc", "IpcMode"), std::pair("pid", "PidMode")}) {
    TRY(std::string mode, shared_namespace(parts, key));
    if (!mode.empty()) host[field] = mode;
  }
  if (std::string period = json::string_or(parts.service.config, "stop_grace_period"); !period.empty()) {
    TRY(auto duration, parse_duration(period));
    body["StopTimeout"] = std::chrono::ceil<std::chrono::seconds>(duration).count();
  }
  if (const json::Value* limits = parts.find("ulimits")) {
    json::Array list;
    for (const auto& limit : limits->get_object())
      list.push_back(json::Object{{"Name", limit.key()},
                                  {"Soft", json::int_or(limit.value(), "soft")},
                                  {"Hard", json::int_or(limit.value(), "hard")}});
    host["Ulimits"] = std::move(list);
  }
  add_restart(parts);
  add_logging(parts);
  return {};
}

}  // namespace

Result<std::string> shared_namespace(const RequestParts& parts, std::string_view key) {
  constexpr std::string_view kPrefix = "service:";
  std::string mode = json::string_or(parts.service.config, key);
  if (!mode.starts_with(kPrefix)) return mode;
  auto found = parts.plan.shared.find(mode.substr(kPrefix.size()));
  if (found == parts.plan.shared.end())
    return fail(ErrorCode::conflict, "cannot share namespace with service {}: container missing",
                mode.substr(kPrefix.size()));
  return "container:" + found->second;
}

json::Object project_labels(const Project& project, std::string_view version) {
  return {{kProjectLabel, project.name}, {kVersionLabel, version}};
}

Result<ContainerRequest> make_container_request(const Project& project, const Service& service,
                                                const ContainerPlan& plan) {
  ContainerRequest request;
  json::Object host;
  RequestParts parts{project, service, plan, request, host};
  request.platform = json::string_or(service.config, "platform");
  json::Object& body = request.body;
  rename_fields(service, kConfigFields, body);
  rename_fields(service, kHostFields, host);
  body["Image"] = service.image;
  body["Labels"] = labels_of(parts);
  if (json::Array env = environment_of(service); !env.empty()) body["Env"] = std::move(env);
  add_ports(parts);
  add_limits(parts);
  add_devices(parts);
  add_block_io(parts);
  TRY_OK(add_health(parts));
  TRY_OK(add_mounts(parts));
  TRY_OK(add_files(parts));
  TRY_OK(add_networks(parts));
  TRY_OK(add_rest(parts));
  body["HostConfig"] = std::move(host);
  return request;
}

json::Object network_request(const Project& project, const Resource& network, std::string_view version) {
  json::Object body{{"Name", network.name}, {"CheckDuplicate", true}};
  json::Object labels;
  const json::Value& config = network.config;
  if (const json::Value* own = json::find(config, "labels")) labels = texts_of(*own).get_object();
  for (const auto& member : project_labels(project, version)) labels[member.key()] = member.value();
  labels[kNetworkLabel] = network.key;
  body["Labels"] = std::move(labels);
  body["Driver"] = json::string_or(config, "driver", "bridge");
  if (const json::Value* options = json::find(config, "driver_opts")) body["Options"] = texts_of(*options);
  for (auto [key, field] : {std::pair("internal", "Internal"), std::pair("attachable", "Attachable"),
                            std::pair("enable_ipv6", "EnableIPv6"), std::pair("enable_ipv4", "EnableIPv4")})
    if (const json::Value* value = json::find(config, key)) body[field] = *value;
  if (const json::Value* ipam = json::find(config, "ipam")) {
    json::Object request{{"Driver", json::string_or(*ipam, "driver", "default")}};
    if (const json::Value* options = json::find(*ipam, "options")) request["Options"] = texts_of(*options);
    json::Array pools;
    if (const json::Value* list = json::find(*ipam, "config"))
      for (const json::Value& pool : list->get_array()) {
        json::Object entry;
        for (auto [key, field] : {std::pair("subnet", "Subnet"), std::pair("ip_range", "IPRange"),
                                  std::pair("gateway", "Gateway"), std::pair("aux_addresses", "AuxiliaryAddresses")})
          if (const json::Value* value = json::find(pool, key)) entry[field] = *value;
        pools.push_back(std::move(entry));
      }
    if (!pools.empty()) request["Config"] = std::move(pools);
    body["IPAM"] = std::move(request);
  }
  return body;
}

json::Object volume_request(const Project& project, const Resource& volume, std::string_view version) {
  json::Object labels;
  if (const json::Value* own = json::find(volume.config, "labels")) labels = texts_of(*own).get_object();
  for (const auto& member : project_labels(project, version)) labels[member.key()] = member.value();
  labels[kVolumeLabel] = volume.key;
  json::Object body{{"Name", volume.name}, {"Labels", std::move(labels)}};
  if (std::string driver = json::string_or(volume.config, "driver"); !driver.empty()) body["Driver"] = driver;
  if (const json::Value* options = json::find(volume.config, "driver_opts")) body["DriverOpts"] = texts_of(*options);
  return body;
}

}  // namespace berth::compose
