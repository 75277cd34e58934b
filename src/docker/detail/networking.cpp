// What a create or connect request says of networks and ports.
#include <algorithm>

#include "base/text.h"
#include "docker/detail/host_config.h"
#include "docker/fields.h"
#include "engine/networks.h"
#include "network/spec.h"

namespace berth::docker::detail {

namespace {

using engine::AttachmentSpec;
using engine::ContainerSpec;
using Words = std::vector<std::string>;

// "8080", "8000-8010", "" for any.
Result<void> decode_host_port(const std::string& text, engine::PortSpec& port) {
  auto [first_text, last_text] = split_once(text.empty() ? "0" : std::string_view(text), '-');
  auto first = parse_number<std::uint16_t>(first_text);
  auto last = parse_number<std::uint16_t>(last_text.value_or(first_text));
  if (!first || !last || *last < *first) return fail(ErrorCode::invalid, "invalid port specification: \"{}\"", text);
  port.host_port = *first;
  port.host_port_last = *last == *first ? std::uint16_t(0) : *last;
  return {};
}

Result<void> decode_binding(const json::Value& value, engine::PortSpec port, ContainerSpec& spec) {
  Fields binding(value, "HostConfig.PortBindings");
  port.host_ip = binding.take<std::string>("HostIp");
  std::string host_port = binding.take<std::string>("HostPort");
  TRY_OK(binding.finish());
  if (!port.host_ip.empty() && !network::Ip::parse(port.host_ip))
    return fail(ErrorCode::invalid, "invalid port specification: \"{}\"", port.host_ip);
  TRY_OK(decode_host_port(host_port, port));
  spec.ports.push_back(std::move(port));
  return {};
}

}  // namespace

Result<std::pair<std::uint16_t, std::string>> parse_port(std::string_view text) {
  auto [number, protocol] = split_once(text, '/');
  auto port = parse_number<std::uint16_t>(number);
  std::string lower = to_lower(protocol.value_or("tcp"));
  if (lower == "sctp") return fail(ErrorCode::invalid, "the protocol sctp is not supported by this engine: {}", text);
  if (!port || *port == 0 || (lower != "tcp" && lower != "udp"))
    return fail(ErrorCode::invalid, "invalid port specification: \"{}\"", text);
  return std::pair(*port, lower);
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
    for (const json::Value& value : list.get_array())
      TRY_OK(decode_binding(value, {"", 0, port.first, port.second, 0}, spec));
  }
  return {};
}

Result<void> check_extra_hosts(const Words& hosts) {
  for (const std::string& line : hosts) {
    auto [name, address] = split_once(line, ':');
    bool good = !name.empty() && address &&
                (*address == engine::kHostGateway || network::Ip::parse(*address).has_value()) &&
                line.find_first_of(" \t\n\r") == std::string::npos;
    if (!good) return fail(ErrorCode::invalid, "bad format for add-host: \"{}\"", line);
  }
  return {};
}

Result<AttachmentSpec> decode_endpoint(std::string network, const json::Value* settings, std::string path) {
  AttachmentSpec attachment;
  attachment.network = std::move(network);
  if (settings == nullptr || settings->is_null()) return attachment;
  Fields fields(*settings, path);
  attachment.aliases = fields.take<Words>("Aliases");
  attachment.links = fields.take<Words>("Links");
  attachment.mac = fields.take<std::string>("MacAddress");
  attachment.driver_opts = fields.take<std::map<std::string, std::string>>("DriverOpts");
  attachment.gateway_priority = fields.take<int>("GwPriority");
  if (const json::Value* value = fields.take_value("IPAMConfig")) {
    Fields ipam(*value, path + ".IPAMConfig");
    attachment.ipv4 = ipam.take<std::string>("IPv4Address");
    attachment.ipv6 = ipam.take<std::string>("IPv6Address");
    attachment.link_local = ipam.take<Words>("LinkLocalIPs");
    TRY_OK(ipam.finish());
  }
  // What inspect says of an endpoint that is there; clients that copy a container send it along.
  fields.drop({"NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6Address",
               "GlobalIPv6PrefixLen", "DNSNames"});
  TRY_OK(fields.finish());
  return attachment;
}

Result<void> decode_networking(const json::Value& object, ContainerSpec& spec) {
  Fields networking(object, "NetworkingConfig");
  const json::Value* endpoints = networking.take_value("EndpointsConfig");
  TRY_OK(networking.finish());
  if (endpoints == nullptr) return {};
  if (!endpoints->is_object()) return json::detail::wrong_type("NetworkingConfig.EndpointsConfig", "object");
  for (const auto& member : endpoints->get_object()) {
    std::string name(member.key());
    std::string path = "NetworkingConfig.EndpointsConfig." + name;
    if (name == "default") name = network::kBridgeNetwork;
    TRY(AttachmentSpec attachment, decode_endpoint(name, &member.value(), std::move(path)));
    spec.networks.push_back(std::move(attachment));
  }
  return {};
}

}  // namespace berth::docker::detail
