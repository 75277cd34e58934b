#include "network/network.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <iterator>
#include <utility>

#include "async/task_group.h"
#include "base/log.h"
#include "base/text.h"
#include "network/detail/firewall.h"
#include "network/detail/foreign_forward.h"
#include "network/detail/host.h"
#include "network/detail/pool.h"
#include "network/detail/port_reservation.h"
#include "network/detail/store.h"

namespace berth::network {

class Manager::Impl {
 public:
  Impl(async::Loop& loop, Config config, Store store, std::shared_ptr<Firewall> firewall)
      : loop_(loop),
        config_(std::move(config)),
        store_(std::move(store)),
        firewall_(std::move(firewall)),
        reapers_(loop) {}

  Result<void> load();
  Result<void> install();

  std::vector<Network> networks() const;
  Result<Network> find(std::string_view name_or_id) const;
  async::Task<Result<Network>> create(NetworkSpec spec);
  async::Task<Result<void>> remove(std::string name_or_id);
  async::Task<Result<Endpoint>> attach(EndpointSpec spec, int netns);
  async::Task<Result<void>> detach(std::string container, std::string network);
  async::Task<Result<Swept>> sweep(std::set<std::string> live);
  std::vector<Endpoint> select(const std::function<bool(const Endpoint&)>& choose) const;

 private:
  struct NetworkState {
    Network network;
    AddressPool addresses;
  };
  struct EndpointState {
    Endpoint endpoint;
    std::vector<PortReservation> ports;
  };

  Result<void> load_endpoint(Endpoint endpoint);
  Result<void> ensure_built_in(const char* name, const char* driver, const std::vector<Subnet>& routes);
  Result<Subnet> choose_subnet(const NetworkSpec& spec, int prefix, const std::vector<Subnet>& routes) const;
  Result<Network> make_record(NetworkSpec spec, const std::vector<Subnet>& routes) const;
  Result<void> check_free(const EndpointSpec& spec, const Network& network) const;
  Result<Endpoint> claim(const EndpointSpec& spec, NetworkState& state);
  void name_interfaces(Endpoint& endpoint) const;
  // Gives back what claim() took.
  void forget(const Endpoint& endpoint);
  void retire(const std::string& interface);
  static async::Task<> reap(async::Loop& loop, std::shared_ptr<std::set<std::string>> retired);
  std::vector<std::string> unclaimed(const std::vector<Link>& links) const;
  Result<void> reserve_ports();

  void insert(Network network) {
    AddressPool addresses(network.subnet, network.gateway);
    std::string id = network.id;
    networks_.emplace(std::move(id), NetworkState{std::move(network), std::move(addresses)});
  }

  async::Loop& loop_;
  Config config_;
  Store store_;
  std::shared_ptr<Firewall> firewall_;
  std::map<std::string, NetworkState> networks_;  // by id
  std::vector<EndpointState> endpoints_;          // in the order of attachment
  std::shared_ptr<std::set<std::string>> retired_ = std::make_shared<std::set<std::string>>();  // unplugged interfaces
  async::TaskGroup reapers_;
};

namespace {

bool has_bridge(const Network& network) { return !network.interface.empty(); }

Result<void> check_config(const Config& config) {
  auto is_word = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  };
  if (!is_word(config.prefix) || config.prefix.size() > 6)
    return fail(ErrorCode::invalid, "network prefix \"{}\": 1 to 6 letters or digits are wanted", config.prefix);
  if (!is_word(config.table))
    return fail(ErrorCode::invalid, "nftables table \"{}\": letters or digits are wanted", config.table);
  return {};
}

}  // namespace

// ---- start

Result<void> Manager::Impl::load() {
  TRY(auto networks, store_.load_networks());
  for (Network& network : networks) insert(std::move(network));
  TRY(auto routes, list_routes());
  TRY_OK(ensure_built_in(kBridgeNetwork, "bridge", routes));
  TRY_OK(ensure_built_in(kWorkspacesNetwork, "bridge", routes));
  TRY_OK(ensure_built_in(kHostNetwork, "host", routes));
  TRY_OK(ensure_built_in(kNoneNetwork, "null", routes));
  TRY(auto endpoints, store_.load_endpoints());
  // Interfaces are numbered in the order of attachment.
  std::sort(endpoints.begin(), endpoints.end(), [](const Endpoint& a, const Endpoint& b) {
    return std::tie(a.container, a.guest_interface) < std::tie(b.container, b.guest_interface);
  });
  for (Endpoint& endpoint : endpoints) TRY_OK(load_endpoint(std::move(endpoint)));
  return {};
}

