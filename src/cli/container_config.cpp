#include "cli/container_config.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "base/time.h"
#include "cli/terminal.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

using json::Array;
using json::Object;
using json::Value;

// A member only when it was given.
void put(Object& object, std::string_view key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}
void put(Object& object, std::string_view key, const Text& value) {
  if (value) object[key] = *value;
}
void put(Object& object, std::string_view key, const Number& value) {
  if (value) object[key] = *value;
}
void put(Object& object, std::string_view key, bool value) {
  if (value) object[key] = true;
}
void put(Object& object, std::string_view key, const Strings& values) {
  if (!values.empty()) object[key] = json::encode(values);
}
void put(Object& object, std::string_view key, Object values) {
  if (!values.empty()) object[key] = std::move(values);
}

Object pairs(const Strings& items) {
  Object object;
  for (const std::string& item : items) {
    auto [key, value] = split_once(item, '=');
    object[key] = value.value_or("");
  }
  return object;
}

Result<Object> labels_of(const ContainerOptions& options) {
  Strings items;
  for (const std::string& file : options.label_files) {
    TRY(Strings lines, read_env_file(file, false));
    items.insert(items.end(), lines.begin(), lines.end());
  }
  items.insert(items.end(), options.labels.begin(), options.labels.end());
  return pairs(items);
}

Result<Strings> env_of(const ContainerOptions& options) {
  Strings env;
  for (const std::string& file : options.env_files) {
    TRY(Strings lines, read_env_file(file, true));
    env.insert(env.end(), lines.begin(), lines.end());
  }
  Strings given = complete_env(options.env);
  env.insert(env.end(), given.begin(), given.end());
  return env;
}

Result<Value> health_of(const ContainerOptions& options) {
  Object health;
  bool wanted = !options.health_cmd.empty() || options.health_retries;
  for (auto [key, text] : {std::pair{"Interval", &options.health_interval},
                           {"Timeout", &options.health_timeout},
                           {"StartPeriod", &options.health_start_period},
                           {"StartInterval", &options.health_start_interval}}) {
    if (text->empty()) continue;
    wanted = true;
    TRY(auto duration, parse_duration(*text));
    health[key] = duration.count();
  }
  if (options.no_healthcheck) {
    if (wanted) return fail(ErrorCode::invalid, "--no-healthcheck conflicts with --health-* options");
    return Object{{"Test", Array{"NONE"}}};
  }
  if (!wanted) return nullptr;
  if (!options.health_cmd.empty()) health["Test"] = Array{"CMD-SHELL", Value(options.health_cmd)};
  put(health, "Retries", options.health_retries);
  return health;
}

// seccomp=FILE sends the profile itself, since the daemon may not see the file.
Result<Strings> security_opts(const Strings& given) {
  Strings options;
  for (const std::string& option : given) {
    auto [key, value] = split_once(option, '=');
    if (!value) std::tie(key, value) = split_once(option, ':');
    if (!value && key != "no-new-privileges") return fail(ErrorCode::invalid, "invalid --security-opt: \"{}\"", option);
    if (key != "seccomp" || *value == "unconfined" || *value == "builtin") {
      options.push_back(option);
      continue;
    }
    auto profile = sys::read_file(std::string(*value));
    if (!profile)
      return fail(ErrorCode::invalid, "opening seccomp profile ({}) failed: {}", *value, profile.error().text());
    TRY(Value parsed, annotate(json::parse(*profile), "compacting json for seccomp profile ({}) failed", *value));
    options.push_back("seccomp=" + json::print(parsed));
  }
  return options;
}

Result<Value> restart_policy(const std::string& text) {
  auto [name, count_text] = split_once(text, ':');
  std::int64_t count = 0;
  if (count_text && !count_text->empty()) {
    auto parsed = parse_number<std::int64_t>(*count_text);
    if (!parsed)
      return fail(ErrorCode::invalid, "invalid restart policy format: maximum retry count must be an integer");
    count = *parsed;
  }
  return Object{{"Name", name}, {"MaximumRetryCount", count}};
}

// "/dev/a", "/dev/a:/dev/b", "/dev/a:/dev/b:rwm", "/dev/a:rwm".
Value device_of(const std::string& text) {
  std::vector<std::string> parts = split(text, ':');
  auto is_mode = [](const std::string& part) {
    return !part.empty() && part.find_first_not_of("rwm") == std::string::npos;
  };
  std::string inside = parts[0], mode = "rwm";
  if (parts.size() == 2 && is_mode(parts[1]))
    mode = parts[1];
  else if (parts.size() >= 2 && !parts[1].empty())
    inside = parts[1];
  if (parts.size() == 3) mode = parts[2];
  return Object{{"PathOnHost", parts[0]}, {"PathInContainer", inside}, {"CgroupPermissions", mode}};
}

