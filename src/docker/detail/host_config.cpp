#include "docker/detail/host_config.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "docker/detail/resources.h"
#include "docker/fields.h"
#include "network/spec.h"

namespace berth::docker::detail {

namespace {

using engine::ContainerSpec;
using Words = std::vector<std::string>;

Result<void> decode_security(Fields& host, ContainerSpec& spec) {
  spec.privileged = host.take<bool>("Privileged");
  spec.process.privileged = spec.privileged;
  spec.cap_add = host.take_words("CapAdd").value_or(Words());
  spec.cap_drop = host.take_words("CapDrop").value_or(Words());
  spec.read_only_root = host.take<bool>("ReadonlyRootfs");
  for (const std::string& option : host.take<Words>("SecurityOpt")) {
    std::string text = option;
    std::ranges::replace(text, ':', '=');
    if (text == "no-new-privileges" || text == "no-new-privileges=true")
      spec.no_new_privileges = true;
    else if (text == "seccomp=unconfined")
      spec.seccomp_unconfined = true;
    // Neither AppArmor nor SELinux confines a container here, so there is nothing to switch off.
    else if (text != "no-new-privileges=false" && text != "apparmor=unconfined" && text != "label=disable")
      return fail(ErrorCode::invalid, "invalid --security-opt: \"{}\" is not supported by this engine", option);
  }
  // null asks for the defaults; a list, an empty one too, asks for other paths.
  for (const char* key : {"MaskedPaths", "ReadonlyPaths"})
    if (host.take_value(key) != nullptr)
      return fail(ErrorCode::invalid, "HostConfig.{} is not supported by this engine", key);
  return {};
}

Result<void> decode_namespaces(Fields& host, ContainerSpec& spec) {
  spec.pid_mode = host.take<std::string>("PidMode");
  spec.ipc_mode = host.take<std::string>("IpcMode");
  spec.uts_mode = host.take<std::string>("UTSMode");
  spec.userns_mode = host.take<std::string>("UsernsMode");
  spec.cgroupns_mode = host.take<std::string>("CgroupnsMode");
  // Docker's "shareable" differs from "private" only for containers that join it, which cannot be asked for here.
  if (spec.ipc_mode == "shareable") spec.ipc_mode = "private";
  std::string network = host.take<std::string>("NetworkMode");
  spec.network = network.empty() || network == "default" ? network::kBridgeNetwork : network;
  if (spec.network.starts_with("container:"))
    return fail(ErrorCode::invalid, "HostConfig.NetworkMode {} is not supported by this engine", spec.network);
  return {};
}

Result<void> decode_ports(const json::Value* bindings, ContainerSpec& spec) {
  if (bindings == nullptr) return {};
  if (!bindings->is_object()) return json::detail::wrong_type("HostConfig.PortBindings", "object");
  for (const auto& member : bindings->get_object()) {
    TRY(auto port, parse_port(std::string_view(member.key())));
    std::string exposed = fmt::format("{}/{}", port.first, port.second);
    if (std::ranges::find(spec.exposed_ports, exposed) == spec.exposed_ports.end())
      spec.exposed_ports.push_back(exposed);
    json::Value one = json::Array{json::Object{}};
    const json::Value& list = member.value().is_null() ? one : member.value();
    if (!list.is_array()) return json::detail::wrong_type("HostConfig.PortBindings", "array");
    for (const json::Value& value : list.get_array()) {
      Fields binding(value, "HostConfig.PortBindings");
      engine::PortSpec published{binding.take<std::string>("HostIp"), 0, port.first, port.second};
      std::string host_port = binding.take<std::string>("HostPort");
      TRY_OK(binding.finish());
      auto number = parse_number<std::uint16_t>(host_port.empty() ? "0" : host_port);
      if (!number) return fail(ErrorCode::invalid, "invalid port specification: \"{}\"", host_port);
      published.host_port = *number;
      spec.ports.push_back(std::move(published));
    }
  }
  return {};
}

Result<void> decode_log(const json::Value* value, ContainerSpec& spec) {
  if (value == nullptr) return {};
  Fields log(*value, "HostConfig.LogConfig");
  std::string driver = log.take<std::string>("Type");
  if (!driver.empty()) spec.log.driver = driver;
  for (const auto& [key, text] : log.take<std::map<std::string, std::string>>("Config")) {
    if (key == "max-size") {
      TRY(spec.log.max_size, parse_bytes(text));
    } else if (key == "max-file") {
      auto files = parse_number<int>(text);
      if (!files || *files < 1) return fail(ErrorCode::invalid, "invalid value for 'max-file': {}", text);
      spec.log.max_files = *files;
    } else {
      return fail(ErrorCode::invalid, "unknown log opt '{}' for {} log driver", key, spec.log.driver);
    }
  }
  return log.finish();
}

// Devices of the host are not given to containers yet; what is asked for is refused with Docker's reason where it has
// one.
Result<void> refuse_devices(Fields& host) {
  for (const json::Value& value : host.take<std::vector<json::Value>>("Devices")) {
    std::string path = Fields(value, "HostConfig.Devices").take<std::string>("PathOnHost");
    if (::access(path.c_str(), F_OK) != 0)
      return fail(ErrorCode::invalid,
                  "error gathering device information while adding custom device \"{}\": no such file or directory",
                  path);
    return fail(ErrorCode::invalid, "HostConfig.Devices is not supported by this engine");
  }
  for (const json::Value& value : host.take<std::vector<json::Value>>("DeviceRequests")) {
    Fields request(value, "HostConfig.DeviceRequests");
    std::string sets;
    for (const Words& set : request.take<std::vector<Words>>("Capabilities")) sets += "[" + join(set, " ") + "]";
    return fail(ErrorCode::invalid, "could not select device driver \"{}\" with capabilities: [{}]",
                request.take<std::string>("Driver"), sets);
  }
  return {};
}

Result<void> decode_tmpfs(Fields& host, ContainerSpec& spec) {
  spec.tmpfs = host.take<std::map<std::string, std::string>>("Tmpfs");
  for (const auto& [target, options] : spec.tmpfs)
    if (!target.starts_with('/'))
      return fail(ErrorCode::invalid, "invalid mount path: '{}' mount path must be absolute", target);
  return {};
}

}  // namespace

Result<std::pair<std::uint16_t, std::string>> parse_port(std::string_view text) {
  auto [number, protocol] = split_once(text, '/');
  auto port = parse_number<std::uint16_t>(number);
  std::string lower = to_lower(protocol.value_or("tcp"));
  if (!port || *port == 0 || (lower != "tcp" && lower != "udp"))
    return fail(ErrorCode::invalid, "invalid port specification: \"{}\"", text);
  return std::pair(*port, lower);
}

Result<void> decode_host_config(const json::Value& object, ContainerSpec& spec) {
  Fields host(object, "HostConfig");
  TRY_OK(decode_resources(host, spec.resources));
  TRY_OK(decode_security(host, spec));
  TRY_OK(decode_namespaces(host, spec));
  TRY_OK(decode_ports(host.take_value("PortBindings"), spec));
  TRY_OK(decode_log(host.take_value("LogConfig"), spec));
  if (const json::Value* restart = host.take_value("RestartPolicy")) {
    TRY(spec.restart, decode_restart(*restart));
  }
  TRY_OK(refuse_devices(host));
  TRY_OK(decode_tmpfs(host, spec));
  TRY_OK(decode_binds(host.take<Words>("Binds"), spec));
  if (const json::Value* mounts = host.take_value("Mounts")) TRY_OK(decode_mounts(*mounts, spec));
  spec.auto_remove = host.take<bool>("AutoRemove");
  spec.init = host.take<bool>("Init");
  spec.runtime = host.take<std::string>("Runtime");
  spec.extra_hosts = host.take<Words>("ExtraHosts");
  spec.dns = host.take<Words>("Dns");
  spec.dns_search = host.take<Words>("DnsSearch");
  spec.dns_options = host.take<Words>("DnsOptions");
  spec.process.groups = host.take<Words>("GroupAdd");
  spec.sysctls = host.take<std::map<std::string, std::string>>("Sysctls");
  spec.shm_size = host.take<std::int64_t>("ShmSize");
  spec.oom_score_adj = host.take<int>("OomScoreAdj");
  std::string isolation = host.take<std::string>("Isolation");
  if (!isolation.empty() && isolation != "default")
    return fail(ErrorCode::invalid, "invalid isolation ({}): linux only supports 'default'", isolation);
  // The client's own matters: where it wrote the id, how large its terminal was.
  host.drop({"ContainerIDFile", "ConsoleSize"});
  return host.finish();
}

}  // namespace berth::docker::detail