Result<void> Manager::Impl::load_endpoint(Endpoint endpoint) {
  auto network = networks_.find(endpoint.network);
  Result<void> taken = network == networks_.end() ? fail(ErrorCode::not_found, "network {} not found", endpoint.network)
                                                  : network->second.addresses.take(endpoint.ip);
  if (taken) {
    endpoints_.push_back({std::move(endpoint), {}});
    return {};
  }
  // Nothing can be made of it; its interface is swept as one that nobody claims.
  log::warning("endpoint dropped", {{"container", endpoint.container}, {"error", taken.error().text()}});
  return store_.remove(endpoint);
}

Result<void> Manager::Impl::ensure_built_in(const char* name, const char* driver, const std::vector<Subnet>& routes) {
  for (const auto& [id, state] : networks_)
    if (state.network.name == name) return {};
  Network network{.id = random_hex(32), .name = name, .driver = driver, .created = now(), .predefined = true};
  if (network.driver == "bridge") {
    network.isolated = name == std::string_view(kWorkspacesNetwork);
    network.interface = config_.prefix + (network.isolated ? "1" : "0");
    TRY(network.subnet, choose_subnet({}, config_.built_in_prefix, routes));
    network.gateway = Ipv4(network.subnet.base().value() + 1);
  }
  TRY_OK(store_.save(network));
  insert(std::move(network));
  return {};
}

Result<void> Manager::Impl::install() {
  TRY_OK(ensure_ip_forward(config_.state_dir));
  std::vector<Element> elements;
  auto add = [&elements](std::vector<Element> more) {
    std::move(more.begin(), more.end(), std::back_inserter(elements));
  };
  for (const auto& [id, state] : networks_) add(elements_of(state.network, config_.host_services));
  for (const EndpointState& state : endpoints_)
    add(elements_of(networks_.at(state.endpoint.network).network, state.endpoint));
  TRY_OK(firewall_->install(elements));
  TRY_OK(ensure_forward_accepted(config_.prefix, config_.table));
  for (const auto& [id, state] : networks_)
    if (has_bridge(state.network)) TRY_OK(ensure_bridge(state.network));
  return {};
}

// ---- networks

std::vector<Network> Manager::Impl::networks() const {
  std::vector<Network> list;
  for (const auto& [id, state] : networks_) list.push_back(state.network);
  std::sort(list.begin(), list.end(), [](const Network& a, const Network& b) { return a.name < b.name; });
  return list;
}

Result<Network> Manager::Impl::find(std::string_view name_or_id) const {
  const Network* by_prefix = nullptr;
  bool ambiguous = false;
  for (const auto& [id, state] : networks_)
    if (state.network.name == name_or_id) return state.network;
  for (const auto& [id, state] : networks_) {
    if (name_or_id.empty() || !id.starts_with(name_or_id)) continue;
    ambiguous = by_prefix != nullptr;
    by_prefix = &state.network;
    if (ambiguous) break;
  }
  if (ambiguous) return fail(ErrorCode::invalid, "network {} is ambiguous (2 matches found on ID prefix)", name_or_id);
  if (by_prefix == nullptr) return fail(ErrorCode::not_found, "network {} not found", name_or_id);
  return *by_prefix;
}

Result<Subnet> Manager::Impl::choose_subnet(const NetworkSpec& spec, int prefix,
                                            const std::vector<Subnet>& routes) const {
  std::vector<Subnet> taken;
  for (const auto& [id, state] : networks_)
    if (has_bridge(state.network)) taken.push_back(state.network.subnet);
  if (spec.subnet) {
    for (const Subnet& other : taken)
      if (other.overlaps(*spec.subnet))
        return fail(ErrorCode::denied, "invalid pool request: Pool overlaps with other one on this address space");
    return *spec.subnet;
  }
  taken.insert(taken.end(), routes.begin(), routes.end());
  if (auto subnet = find_free_subnet(config_.pools, prefix, taken)) return *subnet;
  return fail(ErrorCode::exhausted, "all predefined address pools have been fully subnetted");
}

