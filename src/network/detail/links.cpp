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

void put_address(NetlinkBatch& batch, int attribute, Ipv4 address) {
  batch.put_number(attribute, htonl(address.value()));
}

void put_mac(NetlinkBatch& batch, int attribute, const MacAddress& mac) {
  batch.put(attribute, {reinterpret_cast<const char*>(mac.bytes().data()), mac.bytes().size()});
}

void bring_up(NetlinkBatch& batch, int index, const std::string& name) {
  batch.begin(RTM_NEWLINK, 0, link_header(index, IFF_UP), "bring up interface " + name);
}

void add_address(NetlinkBatch& batch, int index, Ipv4 address, const Subnet& subnet) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = static_cast<std::uint8_t>(subnet.prefix());
  header.ifa_index = static_cast<std::uint32_t>(index);
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header, "set the address " + address.text());
  put_address(batch, IFA_LOCAL, address);
  put_address(batch, IFA_ADDRESS, address);
  if (subnet.prefix() < 31) put_address(batch, IFA_BROADCAST, subnet.broadcast());
}

void add_default_route(NetlinkBatch& batch, int index, Ipv4 gateway) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  batch.begin(RTM_NEWROUTE, kCreate, header, "set the default route by " + gateway.text());
  put_address(batch, RTA_GATEWAY, gateway);
  batch.put_number(RTA_OIF, index);
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

void add_bridge(NetlinkBatch& batch, const Network& network) {
  batch.begin(RTM_NEWLINK, kCreate, link_header(), "make bridge " + network.interface);
  batch.put_string(IFLA_IFNAME, network.interface);
  // Of its own, so that it does not change with the ports that come and go.
  put_mac(batch, IFLA_ADDRESS, MacAddress::from_address(network.gateway));
  auto info = batch.nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_KIND, "bridge");
}

void add_veth(NetlinkBatch& batch, const Endpoint& endpoint, int bridge, int netns) {
  batch.begin(RTM_NEWLINK, kCreate, link_header(0, IFF_UP), "make interface " + endpoint.host_interface);
  batch.put_string(IFLA_IFNAME, endpoint.host_interface);
  batch.put_number(IFLA_MASTER, bridge);
  auto info = batch.nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_KIND, "veth");
  auto data = batch.nest(IFLA_INFO_DATA);
  auto peer = batch.nest(VETH_INFO_PEER);
  // Not up yet: the kernel refuses it while the pair is half-made (veth_open, ENOTCONN).
  batch.put_header(link_header());
  batch.put_string(IFLA_IFNAME, endpoint.guest_interface);
  put_mac(batch, IFLA_ADDRESS, endpoint.mac);
  batch.put_number(IFLA_NET_NS_FD, netns);
}

// A container that calls its own published port by the host's address gets the packet back by the port that it came
// from where bridge-nf-call-iptables is on; that is what "hairpin" permits.
void set_port(NetlinkBatch& batch, const VethPlan& plan) {
  bool hairpin = !plan.network.isolated && !plan.endpoint.ports.empty();
  if (!plan.network.isolated && !hairpin) return;
  const std::string& name = plan.endpoint.host_interface;
  batch.begin(RTM_NEWLINK, 0, link_header(), "set up bridge port " + name);
  batch.put_string(IFLA_IFNAME, name);
  auto info = batch.nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_SLAVE_KIND, "bridge");
  auto data = batch.nest(IFLA_INFO_SLAVE_DATA);
  batch.put_number(hairpin ? IFLA_BRPORT_MODE : IFLA_BRPORT_ISOLATED, std::uint8_t(1));
}

Result<void> configure_guest(const VethPlan& plan, int netns) {
  TRY(NetlinkSocket guest, NetlinkSocket::open_in(netns, NETLINK_ROUTE));
  TRY(int index, find_index(guest, plan.endpoint.guest_interface));
  NetlinkBatch batch;
  add_address(batch, index, plan.endpoint.ip, plan.network.subnet);
  bring_up(batch, index, plan.endpoint.guest_interface);
  if (plan.default_route) add_default_route(batch, index, plan.endpoint.gateway);
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
Result<void> set_bridge_sysctls(const std::string& name) {
  TRY_OK(sys::write_value("/proc/sys/net/ipv4/conf/" + name + "/route_localnet", "1"));
  std::string ipv6 = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
  if (sys::exists(ipv6)) TRY_OK(sys::write_value(ipv6, "1"));
  return {};
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
  TRY_OK(set_bridge_sysctls(network.interface));
  NetlinkBatch batch;
  add_address(batch, index, network.gateway, network.subnet);
  bring_up(batch, index, network.interface);
  return socket.transact(batch);
}

Result<void> make_veth(const VethPlan& plan, int netns) {
  TRY(NetlinkSocket host, NetlinkSocket::open(NETLINK_ROUTE));
  TRY(int bridge, find_index(host, plan.network.interface));
  if (bridge == 0) return fail(ErrorCode::io, "the bridge {} is gone", plan.network.interface);
  NetlinkBatch batch;
  add_veth(batch, plan.endpoint, bridge, netns);
  set_port(batch, plan);
  TRY_OK(host.transact(batch));
  TRY_OK(configure_guest(plan, netns));
  TRY_OK(await_carrier(host, plan.endpoint.host_interface));
  return await_carrier(host, plan.network.interface);
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
    if (destination && route.rtm_dst_len > 0) routes.emplace_back(Ipv4(ntohl(*destination)), route.rtm_dst_len);
  }));
  return routes;
}

}  // namespace berth::network
