// The manager's inside. network.cpp has the networks, endpoints.cpp the containers' places in them, names.cpp what they
// are called. Thread: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/task_group.h"
#include "network/detail/firewall.h"
#include "network/detail/links.h"
#include "network/detail/pool.h"
#include "network/detail/port_reservation.h"
#include "network/detail/resolver.h"
#include "network/detail/store.h"
#include "network/network.h"

namespace berth::network {

class Manager::Impl : public Names {
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
  async::Task<Result<void>> detach_one(std::string container, std::string network, int netns);
  async::Task<Result<void>> detach(std::string container);
  async::Task<Result<Swept>> sweep(std::set<std::string> live);
  std::vector<Endpoint> endpoints_of(std::string_view container) const;
  std::vector<Endpoint> endpoints_in(std::string_view network_id) const;
  const Endpoint* gateway_of(std::string_view container, std::string_view except = {}) const;
  async::Task<Result<void>> restore_route(std::string container, int netns);

  async::Task<Result<void>> serve_names(std::string container, int netns, std::vector<std::string> servers, bool again);
  bool serves_names(std::string_view container) const { return resolvers_.contains(container); }
  Result<void> set_names(std::string_view container, std::string_view network_id, std::vector<std::string> names);
  async::Task<> close();
  Addresses addresses_of(std::string_view container, std::string_view name) const override;
  Name name_of(std::string_view container, Ip address) const override;
  bool asks_outside(std::string_view container) const override;

 private:
  struct NetworkState {
    explicit NetworkState(Network made);
    void give_back(const Endpoint& endpoint);
    Result<void> take_again(const Endpoint& endpoint);

    Network network;
    std::optional<AddressPool> ipv4, ipv6;
  };
  struct EndpointState {
    Endpoint endpoint;
    std::vector<PortReservation> ports;
  };

  Result<void> load_endpoint(Endpoint endpoint);
  Result<void> ensure_built_in(const char* name, const char* driver, const std::vector<Subnet>& routes);
  Result<Pool> choose_pool(const PoolSpec& spec, int prefix, const std::vector<Subnet>& routes) const;
  Result<void> check_spec(const NetworkSpec& spec) const;
  Result<Network> make_record(NetworkSpec spec, const std::vector<Subnet>& routes) const;

  Result<void> check_free(const EndpointSpec& spec, const Network& network) const;
  Result<Endpoint> claim(const EndpointSpec& spec, NetworkState& state);
  Result<void> take_addresses(const EndpointSpec& spec, NetworkState& state, Endpoint& endpoint) const;
  void name_interfaces(Endpoint& endpoint) const;
  // Gives back what claim() took.
  void forget(const Endpoint& endpoint);
  EndpointState* state_of(std::string_view container, std::string_view network_id);
  void for_each_endpoint(const std::function<void(const Endpoint&)>& visit) const;
  async::Task<Result<void>> cut_off(Endpoint endpoint);
  // Hands the ports on to the endpoint that will be the gateway.
  Result<void> bequeath(EndpointState& former);
  void retire(const std::string& interface);
  static async::Task<> reap(async::Loop& loop, std::shared_ptr<std::set<std::string>> retired);
  std::vector<std::string> unclaimed(const std::vector<Link>& links) const;
  void reserve_ports();

  void insert(Network network) {
    std::string id = network.id;
    networks_.emplace(std::move(id), NetworkState(std::move(network)));
  }

  async::Loop& loop_;
  Config config_;
  Store store_;
  std::shared_ptr<Firewall> firewall_;
  std::map<std::string, NetworkState, std::less<>> networks_;                 // by id
  std::map<std::string, std::vector<EndpointState>, std::less<>> endpoints_;  // by container, in order of attachment
  std::map<std::string, std::shared_ptr<Resolver>, std::less<>> resolvers_;   // by container
  std::shared_ptr<std::size_t> questions_ = std::make_shared<std::size_t>(0);
  std::shared_ptr<std::set<std::string>> retired_ = std::make_shared<std::set<std::string>>();  // unplugged interfaces
  async::TaskGroup reapers_;
};

// Published ports as requests name them: reserved one by one, all or none.
struct Reserved {
  std::vector<PublishedPort> ports;
  std::vector<PortReservation> reservations;
};
Result<Reserved> reserve(const std::vector<PortRequest>& requests, const Network& network, bool has_ipv6);

inline bool has_bridge(const Network& network) { return !network.interface.empty(); }

}  // namespace berth::network