Result<Network> Manager::Impl::make_record(NetworkSpec spec, const std::vector<Subnet>& routes) const {
  if (spec.name.empty()) return fail(ErrorCode::invalid, "network name cannot be empty");
  for (const char* reserved : {kBridgeNetwork, kWorkspacesNetwork, kHostNetwork, kNoneNetwork})
    if (spec.name == reserved)
      return fail(ErrorCode::denied, "operation is not permitted on predefined {} network ", spec.name);
  for (const auto& [id, state] : networks_)
    if (state.network.name == spec.name)
      return fail(ErrorCode::conflict, "network with name {} already exists", spec.name);
  if (spec.driver != "bridge" && !spec.driver.empty())
    return fail(ErrorCode::not_found, "could not find plugin {} in v1 plugin registry: plugin not found", spec.driver);
  if (spec.subnet && spec.subnet->prefix() > 30)
    return fail(ErrorCode::invalid, "subnet {} is too small for a gateway and a container", spec.subnet->text());
  TRY(Subnet subnet, choose_subnet(spec, config_.user_prefix, routes));
  Ipv4 gateway = spec.gateway.value_or(Ipv4(subnet.base().value() + 1));
  if (!subnet.contains(gateway)) return fail(ErrorCode::invalid, "no matching subnet for gateway {}", gateway.text());
  std::string id = random_hex(32);
  std::string interface = bridge_name(config_.prefix, id);
  return Network{.id = std::move(id),
                 .name = std::move(spec.name),
                 .driver = "bridge",
                 .created = now(),
                 .subnet = subnet,
                 .gateway = gateway,
                 .interface = std::move(interface),
                 .isolated = spec.isolated,
                 .internal = spec.internal,
                 .labels = std::move(spec.labels),
                 .options = std::move(spec.options)};
}

async::Task<Result<Network>> Manager::Impl::create(NetworkSpec spec) {
  CO_TRY(std::vector<Subnet> routes, co_await loop_.blocking(list_routes));
  CO_TRY(Network network, make_record(std::move(spec), routes));
  CO_TRY_OK(store_.save(network));
  insert(network);
  auto work = [firewall = firewall_, network, services = config_.host_services] {
    return connect_network(*firewall, network, services);
  };
  auto connected = co_await loop_.blocking(std::move(work));
  if (connected) co_return network;
  networks_.erase(network.id);
  (void)store_.remove(network);
  co_return std::unexpected(std::move(connected).error());
}

async::Task<Result<void>> Manager::Impl::remove(std::string name_or_id) {
  CO_TRY(Network network, find(name_or_id));
  if (network.predefined)
    co_return fail(ErrorCode::denied, "{} is a pre-defined network and cannot be removed", network.name);
  std::vector<std::string> active;
  for (const Endpoint& endpoint : select([&](const Endpoint& e) { return e.network == network.id; }))
    active.push_back(fmt::format("name:\"{}\" id:\"{}\"", endpoint.container_name, endpoint.id.substr(0, 12)));
  if (!active.empty())
    co_return fail(ErrorCode::denied, "error while removing network: network {} has active endpoints ({})",
                   network.name, join(active, ", "));
  // A bridge without a record is swept, a record without a bridge would come back: so the record goes first.
  CO_TRY_OK(store_.remove(network));
  networks_.erase(network.id);
  auto work = [firewall = firewall_, network, services = config_.host_services] {
    return disconnect_network(*firewall, network, services);
  };
  co_return co_await loop_.blocking(std::move(work));
}

// ---- endpoints

std::vector<Endpoint> Manager::Impl::select(const std::function<bool(const Endpoint&)>& choose) const {
  std::vector<Endpoint> list;
  for (const EndpointState& state : endpoints_)
    if (choose(state.endpoint)) list.push_back(state.endpoint);
  return list;
}

