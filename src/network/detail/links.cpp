#include "network/detail/links.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "sys/file.h"
#include "sys/netlink.h"

namespace berth::network {

namespace {

using sys::NetlinkBatch;
using sys::NetlinkMessage;
using sys::NetlinkSocket;

constexpr int kCreate = NLM_F_CREATE | NLM_F_EXCL;

ifinfomsg link_header(int index = 0, unsigned flags = 0) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = flags;
  return header;
}

void put_address(NetlinkBatch& batch, int attribute, Ip address) { batch.put(attribute, address.bytes()); }

void put_mac(NetlinkBatch& batch, int attribute, const MacAddress& mac) {
  batch.put(attribute, {reinterpret_cast<const char*>(mac.bytes().data()), mac.bytes().size()});
}

void bring_up(NetlinkBatch& batch, int index, const std::string& name) {
  batch.begin(RTM_NEWLINK, 0, link_header(index, IFF_UP), "bring up interface " + name);
}

void add_address(NetlinkBatch& batch, int index, Ip address, const Subnet& subnet) {
  ifaddrmsg header{};
  header.ifa_family = address.is_v6() ? AF_INET6 : AF_INET;
  header.ifa_prefixlen = static_cast<std::uint8_t>(subnet.prefix());
  header.ifa_index = static_cast<std::uint32_t>(index);
  // Nobody else has it, and the search for duplicates would keep it unusable for a second.
  if (address.is_v6()) header.ifa_flags = IFA_F_NODAD;
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header, "set the address " + address.text());
  put_address(batch, IFA_LOCAL, address);
  put_address(batch, IFA_ADDRESS, address);
  if (!address.is_v6() && subnet.prefix() < 31) put_address(batch, IFA_BROADCAST, subnet.last());
}

// Takes the place of another one.
void set_default_route(NetlinkBatch& batch, int index, Ip gateway) {
  rtmsg header{};
  header.rtm_family = gateway.is_v6() ? AF_INET6 : AF_INET;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, header, "set the default route by " + gateway.text());
  put_address(batch, RTA_GATEWAY, gateway);
  batch.put_number(RTA_OIF, index);
}

void set_default_routes(NetlinkBatch& batch, int index, const Endpoint& endpoint) {
  set_default_route(batch, index, endpoint.gateway);
  if (endpoint.ip6) set_default_route(batch, index, endpoint.gateway6);
}

// The index of an interface, 0 when there is none. if_nametoindex(3) would ask the thread's namespace.
Result<int> find_index(NetlinkSocket& socket, const std::string& name) {
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, 0, link_header(), "look for interface " + name);
  batch.put_string(IFLA_IFNAME, name);
  int index = 0;
  auto result =
      socket.request(batch, [&](const NetlinkMessage& message) { index = message.header<ifinfomsg>().ifi_index; });
  if (!result && result.error().errno_value() != ENODEV) return std::unexpected(std::move(result).error());
  return index;
}

Result<int> find_index_by_any_name(NetlinkSocket& socket, const std::string& name) {
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, 0, link_header(), "look for interface " + name);
  batch.put_string(IFLA_ALT_IFNAME, name);
  int index = 0;
  TRY_OK(socket.request(batch, [&](const NetlinkMessage& message) { index = message.header<ifinfomsg>().ifi_index; }));
  return index;
}

void add_bridge(NetlinkBatch& batch, const Network& network) {
  batch.begin(RTM_NEWLINK, kCreate, link_header(), "make bridge " + network.interface);
  batch.put_string(IFLA_IFNAME, network.interface);
  // Of its own, so that it does not change with the ports that come and go.
  put_mac(batch, IFLA_ADDRESS, MacAddress::from_address(network.ipv4->gateway));
  if (network.mtu() != 0) batch.put_number(IFLA_MTU, network.mtu());
  auto info = batch.nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_KIND, "bridge");
}

// The name that a person has given to the bridge is a second one of it: ours is the one that rules and sweeps know.
void name_bridge(NetlinkBatch& batch, int index, const std::string& name) {
  batch.begin(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, link_header(index),
              "give the bridge the name " + name);
  auto list = batch.nest(IFLA_PROP_LIST);
  batch.put_string(IFLA_ALT_IFNAME, name);
}

