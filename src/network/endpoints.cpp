// The containers' places in their networks.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "network/detail/host.h"
#include "network/detail/manager.h"

namespace berth::network {

void Manager::Impl::for_each_endpoint(const std::function<void(const Endpoint&)>& visit) const {
  for (const auto& [container, states] : endpoints_)
    for (const EndpointState& state : states) visit(state.endpoint);
}

std::vector<Endpoint> Manager::Impl::endpoints_of(std::string_view container) const {
  std::vector<Endpoint> list;
  if (auto mine = endpoints_.find(container); mine != endpoints_.end())
    for (const EndpointState& state : mine->second) list.push_back(state.endpoint);
  return list;
}

std::vector<Endpoint> Manager::Impl::endpoints_in(std::string_view network_id) const {
  std::vector<Endpoint> list;
  for_each_endpoint([&](const Endpoint& endpoint) {
    if (endpoint.network == network_id) list.push_back(endpoint);
  });
  return list;
}

Manager::Impl::EndpointState* Manager::Impl::state_of(std::string_view container, std::string_view network_id) {
  auto mine = endpoints_.find(container);
  if (mine == endpoints_.end()) return nullptr;
  auto found = std::ranges::find_if(mine->second,
                                    [&](const EndpointState& state) { return state.endpoint.network == network_id; });
  return found == mine->second.end() ? nullptr : &*found;
}

const Endpoint* Manager::Impl::gateway_of(std::string_view container, std::string_view except) const {
  auto mine = endpoints_.find(container);
  if (mine == endpoints_.end()) return nullptr;
  const Endpoint* best = nullptr;
  for (const EndpointState& state : mine->second) {
    if (state.endpoint.id == except || networks_.find(state.endpoint.network)->second.network.internal) continue;
    if (best == nullptr || state.endpoint.priority > best->priority) best = &state.endpoint;
  }
  return best;
}

// ---- what an endpoint takes

Result<void> Manager::Impl::check_free(const EndpointSpec& spec, const Network& network) const {
  if (!has_bridge(network))
    return fail(ErrorCode::invalid, "container cannot be attached to the {} network", network.name);
  Result<void> result;
  for_each_endpoint([&](const Endpoint& other) {
    if (other.network != network.id) return;
    if (other.container == spec.container)
      result = fail(ErrorCode::denied, "endpoint with name {} already exists in network {}", spec.container_name,
                    network.name);
    else if (spec.mac && other.mac == *spec.mac)
      result =
          fail(ErrorCode::conflict, "MAC address {} is already in use in network {}", spec.mac->text(), network.name);
  });
  return result;
}

void Manager::Impl::name_interfaces(Endpoint& endpoint) const {
  std::set<std::string> inside, outside;
  for_each_endpoint([&](const Endpoint& other) {
    outside.insert(other.host_interface);
    if (other.container == endpoint.container) inside.insert(other.guest_interface);
  });
  std::size_t index = 0;
  do endpoint.guest_interface = fmt::format("eth{}", index++);
  while (inside.contains(endpoint.guest_interface));
  do endpoint.host_interface = veth_name(config_.prefix, endpoint.container);
  while (outside.contains(endpoint.host_interface));
}

namespace {

// The same port on all the addresses, or none.
Result<Reserved> reserve_at(const PortRequest& request, std::uint16_t host_port, const std::vector<Ip>& addresses) {
  Reserved reserved;
  for (Ip address : addresses) {
    PublishedPort port{request.protocol, address, host_port, request.container_port};
    TRY(PortReservation reservation, PortReservation::take(port));
    host_port = port.host_port;
    reserved.ports.push_back(std::move(port));
    reserved.reservations.push_back(std::move(reservation));
  }
  return reserved;
}

Result<Reserved> reserve_one(const PortRequest& request, const std::vector<Ip>& addresses) {
  // A free port of one family may be taken in the other.
  constexpr int kAttempts = 16;
  std::uint16_t last = std::max(request.host_port, request.host_port_last);
  std::uint16_t port = request.host_port;
  for (int attempt = 1;; ++attempt) {
    auto reserved = reserve_at(request, port, addresses);
    bool over = request.host_port == 0 ? attempt == kAttempts : port == last;
    if (reserved || over) return reserved;
    if (request.host_port != 0) ++port;
  }
}

}  // namespace

Result<Reserved> reserve(const std::vector<PortRequest>& requests, const Network& network, bool has_ipv6) {
  Reserved all;
  for (const PortRequest& request : requests) {
    std::vector<Ip> addresses;
    if (request.host_ip) {
      if (request.host_ip->is_v6() && !has_ipv6)
        return fail(ErrorCode::invalid,
                    "a port cannot be published on {}: the container has no IPv6 address in the network {}",
                    request.host_ip->text(), network.name);
      addresses = {*request.host_ip};
    } else {
      addresses = {Ip::parse(network.option(kOptionHostBinding)).value_or(Ip())};
      if (has_ipv6) addresses.push_back(Ip::v6(0));
    }
    TRY(Reserved one, reserve_one(request, addresses));
    std::ranges::move(one.ports, std::back_inserter(all.ports));
    std::ranges::move(one.reservations, std::back_inserter(all.reservations));
  }
  return all;
}

void Manager::Impl::NetworkState::give_back(const Endpoint& endpoint) {
  if (ipv4) ipv4->give_back(endpoint.ip);
  if (ipv6 && endpoint.ip6) ipv6->give_back(*endpoint.ip6);
}

Result<void> Manager::Impl::NetworkState::take_again(const Endpoint& endpoint) {
  if (!ipv4) return fail(ErrorCode::invalid, "the network {} has no addresses", network.name);
  TRY_OK(ipv4->take(endpoint.ip));
  if (ipv6 && endpoint.ip6) TRY_OK(ipv6->take(*endpoint.ip6));
  return {};
}

Result<void> Manager::Impl::take_addresses(const EndpointSpec& spec, NetworkState& state, Endpoint& endpoint) const {
  auto take = [](AddressPool& pool, const std::optional<Ip>& wanted) -> Result<Ip> {
    if (!wanted) return pool.take();
    TRY_OK(pool.take(*wanted));
    return *wanted;
  };
  if (spec.ip6 && !state.ipv6)
    return fail(ErrorCode::invalid, "no configured subnet contains IP address {}", spec.ip6->text());
  TRY(endpoint.ip, take(*state.ipv4, spec.ip));
  endpoint.prefix = state.network.ipv4->subnet.prefix();
  endpoint.gateway = state.network.ipv4->gateway;
  if (!state.ipv6) return {};
  auto taken = take(*state.ipv6, spec.ip6);
  if (!taken) {
    state.ipv4->give_back(endpoint.ip);
    return std::unexpected(std::move(taken).error());
  }
  endpoint.ip6 = *taken;
  endpoint.prefix6 = state.network.ipv6->subnet.prefix();
  endpoint.gateway6 = state.network.ipv6->gateway;
  return {};
}

// The endpoint on disk and in memory, its addresses and ports taken; the kernel's part is still to do.
Result<Endpoint> Manager::Impl::claim(const EndpointSpec& spec, NetworkState& state) {
  const Network& network = state.network;
  TRY_OK(check_free(spec, network));
  Endpoint endpoint{.id = random_hex(32),
                    .container = spec.container,
                    .container_name = spec.container_name,
                    .network = network.id,
                    .network_name = network.name,
                    .link_local = spec.link_local,
                    .priority = spec.priority,
                    .names = spec.names,
                    .links = spec.links};
  TRY(Reserved reserved, reserve(spec.ports, network, network.ipv6.has_value()));
  endpoint.ports = std::move(reserved.ports);
  TRY_OK(take_addresses(spec, state, endpoint));
  endpoint.mac = spec.mac.value_or(MacAddress::from_address(endpoint.ip));
  name_interfaces(endpoint);
  if (auto saved = store_.save(endpoint); !saved) {
    state.give_back(endpoint);
    return std::unexpected(std::move(saved).error());
  }
  endpoints_[endpoint.container].push_back({endpoint, std::move(reserved.reservations)});
  return endpoint;
}

void Manager::Impl::forget(const Endpoint& endpoint) {
  if (auto removed = store_.remove(endpoint); !removed)
    log::warning("endpoint record left behind", {{"container", endpoint.container}, {"error", removed.error().text()}});
  if (auto network = networks_.find(endpoint.network); network != networks_.end()) network->second.give_back(endpoint);
  auto mine = endpoints_.find(endpoint.container);
  if (mine == endpoints_.end()) return;
  std::erase_if(mine->second, [&](const EndpointState& state) { return state.endpoint.id == endpoint.id; });
  if (mine->second.empty()) endpoints_.erase(mine);
}

// ---- attach and detach

async::Task<Result<Endpoint>> Manager::Impl::attach(EndpointSpec spec, int netns) {
  CO_TRY(Network network, find(spec.network));
  CO_TRY(Endpoint endpoint, claim(spec, networks_.find(network.id)->second));
  crash_point("attach.claimed");
  const Endpoint* gateway = gateway_of(endpoint.container);
  bool default_route = gateway != nullptr && gateway->id == endpoint.id;
  auto work = [firewall = firewall_, network, endpoint, default_route, netns] {
    return connect_endpoint(*firewall, {network, endpoint, default_route}, netns);
  };
  auto connected = co_await loop_.blocking(std::move(work));
  crash_point("attach.connected");
  if (connected) co_return endpoint;
  forget(endpoint);
  co_return std::unexpected(std::move(connected).error());
}

// The container has ended, so its namespace, and with it the interface, goes by itself, many at a time and cheaper than
// one by one. What is still there after a while is deleted. Uses nothing of the manager, which may go meanwhile.
async::Task<> Manager::Impl::reap(async::Loop& loop, std::shared_ptr<std::set<std::string>> retired) {
  constexpr std::chrono::seconds kPatience(2);
  while (!retired->empty()) {
    co_await async::sleep_for(kPatience);
    if (co_await async::cancelled()) co_return;
    auto work = [names = std::exchange(*retired, {})]() -> Result<void> {
      for (const std::string& name : names) TRY_OK(delete_link(name));
      return {};
    };
    if (auto deleted = co_await loop.blocking(std::move(work)); !deleted)
      log::warning("interface left behind", {{"error", deleted.error().text()}});
  }
}

void Manager::Impl::retire(const std::string& interface) {
  retired_->insert(interface);
  if (retired_->size() == 1) reapers_.spawn("reap interfaces", reap(loop_, retired_));
}

async::Task<Result<void>> Manager::Impl::cut_off(Endpoint endpoint) {
  auto work = [firewall = firewall_, network = networks_.find(endpoint.network)->second.network, endpoint] {
    return disconnect_endpoint(*firewall, network, endpoint);
  };
  CO_TRY_OK(co_await loop_.blocking(std::move(work)));
  crash_point("detach.cut-off");
  forget(endpoint);
  co_return Result<void>();
}

async::Task<Result<void>> Manager::Impl::detach(std::string container) {
  if (auto resolver = resolvers_.extract(container)) co_await resolver.mapped()->close();
  for (const Endpoint& endpoint : endpoints_of(container)) {
    CO_TRY_OK(co_await cut_off(endpoint));
    retire(endpoint.host_interface);
  }
  co_return Result<void>();
}

// The ports go to the heir's record before the former one goes: whoever has both finds the same in them
// (load_endpoint).
Result<void> Manager::Impl::bequeath(EndpointState& former) {
  const Endpoint* heir = gateway_of(former.endpoint.container, former.endpoint.id);
  if (heir == nullptr || former.endpoint.ports.empty()) return {};
  EndpointState& state = *state_of(heir->container, heir->network);
  state.endpoint.ports = former.endpoint.ports;
  if (!heir->ip6) std::erase_if(state.endpoint.ports, [](const PublishedPort& port) { return port.host_ip.is_v6(); });
  state.ports = std::move(former.ports);
  return store_.save(state.endpoint);
}

async::Task<Result<void>> Manager::Impl::restore_route(std::string container, int netns) {
  const Endpoint* gateway = gateway_of(container);
  if (gateway == nullptr) co_return Result<void>();
  Network network = networks_.find(gateway->network)->second.network;
  auto work = [firewall = firewall_, network, endpoint = *gateway, netns]() -> Result<void> {
    TRY_OK(firewall->add(elements_of(network, endpoint)));
    return route_by(endpoint, netns);
  };
  co_return co_await loop_.blocking(std::move(work));
}

async::Task<Result<void>> Manager::Impl::detach_one(std::string container, std::string network_name, int netns) {
  CO_TRY(Network network, find(network_name));
  EndpointState* state = state_of(container, network.id);
  if (state == nullptr)
    co_return fail(ErrorCode::denied, "container {} is not connected to network {}", container, network.name);
  Endpoint endpoint = state->endpoint;
  const Endpoint* gateway = gateway_of(container);
  bool was_gateway = gateway != nullptr && gateway->id == endpoint.id;
  CO_TRY_OK(bequeath(*state));
  CO_TRY_OK(co_await cut_off(endpoint));
  auto unlink = [name = endpoint.host_interface] { return delete_link(name); };
  CO_TRY_OK(co_await loop_.blocking(std::move(unlink)));
  if (was_gateway || !endpoint.ports.empty()) co_return co_await restore_route(std::move(container), netns);
  co_return Result<void>();
}

// ---- sweeping

std::vector<std::string> Manager::Impl::unclaimed(const std::vector<Link>& links) const {
  std::set<std::string> claimed;
  for (const auto& [id, state] : networks_) claimed.insert(state.network.interface);
  for_each_endpoint([&](const Endpoint& endpoint) { claimed.insert(endpoint.host_interface); });
  std::vector<std::string> names;
  for (const Link& link : links)
    if (is_ours(config_.prefix, link) && !claimed.contains(link.name)) names.push_back(link.name);
  return names;
}

// Takes the ports of endpoints of a former run again. Who has bound one meanwhile gets nothing there, since the rule
// still forwards it; that is worth a warning, not the end of a running container's network.
void Manager::Impl::reserve_ports() {
  for (auto& [container, states] : endpoints_) {
    for (EndpointState& state : states) {
      if (!state.ports.empty()) continue;
      for (PublishedPort& port : state.endpoint.ports) {
        auto reservation = PortReservation::take(port);
        if (reservation)
          state.ports.push_back(*std::move(reservation));
        else
          log::warning("published port is bound by another program",
                       {{"container", container}, {"error", reservation.error().text()}});
      }
    }
  }
}

async::Task<Result<Manager::Swept>> Manager::Impl::sweep(std::set<std::string> live) {
  Swept swept;
  std::vector<Endpoint> dead;
  for_each_endpoint([&](const Endpoint& endpoint) {
    if (!live.contains(endpoint.container)) dead.push_back(endpoint);
  });
  for (const Endpoint& endpoint : dead) {
    CO_TRY_OK(co_await cut_off(endpoint));
    auto unlink = [name = endpoint.host_interface] { return delete_link(name); };
    CO_TRY_OK(co_await loop_.blocking(std::move(unlink)));
    ++swept.endpoints;
  }
  reserve_ports();
  CO_TRY(std::vector<Link> links, co_await loop_.blocking(list_links));
  // Chosen now, when nothing has been awaited since: what an attach under way has claimed is not among them.
  std::vector<std::string> names = unclaimed(links);
  swept.interfaces = names.size();
  auto work = [names = std::move(names)]() -> Result<void> {
    for (const std::string& name : names) TRY_OK(delete_link(name));
    return {};
  };
  CO_TRY_OK(co_await loop_.blocking(std::move(work)));
  co_return swept;
}

}  // namespace berth::network