Result<void> Manager::Impl::check_free(const EndpointSpec& spec, const Network& network) const {
  if (!has_bridge(network))
    return fail(ErrorCode::invalid, "container cannot be attached to the {} network", network.name);
  for (const EndpointState& state : endpoints_) {
    const Endpoint& other = state.endpoint;
    if (other.network != network.id) continue;
    if (other.container == spec.container)
      return fail(ErrorCode::denied, "endpoint with name {} already exists in network {}", spec.container_name,
                  network.name);
    if (spec.mac && other.mac == *spec.mac)
      return fail(ErrorCode::conflict, "MAC address {} is already in use in network {}", spec.mac->text(),
                  network.name);
  }
  return {};
}

void Manager::Impl::name_interfaces(Endpoint& endpoint) const {
  std::size_t index = 0;
  auto taken_inside = [&](const Endpoint& other) {
    return other.container == endpoint.container && other.guest_interface == endpoint.guest_interface;
  };
  do endpoint.guest_interface = fmt::format("eth{}", index++);
  while (!select(taken_inside).empty());
  auto taken_outside = [&](const Endpoint& other) { return other.host_interface == endpoint.host_interface; };
  do endpoint.host_interface = veth_name(config_.prefix, endpoint.container);
  while (!select(taken_outside).empty());
}

// The endpoint on disk and in memory, its address and ports taken; the kernel's part is still to do.
Result<Endpoint> Manager::Impl::claim(const EndpointSpec& spec, NetworkState& state) {
  const Network& network = state.network;
  TRY_OK(check_free(spec, network));
  Endpoint endpoint{.id = random_hex(32),
                    .container = spec.container,
                    .container_name = spec.container_name,
                    .network = network.id,
                    .network_name = network.name,
                    .prefix = network.subnet.prefix(),
                    .gateway = network.gateway,
                    .ports = spec.ports};
  std::vector<PortReservation> reservations;
  for (PublishedPort& port : endpoint.ports) {
    TRY(PortReservation reservation, PortReservation::take(port));
    reservations.push_back(std::move(reservation));
  }
  if (spec.ip) {
    TRY_OK(state.addresses.take(*spec.ip));
    endpoint.ip = *spec.ip;
  } else {
    TRY(endpoint.ip, state.addresses.take());
  }
  endpoint.mac = spec.mac.value_or(MacAddress::from_address(endpoint.ip));
  name_interfaces(endpoint);
  if (auto saved = store_.save(endpoint); !saved) {
    state.addresses.give_back(endpoint.ip);
    return std::unexpected(std::move(saved).error());
  }
  endpoints_.push_back({endpoint, std::move(reservations)});
  return endpoint;
}

void Manager::Impl::forget(const Endpoint& endpoint) {
  if (auto removed = store_.remove(endpoint); !removed)
    log::warning("endpoint record left behind", {{"container", endpoint.container}, {"error", removed.error().text()}});
  if (auto network = networks_.find(endpoint.network); network != networks_.end())
    network->second.addresses.give_back(endpoint.ip);
  std::erase_if(endpoints_, [&](const EndpointState& state) { return state.endpoint.id == endpoint.id; });
}