// A volume without a source is unnamed and belongs to the container; a source that begins with a dot is a path.
void put_volumes(const Strings& volumes, Object& config, Object& host) {
  Strings binds;
  Object unnamed;
  for (const std::string& volume : volumes) {
    auto [source, rest] = split_once(volume, ':');
    if (!rest)
      unnamed[volume] = Object{};
    else if (source.starts_with('.'))
      binds.push_back(std::filesystem::absolute(source).lexically_normal().string() + ":" + std::string(*rest));
    else
      binds.push_back(volume);
  }
  put(config, "Volumes", unnamed);
  put(host, "Binds", binds);
}

Result<Object> config_of(const ContainerOptions& o, const Strings& words, Attached attached) {
  Object config{{"Image", words.front()}};
  put(config, "Hostname", o.hostname);
  put(config, "Domainname", o.domainname);
  put(config, "User", o.user);
  put(config, "WorkingDir", o.workdir);
  config["AttachStdin"] = attached.in;
  config["AttachStdout"] = attached.out;
  config["AttachStderr"] = attached.err;
  config["Tty"] = o.tty;
  config["OpenStdin"] = o.interactive;
  config["StdinOnce"] = o.interactive && attached.in;
  TRY(Strings env, env_of(o));
  put(config, "Env", env);
  TRY(Object labels, labels_of(o));
  put(config, "Labels", labels);
  if (words.size() > 1) config["Cmd"] = json::encode(Strings(words.begin() + 1, words.end()));
  // An empty --entrypoint takes the image's away.
  if (o.entrypoint) config["Entrypoint"] = Array{Value(*o.entrypoint)};
  put(config, "MacAddress", o.mac_address);
  put(config, "StopSignal", o.stop_signal);
  put(config, "StopTimeout", o.stop_timeout);
  TRY(Value health, health_of(o));
  if (!health.is_null()) config["Healthcheck"] = health;
  return config;
}

// "/dev/sda:10mb" as {"Path": ..., "Rate": ...}.
Result<void> put_rates(Object& host, std::string_view key, const Strings& texts, bool bytes) {
  Array rates;
  for (const std::string& text : texts) {
    auto [path, value] = split_once(text, ':');
    bool weight = key == "BlkioWeightDevice";
    auto number = !value ? std::nullopt : parse_number<std::int64_t>(*value);
    if (value && bytes && !number) {
      if (auto parsed = parse_bytes(*value)) number = *parsed;
    }
    if (!value) return fail(ErrorCode::invalid, "bad format: {}", text);
    if (!path.starts_with("/dev/")) return fail(ErrorCode::invalid, "bad format for device path: {}", text);
    if (!number || *number < 0)
      return fail(ErrorCode::invalid, "invalid {} for device: {}", weight ? "weight" : "rate", text);
    rates.push_back(Object{{"Path", path}, {weight ? "Weight" : "Rate", *number}});
  }
  if (!rates.empty()) host[key] = std::move(rates);
  return {};
}

Result<void> put_block_io(const ContainerOptions& o, Object& host) {
  put(host, "BlkioWeight", o.blkio_weight);
  TRY_OK(put_rates(host, "BlkioWeightDevice", o.blkio_weight_device, false));
  TRY_OK(put_rates(host, "BlkioDeviceReadBps", o.device_read_bps, true));
  TRY_OK(put_rates(host, "BlkioDeviceWriteBps", o.device_write_bps, true));
  TRY_OK(put_rates(host, "BlkioDeviceReadIOps", o.device_read_iops, false));
  return put_rates(host, "BlkioDeviceWriteIOps", o.device_write_iops, false);
}

void put_limits(const ContainerOptions& o, Object& host) {
  put(host, "Memory", o.memory);
  put(host, "MemoryReservation", o.memory_reservation);
  put(host, "MemorySwap", o.memory_swap);
  put(host, "MemorySwappiness", o.memory_swappiness);
  put(host, "KernelMemory", o.kernel_memory);
  put(host, "ShmSize", o.shm_size);
  put(host, "CpuShares", o.cpu_shares);
  put(host, "CpuPeriod", o.cpu_period);
  put(host, "CpuQuota", o.cpu_quota);
  put(host, "NanoCpus", o.nano_cpus);
  put(host, "PidsLimit", o.pids_limit);
  put(host, "OomScoreAdj", o.oom_score_adj);
  put(host, "CpuRealtimePeriod", o.cpu_rt_period);
  put(host, "CpuRealtimeRuntime", o.cpu_rt_runtime);
  put(host, "CpusetCpus", o.cpuset_cpus);
  put(host, "CpusetMems", o.cpuset_mems);
  put(host, "OomKillDisable", o.oom_kill_disable);
}

