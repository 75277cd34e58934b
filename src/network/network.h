// The networks of one engine: bridges, the containers' places in them, published ports, and the firewall around both.
//
// Everything is made by netlink and nftables in this process; nothing is forked. What was acknowledged is on disk under
// Config::state_dir before the kernel is changed, so after a kill -9, or a reboot, open() and sweep() bring the kernel
// and the records together again. What the manager makes is named by Config::prefix and Config::table, and it never
// touches what is named otherwise, with one exception, told in docs/design/network.md: an accept for its own bridges at
// the end of a foreign FORWARD chain whose policy is drop.
//
// Thread: the loop's. The manager outlives its tasks; tasks for different containers may run at the same time.
// Errors carry Docker's texts; the engine adds the frames around them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "network/spec.h"

namespace berth::network {

// A service of the host that containers may reach although everything else on the host is closed to them.
struct HostService {
  std::string network;  // name
  std::string protocol = "tcp";
  std::uint16_t port = 0;
};

struct Config {
  std::string state_dir;         // for example /var/lib/berth/network; made when missing
  std::string prefix = "berth";  // of interface names, 1 to 6 letters or digits: berth0, berth1, berth-..., berthv...
  std::string table = "berth";   // of the nftables tables (families inet and bridge)
  // Subnets are cut from these, first those of the built-in networks; a piece that a route of the host overlaps is
  // passed over.
  std::vector<Subnet> pools = {Subnet(Ip::v4(0x0a590000), 16), Subnet(Ip::v4(0xac1e0000), 16),
                               Subnet(Ip::v4(0xc0a86000), 19)};
  int built_in_prefix = 20;  // 4093 containers; a Linux bridge has at most 1023 ports
  int user_prefix = 24;
  std::vector<HostService> host_services;
};

class Manager {
 public:
  // Reads the records, makes the built-in bridges and the tables, and turns IPv4 forwarding on. Blocks some 10 ms: for
  // the start of the engine, before or on the loop. Endpoints of a former run keep their interfaces, addresses, rules
  // and ports until sweep().
  static Result<std::unique_ptr<Manager>> open(async::Loop& loop, Config config);
  // The kernel keeps everything as it is.
  ~Manager();

  // By name.
  std::vector<Network> networks() const;
  // By name, id, or unambiguous beginning of an id; not_found "network NAME not found".
  Result<Network> find(std::string_view name_or_id) const;
  // conflict "network with name N already exists"; denied "operation is not permitted on predefined N network";
  // denied "invalid pool request: Pool overlaps with other one on this address space"; not_found for a driver that is
  // not there; invalid for pools that cannot be.
  async::Task<Result<Network>> create(NetworkSpec spec);
  // denied "N is a pre-defined network and cannot be removed"; denied "error while removing network: network N has
  // active endpoints (name:"a" id:"<12 digits>")".
  async::Task<Result<void>> remove(std::string name_or_id);

  // Gives the container of this network namespace an address, an interface that is up, and its published ports; also
  // the default route, if of all its networks this is the one to have it: of those with a way out the one of the
  // highest priority, of equals the first. netns must stay open until the task ends. About 1 ms; on failure nothing is
  // left. io "Bind for 127.0.0.1:18099 failed: port is already allocated".
  async::Task<Result<Endpoint>> attach(EndpointSpec spec, int netns);
  // Takes a running container from one network: its interface is gone when the task ends (some 20 ms), and what it had
  // of default route and published ports is another's, in this namespace. denied "container ID is not connected to
  // network N".
  async::Task<Result<void>> detach_one(std::string container, std::string network, int netns);
  // Takes a container that has ended from all its networks: when the task ends (under 1 ms) nothing passes any more and
  // addresses and ports are free; the unplugged interfaces go with the namespace. One that has no endpoint is fine.
  async::Task<Result<void>> detach(std::string container);

  // The default route and the rules of what is published, once more: an engine may have died while it set them.
  async::Task<Result<void>> restore_route(std::string container, int netns);

  // Answers the names of the container's networks at 127.0.0.11 in its namespace, until detach(). servers are asked for
  // all others, from the container's namespace; without any, the host's own are, from the host. again: an earlier
  // engine has answered there. Some ms. Idempotent.
  async::Task<Result<void>> serve_names(std::string container, int netns, std::vector<std::string> servers, bool again);
  bool serves_names(std::string_view container) const;
  // The names by which the others on one network find the container from now on.
  Result<void> set_names(std::string_view container, std::string_view network_id, std::vector<std::string> names);
  // Whose gateway the default route is; nothing when there is no way out.
  std::optional<Endpoint> gateway_endpoint(std::string_view container) const;

  // In the order of attachment.
  std::vector<Endpoint> endpoints_of(std::string_view container) const;
  // Of one network, by id.
  std::vector<Endpoint> endpoints_in(std::string_view network_id) const;

  struct Swept {
    std::size_t endpoints = 0;   // records of containers that are not alive
    std::size_t interfaces = 0;  // veth interfaces and bridges that no record claims
  };
  // After a restart: removes what belongs to no container of the set, and takes the ports of the others again.
  // Idempotent.
  async::Task<Result<Swept>> sweep(std::set<std::string> live_containers);

  // Before the loop stops: ends the resolvers. The containers' networks stay as they are.
  async::Task<> close();

  // Deletes every interface, table and rule that is named after config. For uninstalling and for tests; containers lose
  // their network. The records stay.
  static Result<void> remove_from_host(const Config& config);

 private:
  class Impl;
  explicit Manager(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::network