void add_veth(NetlinkBatch& batch, const VethPlan& plan, int bridge, int netns) {
  const Endpoint& endpoint = plan.endpoint;
  int mtu = plan.network.mtu();
  batch.begin(RTM_NEWLINK, kCreate, link_header(0, IFF_UP), "make interface " + endpoint.host_interface);
  batch.put_string(IFLA_IFNAME, endpoint.host_interface);
  batch.put_number(IFLA_MASTER, bridge);
  if (mtu != 0) batch.put_number(IFLA_MTU, mtu);
  auto info = batch.nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_KIND, "veth");
  auto data = batch.nest(IFLA_INFO_DATA);
  auto peer = batch.nest(VETH_INFO_PEER);
  // Not up yet: the kernel refuses it while the pair is half-made (veth_open, ENOTCONN).
  batch.put_header(link_header());
  batch.put_string(IFLA_IFNAME, endpoint.guest_interface);
  put_mac(batch, IFLA_ADDRESS, endpoint.mac);
  if (mtu != 0) batch.put_number(IFLA_MTU, mtu);
  batch.put_number(IFLA_NET_NS_FD, netns);
}

// A container that calls its own published port by the host's address gets the packet back by the port that it came
// from where bridge-nf-call-iptables is on; that is what "hairpin" permits.
void set_port(NetlinkBatch& batch, const VethPlan& plan) {
  bool closed = !plan.network.open_inside();
  bool hairpin = !closed && !plan.endpoint.ports.empty();
  if (!closed && !hairpin) return;
  const std::string& name = plan.endpoint.host_interface;
  batch.begin(RTM_NEWLINK, 0, link_header(), "set up bridge port " + name);
  batch.put_string(IFLA_IFNAME, name);
  auto info = batch.nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_SLAVE_KIND, "bridge");
  auto data = batch.nest(IFLA_INFO_SLAVE_DATA);
  batch.put_number(hairpin ? IFLA_BRPORT_MODE : IFLA_BRPORT_ISOLATED, std::uint8_t(1));
}

// Where the host has switched IPv6 off, a new namespace may have it off as well.
Result<void> enable_guest_ipv6(int netns, const std::string& interface) {
  std::string path = "/proc/sys/net/ipv6/conf/" + interface + "/disable_ipv6";
  return sys::in_network(netns, [&] { return sys::write_value(path, "0"); });
}

Result<void> configure_guest(const VethPlan& plan, int netns) {
  const Endpoint& endpoint = plan.endpoint;
  if (endpoint.ip6) TRY_OK(enable_guest_ipv6(netns, endpoint.guest_interface));
  TRY(NetlinkSocket guest, NetlinkSocket::open_in(netns, NETLINK_ROUTE));
  TRY(int index, find_index(guest, endpoint.guest_interface));
  NetlinkBatch batch;
  add_address(batch, index, endpoint.ip, plan.network.ipv4->subnet);
  if (endpoint.ip6) add_address(batch, index, *endpoint.ip6, plan.network.ipv6->subnet);
  for (Ip address : endpoint.link_local) add_address(batch, index, address, Subnet(address, address.is_v6() ? 64 : 16));
  bring_up(batch, index, endpoint.guest_interface);
  if (plan.default_route) set_default_routes(batch, index, endpoint);
  return guest.transact(batch);
}

// Nothing passes an interface until the kernel's link watch has noticed that it has a carrier, and a packet lost before
// that costs its sender a second. It goes for the bridge's port, and for the bridge itself, which has a carrier when a
// port has. From 6.8 on, asking for the interface makes the kernel notice; before, it does by itself within some 100
// us.
Result<void> await_carrier(NetlinkSocket& socket, const std::string& name) {
  constexpr int kAttempts = 50;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    NetlinkBatch batch;
    batch.begin(RTM_GETLINK, 0, link_header(), "look for interface " + name);
    batch.put_string(IFLA_IFNAME, name);
    bool up = false;
    TRY_OK(socket.request(batch, [&](const NetlinkMessage& message) {
      auto state = message.attributes<ifinfomsg>().number<std::uint8_t>(IFLA_OPERSTATE);
      up = state == std::uint8_t(IF_OPER_UP) || state == std::uint8_t(IF_OPER_UNKNOWN);
    }));
    if (up) return {};
  }
  // The first packets may wait, but they will flow.
  return {};
}

// Settings of an interface that only /proc/sys offers. Without IPv6 its folder is absent, which is as good.
Result<void> set_bridge_sysctls(const Network& network) {
  const std::string& name = network.interface;
  TRY_OK(sys::write_value("/proc/sys/net/ipv4/conf/" + name + "/route_localnet", "1"));
  std::string ipv6 = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
  if (network.ipv6 || sys::exists(ipv6)) TRY_OK(sys::write_value(ipv6, network.ipv6 ? "0" : "1"));
  return {};
}