async::Task<Result<Endpoint>> Manager::Impl::attach(EndpointSpec spec, int netns) {
  CO_TRY(Network network, find(spec.network));
  bool default_route = !network.internal;
  for (const Endpoint& other : select([&](const Endpoint& e) { return e.container == spec.container; }))
    if (!networks_.at(other.network).network.internal) default_route = false;
  CO_TRY(Endpoint endpoint, claim(spec, networks_.at(network.id)));
  auto work = [firewall = firewall_, network, endpoint, default_route, netns] {
    return connect_endpoint(*firewall, {network, endpoint, default_route}, netns);
  };
  auto connected = co_await loop_.blocking(std::move(work));
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

async::Task<Result<void>> Manager::Impl::detach(std::string container, std::string network_name) {
  std::string network_id;
  if (!network_name.empty()) {
    CO_TRY(Network network, find(network_name));
    network_id = network.id;
  }
  auto mine = select([&](const Endpoint& endpoint) {
    return endpoint.container == container && (network_id.empty() || endpoint.network == network_id);
  });
  for (const Endpoint& endpoint : mine) {
    auto work = [firewall = firewall_, network = networks_.at(endpoint.network).network, endpoint] {
      return disconnect_endpoint(*firewall, network, endpoint);
    };
    CO_TRY_OK(co_await loop_.blocking(std::move(work)));
    forget(endpoint);
    if (network_id.empty()) {
      retire(endpoint.host_interface);
      continue;
    }
    auto unlink = [name = endpoint.host_interface] { return delete_link(name); };
    CO_TRY_OK(co_await loop_.blocking(std::move(unlink)));
  }
  co_return Result<void>();
}

// ---- sweeping

std::vector<std::string> Manager::Impl::unclaimed(const std::vector<Link>& links) const {
  std::set<std::string> claimed;
  for (const auto& [id, state] : networks_) claimed.insert(state.network.interface);
  for (const EndpointState& state : endpoints_) claimed.insert(state.endpoint.host_interface);
  std::vector<std::string> names;
  for (const Link& link : links)
    if (is_ours(config_.prefix, link) && !claimed.contains(link.name)) names.push_back(link.name);
  return names;
}

// Takes the ports of endpoints of a former run again. Who has bound one meanwhile gets nothing there, since the rule
// still forwards it; that is worth a warning, not the end of a running container's network.
Result<void> Manager::Impl::reserve_ports() {
  for (EndpointState& state : endpoints_) {
    if (!state.ports.empty()) continue;
    for (PublishedPort& port : state.endpoint.ports) {
      auto reservation = PortReservation::take(port);
      if (reservation)
        state.ports.push_back(*std::move(reservation));
      else
        log::warning("published port is bound by another program",
                     {{"container", state.endpoint.container}, {"error", reservation.error().text()}});
    }
  }
  return {};
}

async::Task<Result<Manager::Swept>> Manager::Impl::sweep(std::set<std::string> live) {
  Swept swept;
  for (const Endpoint& dead : select([&](const Endpoint& endpoint) { return !live.contains(endpoint.container); })) {
    CO_TRY_OK(co_await detach(dead.container, dead.network));
    ++swept.endpoints;
  }
  CO_TRY_OK(reserve_ports());
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

// ---- the manager

Manager::Manager(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Manager::~Manager() = default;

Result<std::unique_ptr<Manager>> Manager::open(async::Loop& loop, Config config) {
  TRY_OK(check_config(config));
  TRY(Store store, Store::open(config.state_dir));
  TRY(auto firewall, Firewall::open(config.table));
  auto impl = std::make_unique<Impl>(loop, std::move(config), std::move(store), std::move(firewall));
  TRY_OK(annotate(impl->load(), "read the networks"));
  TRY_OK(annotate(impl->install(), "set up the networks"));
  return std::unique_ptr<Manager>(new Manager(std::move(impl)));
}

std::vector<Network> Manager::networks() const { return impl_->networks(); }
Result<Network> Manager::find(std::string_view name_or_id) const { return impl_->find(name_or_id); }
async::Task<Result<Network>> Manager::create(NetworkSpec spec) { return impl_->create(std::move(spec)); }
async::Task<Result<void>> Manager::remove(std::string name_or_id) { return impl_->remove(std::move(name_or_id)); }
async::Task<Result<Endpoint>> Manager::attach(EndpointSpec spec, int netns) {
  return impl_->attach(std::move(spec), netns);
}
async::Task<Result<void>> Manager::detach(std::string container, std::string network) {
  return impl_->detach(std::move(container), std::move(network));
}
std::vector<Endpoint> Manager::endpoints_of(std::string_view container) const {
  return impl_->select([&](const Endpoint& endpoint) { return endpoint.container == container; });
}
std::vector<Endpoint> Manager::endpoints_in(std::string_view network_id) const {
  return impl_->select([&](const Endpoint& endpoint) { return endpoint.network == network_id; });
}
async::Task<Result<Manager::Swept>> Manager::sweep(std::set<std::string> live_containers) {
  return impl_->sweep(std::move(live_containers));
}

Result<void> Manager::remove_from_host(const Config& config) {
  TRY_OK(check_config(config));
  TRY(auto links, list_links());
  for (const Link& link : links)
    if (is_ours(config.prefix, link)) TRY_OK(delete_link(link.name));
  TRY_OK(remove_tables(config.table));
  TRY_OK(remove_forward_accepted(config.table));
  return restore_ip_forward(config.state_dir);
}

}  // namespace berth::network
