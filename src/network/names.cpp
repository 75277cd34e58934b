// What the containers are called, and who answers for it.
#include <algorithm>

#include "base/text.h"
#include "network/detail/manager.h"
#include "network/guest_files.h"

namespace berth::network {

namespace {

// --dns servers are the container's own affair and asked from its place; those of the host from the host, where also a
// resolver on loopback is at home.
std::vector<Upstream> upstreams_of(const std::vector<std::string>& servers) {
  std::vector<Upstream> upstreams;
  bool own = !servers.empty();
  for (const std::string& server : own ? servers : resolvers_in(read_host_resolv_conf()))
    if (auto address = Ip::parse(server)) upstreams.push_back({*address, own});
  return upstreams;
}

// Whether one of the endpoint's names, alone or with the network's behind it, is this one, which is in lower case.
bool is_called(const Endpoint& endpoint, std::string_view name, std::string_view network_suffix) {
  return std::ranges::any_of(endpoint.names, [&](const std::string& own) {
    std::string lower = to_lower(own);
    return name == lower || (name.size() == lower.size() + network_suffix.size() && name.starts_with(lower) &&
                             name.ends_with(network_suffix));
  });
}

}  // namespace

async::Task<Result<void>> Manager::Impl::serve_names(std::string container, int netns, std::vector<std::string> servers,
                                                     bool again) {
  if (resolvers_.contains(container)) co_return Result<void>();
  Resolver::Settings settings{container, upstreams_of(servers), questions_};
  CO_TRY(auto resolver, co_await Resolver::open(loop_, *this, std::move(settings), netns, again));
  resolvers_[container] = std::move(resolver);
  co_return Result<void>();
}

Result<void> Manager::Impl::set_names(std::string_view container, std::string_view network_id,
                                      std::vector<std::string> names) {
  EndpointState* state = state_of(container, network_id);
  if (state == nullptr) return {};
  state->endpoint.names = std::move(names);
  return store_.save(state->endpoint);
}

async::Task<> Manager::Impl::close() {
  while (!resolvers_.empty()) co_await resolvers_.extract(resolvers_.begin()).mapped()->close();
}

Names::Addresses Manager::Impl::addresses_of(std::string_view container, std::string_view name) const {
  Addresses found;
  for (const Endpoint& mine : endpoints_of(container)) {
    if (!networks_.find(mine.network)->second.network.serves_names()) continue;
    std::string suffix = "." + to_lower(mine.network_name);
    std::string wanted(name);
    for (const auto& [alias, target] : mine.links)
      if (to_lower(alias) == name) wanted = to_lower(target);
    for_each_endpoint([&](const Endpoint& other) {
      if (other.network != mine.network || !is_called(other, wanted, suffix)) return;
      found.addresses.push_back(other.ip);
      if (other.ip6) found.addresses.push_back(*other.ip6);
    });
    // Nobody outside knows of this network.
    found.ours = found.ours || !found.addresses.empty() || name.ends_with(suffix);
    if (!found.addresses.empty()) break;
  }
  return found;
}

Names::Name Manager::Impl::name_of(std::string_view container, Ip address) const {
  Name found;
  for (const Endpoint& mine : endpoints_of(container)) {
    const Network& network = networks_.find(mine.network)->second.network;
    if (!network.serves_names()) continue;
    const auto& pool = address.is_v6() ? network.ipv6 : network.ipv4;
    if (!pool || !pool->subnet.contains(address)) continue;
    found.ours = true;
    for_each_endpoint([&](const Endpoint& other) {
      bool same = other.network == mine.network && (other.ip == address || other.ip6 == address);
      if (same && !other.names.empty()) found.name = other.names.front() + "." + mine.network_name;
    });
  }
  return found;
}

bool Manager::Impl::asks_outside(std::string_view container) const { return gateway_of(container) != nullptr; }

}  // namespace berth::network