Result<void> ensure_name(NetlinkSocket& socket, int index, const std::string& name) {
  NetlinkBatch batch;
  name_bridge(batch, index, name);
  auto named = socket.transact(batch);
  if (named || named.error().errno_value() != EEXIST) return named;
  // The kernel finds an interface by either kind of name.
  TRY(int owner, find_index_by_any_name(socket, name));
  return owner == index ? Result<void>() : named;
}

}  // namespace

Result<void> ensure_bridge(const Network& network) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  TRY(int index, find_index(socket, network.interface));
  if (index == 0) {
    NetlinkBatch batch;
    add_bridge(batch, network);
    TRY_OK(socket.transact(batch));
    TRY(index, find_index(socket, network.interface));
  }
  if (std::string name = network.option(kOptionName); !name.empty()) TRY_OK(ensure_name(socket, index, name));
  TRY_OK(set_bridge_sysctls(network));
  NetlinkBatch batch;
  add_address(batch, index, network.ipv4->gateway, network.ipv4->subnet);
  if (network.ipv6) add_address(batch, index, network.ipv6->gateway, network.ipv6->subnet);
  bring_up(batch, index, network.interface);
  return socket.transact(batch);
}

Result<void> make_veth(const VethPlan& plan, int netns) {
  TRY(NetlinkSocket host, NetlinkSocket::open(NETLINK_ROUTE));
  TRY(int bridge, find_index(host, plan.network.interface));
  if (bridge == 0) return fail(ErrorCode::io, "the bridge {} is gone", plan.network.interface);
  NetlinkBatch batch;
  add_veth(batch, plan, bridge, netns);
  set_port(batch, plan);
  TRY_OK(host.transact(batch));
  TRY_OK(configure_guest(plan, netns));
  TRY_OK(await_carrier(host, plan.endpoint.host_interface));
  return await_carrier(host, plan.network.interface);
}

Result<void> route_by(const Endpoint& endpoint, int netns) {
  TRY(NetlinkSocket guest, NetlinkSocket::open_in(netns, NETLINK_ROUTE));
  TRY(int index, find_index(guest, endpoint.guest_interface));
  NetlinkBatch batch;
  set_default_routes(batch, index, endpoint);
  return guest.transact(batch);
}

namespace {

Result<void> transact_unless_gone(NetlinkBatch& batch) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  auto result = socket.transact(batch);
  if (!result && result.error().errno_value() == ENODEV) return {};
  return result;
}

}  // namespace

Result<void> unplug(const std::string& name) {
  ifinfomsg down = link_header();
  down.ifi_change = IFF_UP;
  NetlinkBatch batch;
  batch.begin(RTM_NEWLINK, 0, down, "unplug interface " + name);
  batch.put_string(IFLA_IFNAME, name);
  batch.put_number(IFLA_MASTER, 0);
  return transact_unless_gone(batch);
}

Result<void> delete_link(const std::string& name) {
  NetlinkBatch batch;
  batch.begin(RTM_DELLINK, 0, link_header(), "delete interface " + name);
  batch.put_string(IFLA_IFNAME, name);
  return transact_unless_gone(batch);
}

Result<std::vector<Link>> list_links() {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, NLM_F_DUMP, link_header(), "list interfaces");
  std::vector<Link> links;
  TRY_OK(socket.request(batch, [&](const NetlinkMessage& message) {
    auto attributes = message.attributes<ifinfomsg>();
    links.push_back({attributes.string(IFLA_IFNAME), attributes.nested(IFLA_LINKINFO).string(IFLA_INFO_KIND)});
  }));
  return links;
}

Result<std::vector<Subnet>> list_routes() {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  NetlinkBatch batch;
  rtmsg header{};
  header.rtm_family = AF_INET;
  batch.begin(RTM_GETROUTE, NLM_F_DUMP, header, "list routes");
  std::vector<Subnet> routes;
  TRY_OK(socket.request(batch, [&](const NetlinkMessage& message) {
    auto route = message.header<rtmsg>();
    auto destination = message.attributes<rtmsg>().number<std::uint32_t>(RTA_DST);
    if (destination && route.rtm_dst_len > 0) routes.emplace_back(Ip::v4(ntohl(*destination)), route.rtm_dst_len);
  }));
  return routes;
}

}  // namespace berth::network
