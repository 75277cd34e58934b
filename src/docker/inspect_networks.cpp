// NetworkSettings.Networks of a container.
#include <algorithm>

#include "docker/inspect.h"

namespace berth::docker {

namespace {

json::Value words_or_null(const std::vector<std::string>& words) {
  return words.empty() ? json::Value(nullptr) : json::encode(words);
}

json::Value print_ipam(const engine::AttachmentSpec& attachment) {
  json::Object ipam;
  if (!attachment.ipv4.empty()) ipam["IPv4Address"] = attachment.ipv4;
  if (!attachment.ipv6.empty()) ipam["IPv6Address"] = attachment.ipv6;
  if (!attachment.link_local.empty()) ipam["LinkLocalIPs"] = json::encode(attachment.link_local);
  return ipam.empty() ? json::Value(nullptr) : json::Value(std::move(ipam));
}

// endpoint: empty while the container does not run.
json::Object print_endpoint(const engine::AttachmentSpec& attachment, const network::Endpoint& endpoint) {
  bool there = !endpoint.id.empty();
  auto shown = [there](const network::Ip& ip) { return there ? ip.text() : ""; };
  bool v6 = endpoint.ip6.has_value();
  return json::Object{
      {"IPAMConfig", print_ipam(attachment)},
      {"Links", words_or_null(attachment.links)},
      {"Aliases", words_or_null(attachment.aliases)},
      {"MacAddress", there ? endpoint.mac.text() : attachment.mac},
      {"DriverOpts", attachment.driver_opts.empty() ? json::Value(nullptr) : json::encode(attachment.driver_opts)},
      {"GwPriority", attachment.gateway_priority},
      {"NetworkID", endpoint.network},
      {"EndpointID", endpoint.id},
      {"Gateway", shown(endpoint.gateway)},
      {"IPAddress", shown(endpoint.ip)},
      {"IPPrefixLen", endpoint.prefix},
      {"IPv6Gateway", v6 ? endpoint.gateway6.text() : ""},
      {"GlobalIPv6Address", v6 ? endpoint.ip6->text() : ""},
      {"GlobalIPv6PrefixLen", endpoint.prefix6},
      {"DNSNames", words_or_null(endpoint.names)}};
}

}  // namespace

json::Value print_networks(const Api& api, const engine::Container& container) {
  const engine::ContainerSpec& spec = container.spec();
  std::vector<network::Endpoint> endpoints = container.endpoints();
  std::vector<engine::AttachmentSpec> attachments = spec.networks;
  // Networks without interfaces of ours are shown like others.
  if (spec.network == network::kHostNetwork || spec.network == network::kNoneNetwork)
    attachments.emplace_back().network = spec.network;
  json::Object shown;
  for (const engine::AttachmentSpec& attachment : attachments) {
    network::Endpoint endpoint;
    auto found = std::ranges::find(endpoints, attachment.network, &network::Endpoint::network_name);
    if (found != endpoints.end()) endpoint = *found;
    auto network = api.networks().find(attachment.network);
    if (network && endpoint.network.empty() && container.status().started_at.is_set()) endpoint.network = network->id;
    if (network && !network->serves_names()) endpoint.names.clear();
    shown[attachment.network] = print_endpoint(attachment, endpoint);
  }
  return shown;
}

void add_old_aliases(const engine::Container& container, json::Value& inspected) {
  json::Value& networks = inspected.at("NetworkSettings").at("Networks");
  for (const network::Endpoint& endpoint : container.endpoints()) {
    if (endpoint.network_name == network::kBridgeNetwork || !networks.get_object().contains(endpoint.network_name))
      continue;
    json::Value& aliases = networks.at(endpoint.network_name).at("Aliases");
    if (!aliases.is_array()) aliases.emplace_array();
    aliases.get_array().push_back(json::Value(container.id().substr(0, 12)));
  }
}

}  // namespace berth::docker
