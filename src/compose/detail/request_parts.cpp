#include "compose/detail/request_parts.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/time.h"
#include "sys/file.h"

namespace berth::compose {

namespace {

const json::Value* find_in(const json::Value* value, std::string_view key) {
  return value == nullptr ? nullptr : json::find(*value, key);
}

std::int64_t nano_cpus(const json::Value& cpus) {
  double count = cpus.is_double() ? cpus.get_double() : static_cast<double>(cpus.is_int64() ? cpus.get_int64() : 0);
  return std::llround(count * 1e9);
}

void add_anonymous_source(RequestParts& parts, json::Object& mount, const std::string& target) {
  if (auto found = parts.plan.inherited_volumes.find(target); found != parts.plan.inherited_volumes.end())
    mount["Source"] = found->second;
}

// Docker makes the directory of a missing bind source only for the short form.
std::string bind_text(const json::Value& mount) {
  std::vector<std::string> options;
  if (json::bool_or(mount, "read_only")) options.emplace_back("ro");
  if (const json::Value* bind = json::find(mount, "bind"))
    for (std::string_view key : {"selinux", "propagation"})
      if (std::string option = json::string_or(*bind, key); !option.empty()) options.push_back(std::move(option));
  std::string text = fmt::format("{}:{}", json::string_or(mount, "source"), json::string_or(mount, "target"));
  return options.empty() ? text : fmt::format("{}:{}", text, join(options, ","));
}

bool creates_host_path(const json::Value& mount) {
  const json::Value* bind = json::find(mount, "bind");
  return bind == nullptr || json::bool_or(*bind, "create_host_path", true);
}

json::Object mount_request(RequestParts& parts, const json::Value& mount) {
  std::string type = json::string_or(mount, "type"), source = json::string_or(mount, "source");
  std::string target = json::string_or(mount, "target");
  json::Object request{{"Type", type}, {"Target", target}};
  if (json::bool_or(mount, "read_only")) request["ReadOnly"] = true;
  if (type == "bind") {
    request["Source"] = source;
    if (const json::Value* bind = json::find(mount, "bind"))
      if (std::string propagation = json::string_or(*bind, "propagation"); !propagation.empty())
        request["BindOptions"] = json::Object{{"Propagation", propagation}};
  } else if (type == "volume") {
    if (source.empty())
      add_anonymous_source(parts, request, target);
    else
      request["Source"] = parts.project.volumes.find(source)->second.name;
    json::Object options;
    const json::Value* volume = json::find(mount, "volume");
    if (find_in(volume, "nocopy") != nullptr) options["NoCopy"] = json::bool_or(*volume, "nocopy");
    if (const json::Value* subpath = find_in(volume, "subpath")) options["Subpath"] = *subpath;
    if (const json::Value* labels = find_in(volume, "labels")) options["Labels"] = *labels;
    if (!options.empty()) request["VolumeOptions"] = std::move(options);
  } else {
    json::Object options;
    const json::Value* tmpfs = json::find(mount, "tmpfs");
    if (const json::Value* size = find_in(tmpfs, "size")) options["SizeBytes"] = *size;
    if (const json::Value* mode = find_in(tmpfs, "mode")) options["Mode"] = *mode;
    if (!options.empty()) request["TmpfsOptions"] = std::move(options);
  }
  return request;
}

void push_text(json::Object& object, std::string_view key, const std::string& text) {
  json::Value& list = object[key];
  if (!list.is_array()) list.emplace_array();
  list.get_array().push_back(boost::json::string(text));
}

void push_value(json::Object& object, std::string_view key, json::Value value) {
  json::Value& list = object[key];
  if (!list.is_array()) list.emplace_array();
  list.get_array().push_back(std::move(value));
}

std::string place_of_file(const json::Value& reference, bool secret) {
  std::string target = json::string_or(reference, "target");
  if (target.empty()) target = json::string_or(reference, "source");
  if (target.starts_with('/')) return target;
  return (secret ? "/run/secrets/" : "/") + target;
}

Result<void> add_file(RequestParts& parts, const json::Value& reference, const Resource& resource, bool secret) {
  std::string target = place_of_file(reference, secret), file = json::string_or(resource.config, "file");
  bool owned = false;
  for (std::string_view key : {"uid", "gid", "mode"}) owned |= json::find(reference, key) != nullptr;
  if (!file.empty() && !owned) {
    push_text(parts.host, "Binds", fmt::format("{}:{}:ro", file, target));
    return {};
  }
  InjectedFile injected{.path = target, .content = json::string_or(resource.config, "content")};
  if (!file.empty()) {
    TRY(injected.content,
        annotate(sys::read_file(file, 1 << 20), "{} \"{}\"", secret ? "secret" : "config", resource.key));
  }
  injected.mode = static_cast<std::uint32_t>(json::int_or(reference, "mode", 0444)) & 07777;
  for (auto [key, id] : {std::pair("uid", &injected.uid), std::pair("gid", &injected.gid)}) {
    std::string text = json::string_or(reference, key);
    if (text.empty()) continue;
    auto number = parse_number<std::uint32_t>(text);
    if (!number)
      return fail(ErrorCode::invalid, "services.{}: the {} of \"{}\" must be a number", parts.service.name, key,
                  resource.key);
    *id = *number;
  }
  parts.request.files.push_back(std::move(injected));
  return {};
}

json::Object endpoint_of(RequestParts& parts, const json::Value& attachment) {
  json::Object endpoint;
  json::Array aliases;
  if (parts.plan.use_aliases) {
    aliases.push_back(boost::json::string(parts.plan.name));
    aliases.push_back(boost::json::string(parts.service.name));
  }
  if (const json::Value* own = json::find(attachment, "aliases"); own != nullptr && parts.plan.use_aliases)
    for (const json::Value& alias : own->get_array()) aliases.push_back(alias);
  if (!aliases.empty()) endpoint["Aliases"] = std::move(aliases);
  json::Object ipam;
  for (auto [key, field] : {std::pair("ipv4_address", "IPv4Address"), std::pair("ipv6_address", "IPv6Address"),
                            std::pair("link_local_ips", "LinkLocalIPs")})
    if (const json::Value* value = json::find(attachment, key)) ipam[field] = *value;
  if (!ipam.empty()) endpoint["IPAMConfig"] = std::move(ipam);
  for (auto [key, field] : {std::pair("mac_address", "MacAddress"), std::pair("driver_opts", "DriverOpts"),
                            std::pair("gw_priority", "GwPriority")})
    if (const json::Value* value = json::find(attachment, key)) endpoint[field] = *value;
  if (std::string name = json::string_or(attachment, "interface_name"); !name.empty())
    endpoint["DriverOpts"].emplace_object()["com.docker.network.endpoint.ifname"] = name;

  // Every container of a linked service answers to the alias, and to its own name.
  auto add_link = [&](const std::string& container, std::string_view alias) {
    push_text(endpoint, "Links", fmt::format("{}:{}", container, alias));
  };
  if (const json::Value* links = parts.find("links"))
    for (const json::Value& link : links->get_array()) {
      auto [service, alias] = split_once(std::string_view(link.get_string()), ':');
      if (auto found = parts.plan.linked.find(service); found != parts.plan.linked.end())
        for (const std::string& container : found->second) add_link(container, alias.value_or(service));
    }
  if (const json::Value* links = parts.find("external_links"))
    for (const json::Value& link : links->get_array()) {
      auto [container, alias] = split_once(std::string_view(link.get_string()), ':');
      add_link(std::string(container), alias.value_or(container));
    }
  return endpoint;
}

}  // namespace

void add_ports(RequestParts& parts) {
  json::Object exposed, bindings;
  if (const json::Value* list = parts.find("expose"))
    for (const json::Value& item : list->get_array()) {
      auto [range, protocol] = split_once(std::string_view(item.get_string()), '/');
      auto [first_text, last_text] = split_once(range, '-');
      unsigned first = parse_number<std::uint16_t>(first_text).value_or(0);
      unsigned last = parse_number<std::uint16_t>(last_text.value_or(first_text)).value_or(0);
      for (unsigned port = first; port <= last; ++port)
        exposed[fmt::format("{}/{}", port, protocol.value_or("tcp"))] = json::Object{};
    }
  if (const json::Value* list = parts.find("ports"))
    for (const json::Value& port : list->get_array()) {
      std::string key = fmt::format("{}/{}", json::int_or(port, "target"), json::string_or(port, "protocol", "tcp"));
      exposed[key] = json::Object{};
      push_value(
          bindings, key,
          json::Object{{"HostIp", json::string_or(port, "host_ip")}, {"HostPort", json::string_or(port, "published")}});
    }
  if (!exposed.empty()) parts.request.body["ExposedPorts"] = std::move(exposed);
  if (!bindings.empty()) parts.host["PortBindings"] = std::move(bindings);
}

Result<void> add_mounts(RequestParts& parts) {
  std::map<std::string, bool> targets;
  if (const json::Value* list = parts.find("volumes"))
    for (const json::Value& mount : list->get_array()) {
      targets[json::string_or(mount, "target")] = true;
      if (json::string_or(mount, "type") == "bind" && creates_host_path(mount))
        push_text(parts.host, "Binds", bind_text(mount));
      else
        push_value(parts.host, "Mounts", mount_request(parts, mount));
    }
  // The image's own volumes keep what the container before this one had in them.
  for (const auto& [target, name] : parts.plan.inherited_volumes)
    if (!targets.contains(target))
      push_value(parts.host, "Mounts", json::Object{{"Type", "volume"}, {"Source", name}, {"Target", target}});
  if (const json::Value* list = parts.find("tmpfs")) {
    json::Object tmpfs;
    for (const json::Value& item : list->get_array()) {
      auto [path, options] = split_once(std::string_view(item.get_string()), ':');
      tmpfs[path] = options.value_or("");
    }
    parts.host["Tmpfs"] = std::move(tmpfs);
  }
  if (const json::Value* list = parts.find("volumes_from"))
    for (const json::Value& item : list->get_array()) {
      std::string source(item.get_string());
      if (source.starts_with("container:")) {
        push_text(parts.host, "VolumesFrom", source.substr(10));
        continue;
      }
      auto [service, mode] = split_once(source, ':');
      auto found = parts.plan.shared.find(service);
      if (found == parts.plan.shared.end())
        return fail(ErrorCode::conflict, "cannot share volume with service {}: container missing", service);
      push_text(parts.host, "VolumesFrom", mode ? fmt::format("{}:{}", found->second, *mode) : found->second);
    }
  return {};
}

Result<void> add_files(RequestParts& parts) {
  for (bool secret : {false, true}) {
    const json::Value* list = parts.find(secret ? "secrets" : "configs");
    if (list == nullptr) continue;
    const Resources& resources = secret ? parts.project.secrets : parts.project.configs;
    for (const json::Value& reference : list->get_array())
      TRY_OK(add_file(parts, reference, resources.find(json::string_or(reference, "source"))->second, secret));
  }
  return {};
}

Result<void> add_networks(RequestParts& parts) {
  TRY(std::string mode, shared_namespace(parts, "network_mode"));
  if (std::string mac = json::string_or(parts.service.config, "mac_address"); !mac.empty())
    parts.request.body["MacAddress"] = mac;
  if (!mode.empty()) {
    parts.host["NetworkMode"] = mode;
    return {};
  }
  const json::Value* networks = parts.find("networks");
  if (networks == nullptr || networks->get_object().empty()) {
    parts.host["NetworkMode"] = "none";
    return {};
  }
  struct Attachment {
    double priority;
    std::string key;
    const json::Value* value;
  };
  std::vector<Attachment> attachments;
  for (const auto& item : networks->get_object()) {
    const json::Value* priority = json::find(item.value(), "priority");
    double weight = priority == nullptr     ? 0
                    : priority->is_double() ? priority->get_double()
                                            : static_cast<double>(priority->get_int64());
    attachments.push_back({weight, std::string(item.key()), &item.value()});
  }
  std::ranges::sort(attachments, [](const Attachment& a, const Attachment& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.key < b.key;
  });
  // Engines before API 1.44 take one network at the creation; the others are connected afterwards.
  for (const Attachment& attachment : attachments) {
    const std::string& name = parts.project.networks.find(attachment.key)->second.name;
    json::Object endpoint = endpoint_of(parts, *attachment.value);
    if (&attachment != &attachments.front()) {
      parts.request.networks.emplace_back(name, std::move(endpoint));
      continue;
    }
    parts.host["NetworkMode"] = name;
    parts.request.body["NetworkingConfig"] =
        json::Object{{"EndpointsConfig", json::Object{{name, std::move(endpoint)}}}};
  }
  return {};
}

void add_limits(RequestParts& parts) {
  if (const json::Value* cpus = parts.find("cpus")) parts.host["NanoCpus"] = nano_cpus(*cpus);
  const json::Value* deploy = parts.find("deploy");
  const json::Value* resources = find_in(deploy, "resources");
  const json::Value* limits = find_in(resources, "limits");
  if (const json::Value* cpus = find_in(limits, "cpus")) parts.host["NanoCpus"] = nano_cpus(*cpus);
  if (const json::Value* memory = find_in(limits, "memory")) parts.host["Memory"] = *memory;
  if (const json::Value* pids = find_in(limits, "pids")) parts.host["PidsLimit"] = *pids;
  const json::Value* reservations = find_in(resources, "reservations");
  if (const json::Value* memory = find_in(reservations, "memory")) parts.host["MemoryReservation"] = *memory;
}

void add_devices(RequestParts& parts) {
  if (const json::Value* list = parts.find("devices"))
    for (const json::Value& device : list->get_array()) {
      std::string source = json::string_or(device, "source");
      push_value(parts.host, "Devices",
                 json::Object{{"PathOnHost", source},
                              {"PathInContainer", json::string_or(device, "target", source)},
                              {"CgroupPermissions", json::string_or(device, "permissions", "rwm")}});
    }
  auto add_requests = [&](const json::Value* list, bool gpus) {
    if (list == nullptr) return;
    for (const json::Value& item : list->get_array()) {
      json::Object request;
      if (const json::Value* driver = json::find(item, "driver")) request["Driver"] = *driver;
      if (const json::Value* ids = json::find(item, "device_ids")) request["DeviceIDs"] = *ids;
      if (const json::Value* options = json::find(item, "options")) request["Options"] = *options;
      if (const json::Value* count = json::find(item, "count"))
        request["Count"] = *count;
      else if (json::find(item, "device_ids") == nullptr)
        request["Count"] = -1;
      const json::Value* capabilities = json::find(item, "capabilities");
      json::Array words = capabilities == nullptr ? json::Array() : capabilities->get_array();
      if (gpus) words.push_back("gpu");
      request["Capabilities"] = json::Array{json::Value(std::move(words))};
      push_value(parts.host, "DeviceRequests", std::move(request));
    }
  };
  add_requests(parts.find("gpus"), true);
  add_requests(find_in(find_in(find_in(parts.find("deploy"), "resources"), "reservations"), "devices"), false);
}

void add_block_io(RequestParts& parts) {
  const json::Value* config = parts.find("blkio_config");
  if (config == nullptr) return;
  if (const json::Value* weight = json::find(*config, "weight")) parts.host["BlkioWeight"] = *weight;
  struct Rate {
    std::string_view key, field, from, to;
  };
  static constexpr Rate kRates[] = {{"weight_device", "BlkioWeightDevice", "weight", "Weight"},
                                    {"device_read_bps", "BlkioDeviceReadBps", "rate", "Rate"},
                                    {"device_read_iops", "BlkioDeviceReadIOps", "rate", "Rate"},
                                    {"device_write_bps", "BlkioDeviceWriteBps", "rate", "Rate"},
                                    {"device_write_iops", "BlkioDeviceWriteIOps", "rate", "Rate"}};
  for (const Rate& rate : kRates)
    if (const json::Value* list = json::find(*config, rate.key))
      for (const json::Value& item : list->get_array())
        push_value(parts.host, rate.field,
                   json::Object{{"Path", json::string_or(item, "path")}, {rate.to, json::int_or(item, rate.from)}});
}

Result<void> add_health(RequestParts& parts) {
  const json::Value* health = parts.find("healthcheck");
  if (health == nullptr) return {};
  json::Object request;
  if (json::bool_or(*health, "disable")) {
    request["Test"] = json::Array{"NONE"};
    parts.request.body["Healthcheck"] = std::move(request);
    return {};
  }
  if (const json::Value* test = json::find(*health, "test")) request["Test"] = *test;
  if (const json::Value* retries = json::find(*health, "retries")) request["Retries"] = *retries;
  for (auto [key, field] : {std::pair("interval", "Interval"), std::pair("timeout", "Timeout"),
                            std::pair("start_period", "StartPeriod"), std::pair("start_interval", "StartInterval")}) {
    std::string text = json::string_or(*health, key);
    if (text.empty()) continue;
    TRY(auto duration, parse_duration(text));
    request[field] = duration.count();
  }
  parts.request.body["Healthcheck"] = std::move(request);
  return {};
}

}  // namespace berth::compose
