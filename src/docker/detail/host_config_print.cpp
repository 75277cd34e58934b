#include "docker/detail/host_config_print.h"

#include "base/text.h"
#include "docker/detail/resources.h"

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
    if (!is_bind_option(mount)) continue;
    std::string text = mount.source + ":" + mount.target;
    if (!mount.mode.empty() && mount.mode != "z") text += ":" + mount.mode;
    binds.push_back(std::move(text));
  }
  return words_or_null(binds);
}

json::Value print_mount_specs(const ContainerSpec& spec) {
  json::Array mounts;
  for (const MountSpec& mount : spec.mounts) {
    if (mount.anonymous || is_bind_option(mount)) continue;
    json::Object shown{{"Type", mount.type}};
    if (!mount.source.empty()) shown["Source"] = mount.source;
    shown["Target"] = mount.target;
    if (mount.read_only) shown["ReadOnly"] = true;
    mounts.push_back(std::move(shown));
  }
  return mounts.empty() ? json::Value(nullptr) : json::Value(std::move(mounts));
}

json::Value print_port_bindings(const ContainerSpec& spec) {
  json::Object bindings;
  for (const engine::PortSpec& port : spec.ports) {
    json::Value& list = bindings[fmt::format("{}/{}", port.container_port, port.protocol)];
    if (!list.is_array()) list = json::Array{};
    list.get_array().push_back(json::Object{{"HostIp", port.host_ip},
                                            {"HostPort", port.host_port == 0 ? "" : std::to_string(port.host_port)}});
  }
  return bindings;
}

json::Value print_log(const engine::LogSpec& log) {
  json::Object config;
  if (log.max_files > 1) config["max-file"] = std::to_string(log.max_files);
  if (log.max_size > 0) config["max-size"] = std::to_string(log.max_size);
  return json::Object{{"Type", log.driver}, {"Config", std::move(config)}};
}

json::Value print_security_options(const ContainerSpec& spec) {
  std::vector<std::string> options;
  if (spec.no_new_privileges) options.emplace_back("no-new-privileges");
  if (spec.seccomp_unconfined) options.emplace_back("seccomp=unconfined");
  return words_or_null(options);
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
      {"VolumesFrom", nullptr},
      {"ConsoleSize", json::Array{0, 0}},
      {"CapAdd", words_or_null(spec.cap_add)},
      {"CapDrop", words_or_null(spec.cap_drop)},
      {"CgroupnsMode", spec.cgroupns_mode.empty() ? "private" : spec.cgroupns_mode},
      {"Dns", json::encode(spec.dns)},
      {"DnsOptions", json::encode(spec.dns_options)},
      {"DnsSearch", json::encode(spec.dns_search)},
      {"ExtraHosts", words_or_null(spec.extra_hosts)},
      {"GroupAdd", words_or_null(spec.process.groups)},
      {"IpcMode", spec.ipc_mode.empty() ? "private" : spec.ipc_mode},
      {"Cgroup", ""},
      {"Links", nullptr},
      {"OomScoreAdj", spec.oom_score_adj},
      {"PidMode", spec.pid_mode},
      {"Privileged", spec.privileged},
      {"PublishAllPorts", spec.publish_all},
      {"ReadonlyRootfs", spec.read_only_root},
      {"SecurityOpt", print_security_options(spec)},
      {"UTSMode", spec.uts_mode},
      {"UsernsMode", spec.userns_mode},
      {"ShmSize", spec.shm_size == 0 ? kDefaultShm : spec.shm_size},
      {"Runtime", spec.runtime.empty() ? api.engine.runtimes().default_name() : spec.runtime},
      {"Isolation", ""}};
  print_resources(spec.resources, host);
  host["CgroupParent"] = spec.cgroup_parent;
  host["DeviceCgroupRules"] = words_or_null(spec.device_cgroup_rules);
  host["DeviceRequests"] = nullptr;
  host["Devices"] = print_devices(spec.devices);
  if (auto mounts = print_mount_specs(spec); !mounts.is_null()) host["Mounts"] = std::move(mounts);
  if (!spec.tmpfs.empty()) host["Tmpfs"] = json::encode(spec.tmpfs);
  if (!spec.sysctls.empty()) host["Sysctls"] = json::encode(spec.sysctls);
  if (spec.init) host["Init"] = true;
  host["MaskedPaths"] = json::encode(spec.masked_paths);
  host["ReadonlyPaths"] = json::encode(spec.readonly_paths);
  return host;
}

}  // namespace berth::docker::detail