Result<void> put_security(const ContainerOptions& o, Object& host) {
  put(host, "Privileged", o.privileged);
  put(host, "CapAdd", o.cap_add);
  put(host, "CapDrop", o.cap_drop);
  put(host, "DeviceCgroupRules", o.device_cgroup_rules);
  put(host, "ReadonlyRootfs", o.read_only);
  put(host, "UsernsMode", o.userns);
  put(host, "PidMode", o.pid);
  put(host, "IpcMode", o.ipc);
  put(host, "UTSMode", o.uts);
  put(host, "CgroupnsMode", o.cgroupns);
  put(host, "CgroupParent", o.cgroup_parent);
  put(host, "GroupAdd", o.group_add);
  put(host, "Isolation", o.isolation);
  TRY(Strings security, security_opts(o.security_opts));
  // Docker's client says this one in two members of its own.
  if (std::erase(security, "systempaths=unconfined") != 0) {
    host["MaskedPaths"] = Array{};
    host["ReadonlyPaths"] = Array{};
  }
  put(host, "SecurityOpt", security);
  put(host, "Sysctls", pairs(o.sysctls));
  Array devices, ulimits, cdi_names, requests;
  for (const std::string& device : o.devices) {
    // "vendor.com/class=name" is no path, but a name of the Container Device Interface.
    if (!device.starts_with('/') && device.contains('='))
      cdi_names.push_back(Value(device));
    else
      devices.push_back(device_of(device));
  }
  if (!devices.empty()) host["Devices"] = devices;
  for (const Value& request : o.device_requests) requests.push_back(request);
  if (!cdi_names.empty()) requests.push_back(Object{{"Driver", "cdi"}, {"DeviceIDs", std::move(cdi_names)}});
  if (!requests.empty()) host["DeviceRequests"] = std::move(requests);
  for (const std::string& text : o.ulimits) {
    TRY(Value ulimit, parse_ulimit(text));
    ulimits.push_back(ulimit);
  }
  if (!ulimits.empty()) host["Ulimits"] = ulimits;
  return {};
}

Result<void> put_network(const ContainerOptions& o, Object& config, Object& host) {
  Object bindings, exposed;
  for (const std::string& text : o.publish) TRY_OK(parse_publish(text, bindings, exposed));
  for (const std::string& text : o.expose) TRY_OK(parse_expose(text, exposed));
  put(config, "ExposedPorts", exposed);
  put(host, "PortBindings", bindings);
  put(host, "PublishAllPorts", o.publish_all);
  put(host, "ExtraHosts", o.add_hosts);
  put(host, "Dns", o.dns);
  put(host, "DnsOptions", o.dns_options);
  put(host, "DnsSearch", o.dns_search);
  put(host, "Links", o.links);
  return {};
}

Result<Object> host_config_of(const ContainerOptions& o, Object& config) {
  Object host;
  put_volumes(o.volumes, config, host);
  if (!o.mounts.empty()) host["Mounts"] = json::encode(o.mounts);
  put(host, "VolumesFrom", o.volumes_from);
  put(host, "VolumeDriver", o.volume_driver);
  Object tmpfs;
  for (const std::string& text : o.tmpfs) {
    auto [path, options] = split_once(text, ':');
    tmpfs[path] = options.value_or("");
  }
  put(host, "Tmpfs", tmpfs);
  put(host, "StorageOpt", pairs(o.storage_opts));
  put(host, "Annotations", pairs(o.annotations));
  put(host, "ContainerIDFile", o.cidfile);
  put(host, "AutoRemove", o.remove);
  put(host, "Runtime", o.runtime);
  put(host, "Init", o.init);
  if (!o.restart.empty()) {
    TRY(host["RestartPolicy"], restart_policy(o.restart));
  }
  if (!o.log_driver.empty() || !o.log_opts.empty())
    host["LogConfig"] = Object{{"Type", o.log_driver}, {"Config", pairs(o.log_opts)}};
  put_limits(o, host);
  TRY_OK(put_block_io(o, host));
  TRY_OK(put_security(o, host));
  TRY_OK(put_network(o, config, host));
  // So that the terminal has its size before the first program looks.
  if (o.tty)
    if (auto size = terminal_size(STDOUT_FILENO)) host["ConsoleSize"] = Array{size->rows, size->columns};
  return host;
}

