// What the network manager is asked for (Spec) and what it has made (Network, Endpoint). Values; the latter two are
// also the records on disk.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "network/address.h"

namespace berth::network {

// The networks that always exist. A container on `bridge` reaches the other containers there; one on `workspaces`
// reaches neither other workspaces nor any other network of Berth. `host` and `none` have no bridge and no endpoints.
inline constexpr char kBridgeNetwork[] = "bridge";
inline constexpr char kWorkspacesNetwork[] = "workspaces";
inline constexpr char kHostNetwork[] = "host";
inline constexpr char kNoneNetwork[] = "none";

// The containers' addresses of one family in a network.
struct Pool {
  Subnet subnet;
  Ip gateway;                          // the bridge's own address
  std::optional<Subnet> range;         // the part that addresses are given out from; absent: all of it
  std::map<std::string, Ip> reserved;  // by a name of the user's: never given out
  friend bool operator==(const Pool&, const Pool&) = default;
};
BOOST_DESCRIBE_STRUCT(Pool, (), (subnet, gateway, range, reserved))

// What is asked of a pool.
struct PoolSpec {
  std::optional<Subnet> subnet;  // absent: a free one
  std::optional<Ip> gateway;     // absent: the first address of the subnet
  std::optional<Subnet> range;
  std::map<std::string, Ip> reserved;
};

struct NetworkSpec {
  std::string name;
  std::string driver = "bridge";  // the only one; others are `not_found`, in Docker's words
  PoolSpec ipv4;
  PoolSpec ipv6;             // of a network with IPv6
  bool enable_ipv6 = false;  // without a subnet: a unique local one (RFC 4193)
  bool isolated = false;     // its containers cannot reach each other; IPv4 only
  bool internal = false;     // its containers reach nothing but each other
  bool attachable = false;   // means something in a swarm only; kept and shown, as are ipam_options
  std::map<std::string, std::string> ipam_options;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;  // those of Docker's bridge driver below; others are kept and shown
};

// Options of Docker's bridge driver, "com.docker.network." before them.
inline constexpr char kOptionName[] = "com.docker.network.bridge.name";
inline constexpr char kOptionIcc[] = "com.docker.network.bridge.enable_icc";
inline constexpr char kOptionMasquerade[] = "com.docker.network.bridge.enable_ip_masquerade";
inline constexpr char kOptionHostBinding[] = "com.docker.network.bridge.host_binding_ipv4";
inline constexpr char kOptionMtu[] = "com.docker.network.driver.mtu";
// As Go's strconv.ParseBool takes them: 1, t, true, 0, f, false.
std::optional<bool> parse_truth(std::string_view text);

struct Network {
  std::string id;  // 64 hex digits
  std::string name;
  std::string driver;  // "bridge", "host" or "null"
  Time created;
  std::optional<Pool> ipv4;  // absent for host and none
  std::optional<Pool> ipv6;
  std::string interface;  // the bridge's name on the host; empty for host and none
  bool isolated = false;
  bool internal = false;
  bool predefined = false;
  bool attachable = false;
  bool chosen_subnet = false;  // by a person, so that single addresses of it may be asked for
  std::map<std::string, std::string> ipam_options;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;

  // Whether its containers have a resolver that knows their names: every network that a person has made.
  bool serves_names() const { return !predefined; }
  // Its containers reach each other.
  bool open_inside() const { return !isolated && option_truth(kOptionIcc, true); }
  bool masquerades() const { return option_truth(kOptionMasquerade, true); }
  // "" when it is not set.
  std::string option(const char* key) const;
  bool option_truth(const char* key, bool fallback) const;
  int mtu() const;  // 0: the kernel's
};
BOOST_DESCRIBE_STRUCT(Network, (),
                      (id, name, driver, created, ipv4, ipv6, interface, isolated, internal, predefined, attachable,
                       chosen_subnet, ipam_options, labels, options))

// A port to be published.
struct PortRequest {
  std::string protocol = "tcp";      // tcp or udp
  std::optional<Ip> host_ip;         // absent: every address of the host, of the families that the container has
  std::uint16_t host_port = 0;       // the first that will do; 0: a free one of the host's ephemeral range
  std::uint16_t host_port_last = 0;  // the last that will do; 0: host_port
  std::uint16_t container_port = 0;
};

// A port of the container on an address of the host.
struct PublishedPort {
  std::string protocol = "tcp";
  Ip host_ip;  // 0.0.0.0 or ::, every address of the host of that family
  std::uint16_t host_port = 0;
  std::uint16_t container_port = 0;
  friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};
BOOST_DESCRIBE_STRUCT(PublishedPort, (), (protocol, host_ip, host_port, container_port))

struct EndpointSpec {
  std::string container;       // id, 64 hex digits
  std::string container_name;  // for the texts of errors only
  std::string network;         // name, id, or unambiguous beginning of an id
  std::optional<Ip> ip;        // absent: the next free one
  std::optional<Ip> ip6;
  std::optional<MacAddress> mac;
  std::vector<Ip> link_local;                // further addresses of the interface
  int priority = 0;                          // the default route is that of the highest
  std::vector<std::string> names;            // by which the others find it; also "NAME.NETWORK"
  std::map<std::string, std::string> links;  // names for this container alone: alias -> name of another
  std::vector<PortRequest> ports;
};

// A container's place in a network.
struct Endpoint {
  std::string id;  // 64 hex digits
  std::string container;
  std::string container_name;
  std::string network;  // id
  std::string network_name;
  Ip ip;
  int prefix = 0;
  Ip gateway;
  std::optional<Ip> ip6;
  int prefix6 = 0;
  Ip gateway6;
  MacAddress mac;
  std::vector<Ip> link_local;
  std::string host_interface;   // of the veth pair, a port of the bridge
  std::string guest_interface;  // eth0, eth1, ... inside the container
  int priority = 0;
  std::vector<std::string> names;
  std::map<std::string, std::string> links;
  std::vector<PublishedPort> ports;  // with the host ports that are really bound
};
BOOST_DESCRIBE_STRUCT(Endpoint, (),
                      (id, container, container_name, network, network_name, ip, prefix, gateway, ip6, prefix6,
                       gateway6, mac, link_local, host_interface, guest_interface, priority, names, links, ports))

}  // namespace berth::network
