#include "engine/networks.h"

#include <algorithm>

#include "base/text.h"

namespace berth::engine {

namespace {

using network::kBridgeNetwork;
using network::kHostNetwork;
using network::kNoneNetwork;
using network::kWorkspacesNetwork;

bool is_user_defined(std::string_view name) {
  return name != kBridgeNetwork && name != kWorkspacesNetwork && name != kHostNetwork && name != kNoneNetwork;
}

bool has_own_networks(const ContainerSpec& spec) {
  return spec.network != kHostNetwork && spec.network != kNoneNetwork && !spec.network.starts_with("container:");
}

Result<void> check_without_networks(const ContainerSpec& spec) {
  for (const AttachmentSpec& attachment : spec.networks)
    if (attachment.network != spec.network)
      return fail(ErrorCode::invalid,
                  "container sharing network namespace with another container or host cannot be connected to any other "
                  "network");
  if (spec.network == kNoneNetwork) return {};
  if (!spec.links.empty())
    return fail(ErrorCode::invalid,
                "conflicting options: host type networking can't be used with links. This would "
                "result in undefined behavior");
  return {};
}

std::string known_name(const Engine& engine, const std::string& word) {
  auto network = engine.parts().networks.find(word);
  return network ? network->name : word;
}

// The links of the request belong to the network that it names first.
void move_links(ContainerSpec& spec) {
  if (!is_user_defined(spec.network)) return;
  for (AttachmentSpec& attachment : spec.networks) {
    if (attachment.network != spec.network) continue;
    // Clients say them in both places.
    for (const std::string& link : spec.links)
      if (std::ranges::find(attachment.links, link) == attachment.links.end()) attachment.links.push_back(link);
    spec.links.clear();
  }
}

Result<void> check_links(const Engine& engine, const ContainerSpec& spec) {
  for (const std::string& link : spec.links)
    if (auto other = engine.find(split_link(link).first); !other)
      return fail(ErrorCode::invalid, "could not get container for {}: {}", split_link(link).first,
                  other.error().text());
  return {};
}

}  // namespace

std::string host_gateway(const Engine& engine) {
  auto bridge = engine.parts().networks.find(kBridgeNetwork);
  return bridge && bridge->ipv4 ? bridge->ipv4->gateway.text() : "127.0.0.1";
}

std::pair<std::string, std::string> split_link(const std::string& link) {
  auto [name, alias] = split_once(link, ':');
  if (name.starts_with('/')) name.remove_prefix(1);
  std::string_view last = alias.value_or(name);
  if (std::size_t slash = last.rfind('/'); slash != std::string_view::npos) last.remove_prefix(slash + 1);
  return {std::string(name), std::string(last)};
}

Result<void> check_endpoint_settings(const Engine& engine, const AttachmentSpec& wanted) {
  for (const std::string* text : {&wanted.ipv4, &wanted.ipv6}) {
    if (text->empty()) continue;
    TRY(network::Ip ip, network::Ip::parse(*text));
    bool fits = ip.is_v6() == (text == &wanted.ipv6);
    if (!fits) return fail(ErrorCode::invalid, "invalid {} address: {}", ip.is_v6() ? "IPv4" : "IPv6", *text);
  }
  for (const std::string& text : wanted.link_local) TRY_OK(network::Ip::parse(text));
  if (!wanted.mac.empty()) TRY_OK(network::MacAddress::parse(wanted.mac));
  bool address = !wanted.ipv4.empty() || !wanted.ipv6.empty();
  if (is_user_defined(wanted.network)) {
    auto network = engine.parts().networks.find(wanted.network);
    if (address && network && !network->chosen_subnet)
      return fail(ErrorCode::invalid,
                  "user specified IP address is supported only when connecting to networks with user configured "
                  "subnets");
    return {};
  }
  if (address) return fail(ErrorCode::invalid, "user specified IP address is supported on user defined networks only");
  if (!wanted.aliases.empty())
    return fail(ErrorCode::invalid, "network-scoped alias is supported only for containers in user defined networks");
  return {};
}

Result<void> complete_networks(const Engine& engine, ContainerSpec& spec) {
  spec.network = spec.network.starts_with("container:") ? spec.network : known_name(engine, spec.network);
  for (AttachmentSpec& attachment : spec.networks) attachment.network = known_name(engine, attachment.network);
  if (!has_own_networks(spec)) {
    TRY_OK(check_without_networks(spec));
    spec.networks.clear();
    return {};
  }
  auto is_mode = [&](const AttachmentSpec& attachment) { return attachment.network == spec.network; };
  // Without a word about the mode, the endpoints that were asked for are all.
  bool only_default = spec.network == kBridgeNetwork && !spec.networks.empty();
  if (std::ranges::none_of(spec.networks, is_mode) && !only_default) {
    AttachmentSpec mode;
    mode.network = spec.network;
    spec.networks.insert(spec.networks.begin(), std::move(mode));
  }
  std::ranges::stable_partition(spec.networks, is_mode);
  if (auto first = std::ranges::find_if(spec.networks, is_mode); first != spec.networks.end() && first->mac.empty())
    first->mac = spec.mac_address;
  move_links(spec);
  for (const AttachmentSpec& attachment : spec.networks) {
    if (attachment.network == kHostNetwork || attachment.network == kNoneNetwork)
      return fail(ErrorCode::invalid,
                  "container cannot be connected to multiple networks with one of the networks in {} mode",
                  attachment.network == kNoneNetwork ? "private (none)" : "host");
    TRY_OK(check_endpoint_settings(engine, attachment));
  }
  return check_links(engine, spec);
}

bool wants_resolver(const Engine& engine, const ContainerSpec& spec) {
  return std::ranges::any_of(spec.networks, [&](const AttachmentSpec& attachment) {
    auto network = engine.parts().networks.find(attachment.network);
    return network && network->serves_names();
  });
}

namespace {

std::vector<std::string> link_env(const Container& parent, const Container& child, const std::string& alias,
                                  const std::string& ip) {
  std::string prefix;
  for (char c : alias) prefix += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  std::vector<std::string> env;
  bool first = true;
  for (const std::string& exposed : child.spec().exposed_ports) {
    auto [port, protocol_text] = split_once(exposed, '/');
    std::string protocol(protocol_text.value_or("tcp"));
    std::string url = fmt::format("{}://{}:{}", protocol, ip, port);
    std::string name = fmt::format("{}_PORT_{}_{}", prefix, port, protocol == "udp" ? "UDP" : "TCP");
    if (std::exchange(first, false)) env.push_back(fmt::format("{}_PORT={}", prefix, url));
    env.push_back(fmt::format("{}={}", name, url));
    env.push_back(fmt::format("{}_ADDR={}", name, ip));
    env.push_back(fmt::format("{}_PORT={}", name, port));
    env.push_back(fmt::format("{}_PROTO={}", name, protocol));
  }
  env.push_back(fmt::format("{}_NAME=/{}/{}", prefix, parent.spec().name, alias));
  for (const std::string& variable : child.spec().process.env)
    if (!variable.starts_with("HOME=") && !variable.starts_with("PATH="))
      env.push_back(fmt::format("{}_ENV_{}", prefix, variable));
  return env;
}

}  // namespace

Result<std::vector<Link>> links_of(const Engine& engine, const ContainerSpec& spec) {
  std::vector<Link> links;
  if (spec.links.empty()) return links;
  TRY(std::shared_ptr<Container> parent, engine.find(spec.id));
  for (const std::string& text : spec.links) {
    auto [name, alias] = split_link(text);
    TRY(std::shared_ptr<Container> child, engine.find(name));
    if (!child->running())
      return fail(ErrorCode::conflict, "Cannot link to a non running container: /{} AS /{}/{}", child->spec().name,
                  spec.name, alias);
    std::string ip;
    for (const network::Endpoint& endpoint : child->endpoints())
      if (endpoint.network_name == kBridgeNetwork) ip = endpoint.ip.text();
    Link link{ip, {alias, child->spec().hostname}, link_env(*parent, *child, alias, ip)};
    if (alias != child->spec().name) link.names.push_back(child->spec().name);
    links.push_back(std::move(link));
  }
  return links;
}

}  // namespace berth::engine