// The name of a network that --network gives, alone or as "name=NET,alias=A,ip=10.0.0.7".
Result<std::string> parse_network(const std::string& text, Object& endpoint) {
  if (!text.contains('=')) return text;
  std::string name;
  Object ipam, driver_options;
  Strings aliases, link_local;
  for (const std::string& field : split(text, ',')) {
    auto [key, value_text] = split_once(field, '=');
    if (!value_text) return fail(ErrorCode::invalid, "invalid field {}", field);
    std::string value(*value_text);
    if (key == "name") {
      name = value;
    } else if (key == "alias") {
      aliases.push_back(value);
    } else if (key == "ip") {
      ipam["IPv4Address"] = value;
    } else if (key == "ip6") {
      ipam["IPv6Address"] = value;
    } else if (key == "link-local-ip") {
      link_local.push_back(value);
    } else if (key == "mac-address") {
      endpoint["MacAddress"] = value;
    } else if (key == "driver-opt") {
      auto [option, setting] = split_once(value, '=');
      driver_options[option] = setting.value_or("");
    } else if (key == "gw-priority") {
      auto priority = parse_number<int>(value);
      if (!priority) return fail(ErrorCode::invalid, "invalid gw-priority ({})", value);
      endpoint["GwPriority"] = *priority;
    } else {
      return fail(ErrorCode::invalid, "invalid field key {}", key);
    }
  }
  if (name.empty()) return fail(ErrorCode::invalid, "network name/id is not specified");
  put(ipam, "LinkLocalIPs", link_local);
  put(endpoint, "IPAMConfig", ipam);
  put(endpoint, "DriverOpts", driver_options);
  put(endpoint, "Aliases", aliases);
  return name;
}

// Flags that name no network are about the first.
Result<void> put_first_endpoint(const ContainerOptions& o, Object& endpoint) {
  Object ipam = endpoint.contains("IPAMConfig") ? endpoint["IPAMConfig"].get_object() : Object();
  if ((!o.ip.empty() || !o.ip6.empty() || !o.link_local_ips.empty()) && !ipam.empty())
    return fail(ErrorCode::invalid, "conflicting options: cannot specify both --ip and per-network IP address");
  if (!o.network_aliases.empty() && endpoint.contains("Aliases"))
    return fail(ErrorCode::invalid, "conflicting options: cannot specify both --network-alias and per-network alias");
  put(ipam, "IPv4Address", o.ip);
  put(ipam, "IPv6Address", o.ip6);
  put(ipam, "LinkLocalIPs", o.link_local_ips);
  put(endpoint, "IPAMConfig", ipam);
  put(endpoint, "Aliases", o.network_aliases);
  return {};
}

// The networks of --network and what is wanted of them; null when there is no more to say than the first one's name.
Result<Value> networking_of(const ContainerOptions& o, std::string& mode) {
  Object endpoints;
  bool more = o.networks.size() > 1;
  for (const std::string& text : o.networks.empty() ? Strings{"default"} : o.networks) {
    Object endpoint;
    TRY(std::string name, parse_network(text, endpoint));
    if (endpoints.contains(name)) return fail(ErrorCode::invalid, "network \"{}\" is specified multiple times", name);
    if (endpoints.empty()) {
      mode = name;
      TRY_OK(put_first_endpoint(o, endpoint));
    }
    more = more || !endpoint.empty();
    endpoints[name] = std::move(endpoint);
  }
  if (!more) return Value(nullptr);
  return Value(Object{{"EndpointsConfig", std::move(endpoints)}});
}

}  // namespace

Result<Value> make_update_body(const ContainerOptions& options) {
  Object body;
  put_limits(options, body);
  put(body, "BlkioWeight", options.blkio_weight);
  if (!options.restart.empty()) {
    TRY(body["RestartPolicy"], restart_policy(options.restart));
  }
  return body;
}

Attached attached_streams(const ContainerOptions& options, bool detached) {
  if (detached) return {};
  auto named = [&](std::string_view stream) {
    return std::ranges::find(options.attach, stream) != options.attach.end();
  };
  if (options.attach.empty()) return {options.interactive, true, true};
  return {named("stdin"), named("stdout"), named("stderr")};
}

Result<Value> make_create_body(const ContainerOptions& options, const Strings& words, Attached attached) {
  TRY(Object body, config_of(options, words, attached));
  TRY(Object host, host_config_of(options, body));
  std::string mode;
  TRY(Value networking, networking_of(options, mode));
  host["NetworkMode"] = mode;
  body["HostConfig"] = std::move(host);
  if (!networking.is_null()) body["NetworkingConfig"] = std::move(networking);
  return body;
}

}  // namespace berth::cli
