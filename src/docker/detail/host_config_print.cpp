#include "docker/detail/host_config_print.h"

#include "base/text.h"
#include "docker/detail/resources.h"
#include "engine/networks.h"

namespace berth::docker::detail {

namespace {

using engine::ContainerSpec;
using engine::MountSpec;

json::Value words_or_null(const std::vector<std::string>& words) {
  return words.empty() ? json::Value(nullptr) : json::encode(words);
}

// -v made a mount when it could have been asked for by nothing else: a source to be made, or a mode.
bool is_bind_option(const MountSpec& mount) {
  return !mount.anonymous && mount.type != "tmpfs" && (mount.create_source || !mount.mode.empty());
}

json::Value print_binds(const ContainerSpec& spec) {
  std::vector<std::string> binds;
  for (const MountSpec& mount : spec.mounts) {
    if (!is_bind_option(mount) || mount.inherited) continue;
    std::string text = mount.source + ":" + mount.target;
    if (!mount.mode.empty() && mount.mode != "z") text += ":" + mount.mode;
    binds.push_back(std::move(text));
  }
  return words_or_null(binds);
}

void print_mount_options(const MountSpec& mount, json::Object& shown) {
  json::Object options;
  if (mount.type == "bind") {
    if (!mount.propagation.empty()) options["Propagation"] = mount.propagation;
    if (mount.non_recursive) options["NonRecursive"] = true;
    if (!options.empty()) shown["BindOptions"] = std::move(options);
  } else if (mount.type == "volume") {
    if (!mount.copy_up) options["NoCopy"] = true;
    if (!mount.subpath.empty()) options["Subpath"] = mount.subpath;
    if (!mount.volume_labels.empty()) options["Labels"] = json::encode(mount.volume_labels);
    if (!mount.volume_options.empty())
      options["DriverConfig"] = json::Object{{"Name", "local"}, {"Options", json::encode(mount.volume_options)}};
    if (!options.empty()) shown["VolumeOptions"] = std::move(options);
  } else if (!mount.options.empty()) {
    for (const std::string& option : split(mount.options, ',')) {
      auto [key, value] = split_once(option, '=');
      if (key == "size") options["SizeBytes"] = parse_number<std::int64_t>(value.value_or("")).value_or(0);
      if (key == "mode") options["Mode"] = parse_number<int>(value.value_or(""), 8).value_or(0);
    }
    shown["TmpfsOptions"] = std::move(options);
  }
}

json::Value print_mount_specs(const ContainerSpec& spec) {
  json::Array mounts;
  for (const MountSpec& mount : spec.mounts) {
    if (mount.anonymous || mount.inherited || is_bind_option(mount)) continue;
    json::Object shown{{"Type", mount.type}};
    if (!mount.source.empty()) shown["Source"] = mount.source;
    shown["Target"] = mount.target;
    if (mount.read_only) shown["ReadOnly"] = true;
    print_mount_options(mount, shown);
    mounts.push_back(std::move(shown));
  }
  return mounts.empty() ? json::Value(nullptr) : json::Value(std::move(mounts));
}

std::string print_host_port(const engine::PortSpec& port) {
  if (port.host_port == 0) return "";
  std::string first = std::to_string(port.host_port);
  return port.host_port_last == 0 ? first : fmt::format("{}-{}", first, port.host_port_last);
}

// As Docker tells them: "/other:/this/alias".
json::Value print_links(const ContainerSpec& spec) {
  std::vector<std::string> links;
  for (const std::string& link : spec.links) {
    auto [name, alias] = engine::split_link(link);
    links.push_back(fmt::format("/{}:/{}/{}", name, spec.name, alias));
  }
  return words_or_null(links);
}

json::Value print_port_bindings(const ContainerSpec& spec) {
  json::Object bindings;
  for (const engine::PortSpec& port : spec.ports) {
    json::Value& list = bindings[fmt::format("{}/{}", port.container_port, port.protocol)];
    if (!list.is_array()) list = json::Array{};
    list.get_array().push_back(json::Object{{"HostIp", port.host_ip}, {"HostPort", print_host_port(port)}});
  }
  return bindings;
}

json::Value print_log(const engine::LogSpec& log) {
  return json::Object{{"Type", log.driver}, {"Config", json::encode(log.options)}};
}

json::Value print_device_requests(const ContainerSpec& spec) {
  json::Array shown;
  for (const engine::DeviceRequestSpec& request : spec.device_requests)
    shown.push_back(json::Object{{"Driver", request.driver},
                                 {"Count", request.count},
                                 {"DeviceIDs", words_or_null(request.device_ids)},
                                 {"Capabilities", json::encode(request.capabilities)},
                                 {"Options", json::encode(request.options)}});
  return shown.empty() ? json::Value(nullptr) : json::Value(std::move(shown));
}

json::Value print_devices(const std::vector<engine::DeviceSpec>& devices) {
  json::Array shown;
  for (const engine::DeviceSpec& device : devices)
    shown.push_back(json::Object{{"PathOnHost", device.host_path},
                                 {"PathInContainer", device.container_path},
                                 {"CgroupPermissions", device.permissions}});
  return shown;
}

}  // namespace

json::Value print_host_config(const Api& api, const ContainerSpec& spec) {
  constexpr std::int64_t kDefaultShm = 64 << 20;
  json::Object host{
      {"Binds", print_binds(spec)},
      {"ContainerIDFile", ""},
      {"LogConfig", print_log(spec.log)},
      {"NetworkMode", spec.network},
      {"PortBindings", print_port_bindings(spec)},
      {"RestartPolicy", json::Object{{"Name", spec.restart.name}, {"MaximumRetryCount", spec.restart.maximum_retries}}},
      {"AutoRemove", spec.auto_remove},
      {"VolumeDriver", ""},
      {"VolumesFrom", words_or_null(spec.volumes_from)},
      {"ConsoleSize", json::Array{0, 0}},
      {"CapAdd", words_or_null(spec.cap_add)},
      {"CapDrop", words_or_null(spec.cap_drop)},
      {"CgroupnsMode", spec.cgroupns_mode.empty() ? "private" : spec.cgroupns_mode},
      {"Dns", words_or_null(spec.dns)},
      {"DnsOptions", words_or_null(spec.dns_options)},
      {"DnsSearch", words_or_null(spec.dns_search)},
      {"ExtraHosts", words_or_null(spec.extra_hosts)},
      {"GroupAdd", words_or_null(spec.process.groups)},
      {"IpcMode", spec.ipc_mode.empty() ? "private" : spec.ipc_mode},
      {"Cgroup", ""},
      {"Links", print_links(spec)},
      {"OomScoreAdj", spec.oom_score_adj},
      {"PidMode", spec.pid_mode},
      {"Privileged", spec.privileged},
      {"PublishAllPorts", spec.publish_all},
      {"ReadonlyRootfs", spec.read_only_root},
      {"SecurityOpt", words_or_null(spec.security_options)},
      {"UTSMode", spec.uts_mode},
      {"UsernsMode", spec.userns_mode},
      {"ShmSize", spec.shm_size == 0 ? kDefaultShm : spec.shm_size},
      {"Runtime", spec.runtime.empty() ? api.engine.runtimes().default_name() : spec.runtime},
      {"Isolation", ""}};
  print_resources(spec.resources, host);
  host["CgroupParent"] = spec.cgroup_parent;
  host["DeviceCgroupRules"] = words_or_null(spec.device_cgroup_rules);
  host["DeviceRequests"] = print_device_requests(spec);
  host["Devices"] = print_devices(spec.devices);
  if (auto mounts = print_mount_specs(spec); !mounts.is_null()) host["Mounts"] = std::move(mounts);
  if (!spec.tmpfs.empty()) host["Tmpfs"] = json::encode(spec.tmpfs);
  if (!spec.sysctls.empty()) host["Sysctls"] = json::encode(spec.sysctls);
  if (spec.init) host["Init"] = true;
  if (!spec.annotations.empty()) host["Annotations"] = json::encode(spec.annotations);
  host["MaskedPaths"] = json::encode(spec.masked_paths);
  host["ReadonlyPaths"] = json::encode(spec.readonly_paths);
  return host;
}

}  // namespace berth::docker::detail
