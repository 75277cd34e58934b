#include "network/network.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "network/detail/foreign_forward.h"
#include "network/detail/host.h"
#include "network/detail/manager.h"

namespace berth::network {

namespace {

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
                                                  : network->second.take_again(endpoint);
  if (taken) {
    std::vector<EndpointState>& mine = endpoints_[endpoint.container];
    // An engine died while it handed the ports on; the one that has them stays the one.
    if (std::ranges::any_of(mine, [](const EndpointState& other) { return !other.endpoint.ports.empty(); }))
      endpoint.ports.clear();
    mine.push_back({std::move(endpoint), {}});
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
    TRY(network.ipv4, choose_pool({}, config_.built_in_prefix, routes));
  }
  TRY_OK(store_.save(network));
  insert(std::move(network));
  return {};
}

Result<void> Manager::Impl::install() {
  TRY_OK(ensure_ip_forward(config_.state_dir));
  for (const auto& [id, state] : networks_)
    if (state.network.ipv6) TRY_OK(ensure_ipv6_forward(config_.state_dir));
  std::vector<Element> elements;
  auto add = [&elements](std::vector<Element> more) {
    std::move(more.begin(), more.end(), std::back_inserter(elements));
  };
  for (const auto& [id, state] : networks_) add(elements_of(state.network, config_.host_services));
  for_each_endpoint(
      [&](const Endpoint& endpoint) { add(elements_of(networks_.find(endpoint.network)->second.network, endpoint)); });
  TRY_OK(firewall_->install(elements));
  TRY_OK(ensure_forward_accepted(config_.prefix, config_.table));
  for (const auto& [id, state] : networks_)
    if (has_bridge(state.network)) TRY_OK(ensure_bridge(state.network));
  return {};
}

Manager::Impl::NetworkState::NetworkState(Network made) : network(std::move(made)) {
  if (network.ipv4) ipv4.emplace(*network.ipv4);
  if (network.ipv6) ipv6.emplace(*network.ipv6);
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

Result<Pool> Manager::Impl::choose_pool(const PoolSpec& spec, int prefix, const std::vector<Subnet>& routes) const {
  std::vector<Subnet> taken;
  for (const auto& [id, state] : networks_)
    for (const auto* pool : {&state.network.ipv4, &state.network.ipv6})
      if (*pool) taken.push_back((*pool)->subnet);
  Pool pool{spec.subnet.value_or(Subnet()), {}, spec.range, spec.reserved};
  if (spec.subnet) {
    for (const Subnet& other : taken)
      if (other.overlaps(*spec.subnet))
        return fail(ErrorCode::denied, "invalid pool request: Pool overlaps with other one on this address space");
  } else {
    taken.insert(taken.end(), routes.begin(), routes.end());
    auto subnet = find_free_subnet(config_.pools, prefix, taken);
    if (!subnet) return fail(ErrorCode::exhausted, "all predefined address pools have been fully subnetted");
    pool.subnet = *subnet;
  }
  pool.gateway = spec.gateway.value_or(pool.subnet.base().plus(1));
  if (!pool.subnet.contains(pool.gateway))
    return fail(ErrorCode::invalid, "no matching subnet for gateway {}", pool.gateway.text());
  if (pool.range && !pool.subnet.contains(*pool.range))
    return fail(ErrorCode::invalid, "no matching subnet for range {}", pool.range->text());
  for (const auto& [name, address] : pool.reserved)
    if (!pool.subnet.contains(address))
      return fail(ErrorCode::invalid, "no matching subnet for aux-address {}", address.text());
  return pool;
}

namespace {

// RFC 4193 wants the 40 bits after fd at random, so that networks that meet some day do not overlap.
Subnet unique_local_subnet(const std::string& id) {
  constexpr int kGlobalIdDigits = 10, kPrefix = 64;
  auto global_id = parse_number<std::uint64_t>(id.substr(0, kGlobalIdDigits), 16).value_or(1);
  return Subnet(Ip::v6((Ip::Number(0xfd) << 40 | global_id) << 80), kPrefix);
}

Result<void> check_options(const NetworkSpec& spec) {
  for (const char* key : {kOptionIcc, kOptionMasquerade}) {
    auto given = spec.options.find(key);
    if (given == spec.options.end()) continue;
    if (!parse_truth(given->second))
      return fail(ErrorCode::invalid, "invalid value for {}: \"{}\"", key, given->second);
  }
  if (auto mtu = spec.options.find(kOptionMtu); mtu != spec.options.end()) {
    auto number = parse_number<int>(mtu->second);
    if (!number || *number < 0 || *number > 65535)
      return fail(ErrorCode::invalid, "invalid value for {}: \"{}\"", kOptionMtu, mtu->second);
  }
  if (auto name = spec.options.find(kOptionName); name != spec.options.end()) {
    constexpr std::size_t kMaxName = 15;
    bool fine = !name->second.empty() && name->second.size() <= kMaxName &&
                name->second.find_first_of("/ :\t\n\"") == std::string::npos && name->second != "." &&
                name->second != "..";
    if (!fine) return fail(ErrorCode::invalid, "invalid name of a bridge: \"{}\"", name->second);
  }
  if (auto binding = spec.options.find(kOptionHostBinding); binding != spec.options.end())
    if (auto ip = Ip::parse(binding->second); !ip || ip->is_v6())
      return fail(ErrorCode::invalid, "invalid value for {}: \"{}\"", kOptionHostBinding, binding->second);
  return {};
}

Result<void> check_pool(const PoolSpec& pool, bool v6) {
  if (!pool.subnet) return {};
  if (pool.subnet->base().is_v6() != v6)
    return fail(ErrorCode::invalid, "invalid subnet {}: another family was expected", pool.subnet->text());
  if (pool.subnet->prefix() > pool.subnet->base().bits() - 2)
    return fail(ErrorCode::invalid, "subnet {} is too small for a gateway and a container", pool.subnet->text());
  return {};
}

}  // namespace

Result<void> Manager::Impl::check_spec(const NetworkSpec& spec) const {
  if (trim(spec.name).empty()) return fail(ErrorCode::invalid, "invalid name: name is empty");
  for (const char* reserved : {kBridgeNetwork, kWorkspacesNetwork, kHostNetwork, kNoneNetwork, "default"})
    if (spec.name == reserved)
      return fail(ErrorCode::denied, "operation is not permitted on predefined {} network ", spec.name);
  for (const auto& [id, state] : networks_)
    if (state.network.name == spec.name)
      return fail(ErrorCode::conflict, "network with name {} already exists", spec.name);
  if (spec.driver == "host" || spec.driver == "null")
    return fail(ErrorCode::denied, "only one instance of \"{}\" network is allowed", spec.driver);
  if (spec.driver == "macvlan" || spec.driver == "ipvlan" || spec.driver == "overlay")
    return fail(ErrorCode::unsupported, "the network driver {} is not supported by this engine", spec.driver);
  if (spec.driver != "bridge" && !spec.driver.empty())
    return fail(ErrorCode::not_found, "could not find plugin {0} in v1 plugin registry: plugin \"{0}\" not found",
                spec.driver);
  if (spec.isolated && spec.enable_ipv6) return fail(ErrorCode::invalid, "an isolated network carries IPv4 only");
  TRY_OK(check_pool(spec.ipv4, false));
  TRY_OK(check_pool(spec.ipv6, true));
  return check_options(spec);
}

Result<Network> Manager::Impl::make_record(NetworkSpec spec, const std::vector<Subnet>& routes) const {
  TRY_OK(check_spec(spec));
  Network network{.id = random_hex(32), .name = std::move(spec.name), .driver = "bridge", .created = now()};
  bool chosen = spec.ipv4.subnet || spec.ipv6.subnet;
  TRY(network.ipv4, choose_pool(spec.ipv4, config_.user_prefix, routes));
  if (spec.enable_ipv6) {
    if (!spec.ipv6.subnet) spec.ipv6.subnet = unique_local_subnet(network.id);
    TRY(network.ipv6, choose_pool(spec.ipv6, 0, routes));
  }
  network.interface = bridge_name(config_.prefix, network.id);
  network.isolated = spec.isolated;
  network.internal = spec.internal;
  network.attachable = spec.attachable;
  network.chosen_subnet = chosen;
  network.ipam_options = std::move(spec.ipam_options);
  network.labels = std::move(spec.labels);
  network.options = std::move(spec.options);
  return network;
}

async::Task<Result<Network>> Manager::Impl::create(NetworkSpec spec) {
  CO_TRY(std::vector<Subnet> routes, co_await loop_.blocking(list_routes));
  CO_TRY(Network network, make_record(std::move(spec), routes));
  CO_TRY_OK(store_.save(network));
  insert(network);
  crash_point("network.recorded");
  auto work = [firewall = firewall_, network, services = config_.host_services,
               state_dir = config_.state_dir]() -> Result<void> {
    if (network.ipv6) TRY_OK(ensure_ipv6_forward(state_dir));
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
  for (const Endpoint& endpoint : endpoints_in(network.id))
    active.push_back(fmt::format("name:\"{}\" id:\"{}\"", endpoint.container_name, endpoint.id.substr(0, 12)));
  if (!active.empty())
    co_return fail(ErrorCode::denied, "error while removing network: network {} has active endpoints ({})",
                   network.name, join(active, ", "));
  // A bridge without a record is swept, a record without a bridge would come back: so the record goes first.
  CO_TRY_OK(store_.remove(network));
  networks_.erase(network.id);
  crash_point("network.record-removed");
  auto work = [firewall = firewall_, network, services = config_.host_services] {
    return disconnect_network(*firewall, network, services);
  };
  co_return co_await loop_.blocking(std::move(work));
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
async::Task<Result<void>> Manager::detach_one(std::string container, std::string network, int netns) {
  return impl_->detach_one(std::move(container), std::move(network), netns);
}
async::Task<Result<void>> Manager::detach(std::string container) { return impl_->detach(std::move(container)); }
async::Task<Result<void>> Manager::serve_names(std::string container, int netns, std::vector<std::string> servers,
                                               bool again) {
  return impl_->serve_names(std::move(container), netns, std::move(servers), again);
}
async::Task<Result<void>> Manager::restore_route(std::string container, int netns) {
  return impl_->restore_route(std::move(container), netns);
}
bool Manager::serves_names(std::string_view container) const { return impl_->serves_names(container); }
Result<void> Manager::set_names(std::string_view container, std::string_view network_id,
                                std::vector<std::string> names) {
  return impl_->set_names(container, network_id, std::move(names));
}
std::optional<Endpoint> Manager::gateway_endpoint(std::string_view container) const {
  const Endpoint* endpoint = impl_->gateway_of(container);
  return endpoint == nullptr ? std::nullopt : std::optional(*endpoint);
}
std::vector<Endpoint> Manager::endpoints_of(std::string_view container) const { return impl_->endpoints_of(container); }
std::vector<Endpoint> Manager::endpoints_in(std::string_view network_id) const {
  return impl_->endpoints_in(network_id);
}
async::Task<> Manager::close() { return impl_->close(); }
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
  return restore_forward(config.state_dir);
}

}  // namespace berth::network
