// What the network manager is asked for (Spec) and what it has made (Network, Endpoint). Values; the latter two are
// also the records on disk.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
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

struct NetworkSpec {
  std::string name;
  std::string driver = "bridge";  // the only one; others are `not_found`, in Docker's words
  std::optional<Subnet> subnet;   // absent: a free one from the pool
  std::optional<Ipv4> gateway;    // absent: the first address of the subnet
  bool isolated = false;          // its containers cannot reach each other
  bool internal = false;          // its containers reach nothing but each other
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;  // kept and shown; unknown keys of Docker's bridge driver change nothing
};

struct Network {
  std::string id;  // 64 hex digits
  std::string name;
  std::string driver;  // "bridge", "host" or "null"
  Time created;
  Subnet subnet;          // 0.0.0.0/0 for host and none
  Ipv4 gateway;           // the bridge's own address; 0.0.0.0 for host and none
  std::string interface;  // the bridge's name on the host; empty for host and none
  bool isolated = false;
  bool internal = false;
  bool predefined = false;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;
};
BOOST_DESCRIBE_STRUCT(Network, (),
                      (id, name, driver, created, subnet, gateway, interface, isolated, internal, predefined, labels,
                       options))

// A port of the container on an address of the host. Protocols are "tcp" and "udp".
struct PublishedPort {
  std::string protocol = "tcp";
  Ipv4 host_ip;                 // 0.0.0.0: every IPv4 address of the host
  std::uint16_t host_port = 0;  // 0 in a spec: a free one of the host's ephemeral range
  std::uint16_t container_port = 0;
  friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};
BOOST_DESCRIBE_STRUCT(PublishedPort, (), (protocol, host_ip, host_port, container_port))

struct EndpointSpec {
  std::string container;       // id, 64 hex digits
  std::string container_name;  // for the texts of errors only
  std::string network;         // name, id, or unambiguous beginning of an id
  std::optional<Ipv4> ip;      // absent: the next free one
  std::optional<MacAddress> mac;
  std::vector<PublishedPort> ports;
};

// A container's place in a network.
struct Endpoint {
  std::string id;  // 64 hex digits
  std::string container;
  std::string container_name;
  std::string network;  // id
  std::string network_name;
  Ipv4 ip;
  int prefix = 0;
  Ipv4 gateway;
  MacAddress mac;
  std::string host_interface;        // of the veth pair, a port of the bridge
  std::string guest_interface;       // eth0, eth1, ... inside the container
  std::vector<PublishedPort> ports;  // with the host ports that are really bound
};
BOOST_DESCRIBE_STRUCT(Endpoint, (),
                      (id, container, container_name, network, network_name, ip, prefix, gateway, mac, host_interface,
                       guest_interface, ports))

}  // namespace berth::network
