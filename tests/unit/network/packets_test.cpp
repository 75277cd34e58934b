// Who reaches whom, told by packets.
#include "sandbox.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/unix_socket.h"

namespace berth::network::test {
namespace {

// Where Docker is or was, bridged packets pass the rules for routed ones, too; elsewhere they do not. Both must come
// out the same. (The switch is the network namespace's own.)
class Packets : public Sandbox, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    constexpr char kSwitch[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    Sandbox::SetUp();
    if (IsSkipped()) return;
    if (sys::exists(kSwitch))
      ASSERT_TRUE(sys::write_value(kSwitch, GetParam() ? "1" : "0"));
    else if (GetParam())
      GTEST_SKIP() << "needs the kernel module br_netfilter";
  }
};
INSTANTIATE_TEST_SUITE_P(, Packets, testing::Bool(), [](const auto& info) {
  return info.param ? "BridgedPacketsFiltered" : "BridgedPacketsUnfiltered";
});

PublishedPort port(std::string protocol, const char* host_ip, std::uint16_t host, std::uint16_t container) {
  return {std::move(protocol), *Ip::parse(host_ip), host, container};
}

TEST_P(Packets, ContainersOnBridgeReachEachOtherAndTheOutside) {
  auto a = make_netns(), b = make_netns();
  Endpoint at_a = attach("a", a, "bridge"), at_b = attach("b", b, "bridge");
  Responder on_b(b, "tcp", 80, "b"), on_outside(outside, "tcp", 80, "outside");
  EXPECT_EQ(ask(a, "tcp", at_b.ip.text(), 80), "b " + at_a.ip.text());
  // Masqueraded: the outside sees the host.
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside 198.51.100.1");
}

TEST_P(Packets, TheFirstPacketOfAContainerArrives) {
  auto b = make_netns();
  Endpoint at_b = attach("b", b, "bridge");
  Responder on_b(b, "udp", 80, "b");
  for (int i = 0; i < 10; ++i) {
    auto a = make_netns();
    Endpoint at_a = attach(std::to_string(i), a, "bridge");
    EXPECT_EQ(ask(a, "udp", at_b.ip.text(), 80), "b " + at_a.ip.text()) << i;
  }
}

// A bridge without containers has no carrier.
TEST_P(Packets, TheFirstPacketToTheOnlyContainerArrives) {
  for (int i = 0; i < 5; ++i) {
    auto netns = make_netns();
    Endpoint endpoint = attach("a", netns, "workspaces");
    Responder responder(netns, "udp", 80, "a");
    EXPECT_EQ(ask(host, "udp", endpoint.ip.text(), 80), "a " + endpoint.gateway.text()) << i;
    detach("a");
    ASSERT_TRUE(run(*loop, manager->sweep({})));
  }
}

TEST_P(Packets, WorkspacesReachTheOutsideButNotEachOther) {
  auto a = make_netns(), b = make_netns(), c = make_netns();
  attach("a", a, "workspaces");
  Endpoint at_b = attach("b", b, "workspaces", {port("tcp", "0.0.0.0", 18080, 80)});
  Endpoint at_c = attach("c", c, "bridge", {port("tcp", "0.0.0.0", 18081, 80)});
  Responder on_b(b, "tcp", 80, "b"), on_c(c, "tcp", 80, "c"), on_outside(outside, "tcp", 80, "outside");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside 198.51.100.1");
  EXPECT_EQ(ask(a, "tcp", at_b.ip.text(), 80), "");
  EXPECT_EQ(ask(a, "tcp", at_b.gateway.text(), 18080), "");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.1", 18080), "");
  EXPECT_EQ(ask(a, "tcp", at_c.ip.text(), 80), "");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.1", 18081), "");
  // Nor the other way round, except by what was published.
  EXPECT_EQ(ask(c, "tcp", at_b.ip.text(), 80), "");
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18080), "b 198.51.100.2");
}

TEST_P(Packets, MetadataServicesAreNotForWorkspaces) {
  in(outside, [] { shell("ip addr add 169.254.169.254/32 dev cable0"); });
  shell("ip route add 169.254.169.254/32 dev cable");
  auto w = make_netns(), a = make_netns();
  attach("w", w, "workspaces");
  attach("a", a, "bridge");
  Responder metadata(outside, "tcp", 80, "metadata");
  EXPECT_EQ(ask(w, "tcp", "169.254.169.254", 80), "");
  EXPECT_EQ(ask(a, "tcp", "169.254.169.254", 80), "metadata 198.51.100.1");
}

// As the shim makes it: the namespace belongs to the container's user namespace.
TEST_P(Packets, ANamespaceThatBelongsToAUserNamespaceIsNoDifferent) {
  auto [ours, theirs] = sys::socket_pair(SOCK_STREAM).value();
  auto holder = sys::spawn({.argv = {"/usr/bin/unshare", "--user", "--map-root-user", "--net", "/bin/cat"},
                            .fds = {{theirs.get(), 0}, {theirs.get(), 1}}});
  ASSERT_TRUE(holder) << holder.error().text();
  theirs.reset();
  char byte = '!';
  ASSERT_EQ(::write(ours.get(), &byte, 1), 1);
  ASSERT_EQ(::read(ours.get(), &byte, 1), 1);  // the echo: the namespaces are there
  sys::UniqueFd netns(::open(fmt::format("/proc/{}/ns/net", holder->pid()).c_str(), O_RDONLY | O_CLOEXEC));
  Endpoint endpoint = attach("a", netns, "workspaces", {port("tcp", "0.0.0.0", 18080, 80)});
  {
    Responder on_a(netns, "tcp", 80, "a");
    EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18080), "a 198.51.100.2");
  }
  ours.reset();
  EXPECT_EQ(*holder->wait(), 0);
}

TEST_P(Packets, AWorkspaceThatSendsToItsNeighbourThroughTheGatewayIsRefused) {
  auto a = make_netns(), b = make_netns();
  attach("a", a, "workspaces");
  Endpoint at_b = attach("b", b, "workspaces");
  Responder on_b(b, "tcp", 80, "b");
  in(a, [&] { shell(fmt::format("ip route add {}/32 via {}", at_b.ip.text(), at_b.gateway.text())); });
  EXPECT_EQ(ask(a, "tcp", at_b.ip.text(), 80), "");
}

TEST_P(Packets, AWorkspaceCannotSendInTheNameOfAnother) {
  auto a = make_netns(), b = make_netns();
  Endpoint at_a = attach("a", a, "workspaces"), at_b = attach("b", b, "workspaces");
  Responder on_outside(outside, "udp", 53, "outside");
  EXPECT_EQ(ask(a, "udp", "198.51.100.2", 53), "outside 198.51.100.1");
  // A stolen address, also with a gratuitous ARP for it, brings nothing: the host still finds b at b.
  in(a, [&] {
    shell(fmt::format("ip addr del {}/20 dev eth0 && ip addr add {}/20 dev eth0", at_a.ip.text(), at_b.ip.text()));
    shell("ip route replace default via " + at_b.gateway.text());
    shell("busybox arping -q -U -c 1 -I eth0 " + at_b.ip.text() + " || true");
  });
  EXPECT_EQ(ask(a, "udp", "198.51.100.2", 53), "");
  Responder on_a(a, "tcp", 80, "a"), on_b(b, "tcp", 80, "b");
  EXPECT_EQ(ask(host, "tcp", at_b.ip.text(), 80), "b " + at_b.gateway.text());
}

TEST_P(Packets, TheHostsServicesAreClosedExceptDeclaredOnes) {
  config.host_services = {{"bridge", "udp", 5353}};
  open_manager();
  auto a = make_netns(), w = make_netns();
  Endpoint at_a = attach("a", a, "bridge"), at_w = attach("w", w, "workspaces");
  Responder service(host, "tcp", 22, "host"), name_service(host, "udp", 5353, "dns");
  for (const char* address : {"198.51.100.1", "127.0.0.1"}) {
    EXPECT_EQ(ask(a, "tcp", address, 22), "") << address;
    EXPECT_EQ(ask(w, "tcp", address, 22), "") << address;
  }
  EXPECT_EQ(ask(a, "tcp", at_a.gateway.text(), 22), "");
  EXPECT_EQ(ask(w, "tcp", at_w.gateway.text(), 22), "");
  EXPECT_EQ(ask(a, "udp", at_a.gateway.text(), 5353), "dns " + at_a.ip.text());
  EXPECT_EQ(ask(w, "udp", at_w.gateway.text(), 5353), "");
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 22), "host 198.51.100.2");
  in(a, [&] { shell("busybox ping -q -c 1 -W 1 " + at_a.gateway.text() + " >/dev/null"); });
}

TEST_P(Packets, LoopbackOfTheHostIsOutOfReachAlthoughItIsRoutable) {
  config.host_services = {{"bridge", "tcp", 22}};
  open_manager();
  auto a = make_netns();
  Endpoint at_a = attach("a", a, "bridge", {port("tcp", "127.0.0.1", 18099, 80)});
  Responder on_a(a, "tcp", 80, "a"), service(host, "tcp", 22, "host");
  // A container, and a machine on the same wire, that send packets for 127.0.0.1 to the host.
  in(a, [&] {
    shell("ip addr del 127.0.0.1/8 dev lo && sysctl -qw net.ipv4.conf.eth0.route_localnet=1");
    shell("ip route add 127.0.0.1/32 via " + at_a.gateway.text());
  });
  in(outside, [] {
    shell("ip addr del 127.0.0.1/8 dev lo && sysctl -qw net.ipv4.conf.cable0.route_localnet=1");
    shell("ip route add 127.0.0.1/32 via 198.51.100.1");
  });
  EXPECT_EQ(ask(host, "tcp", "127.0.0.1", 18099), "a " + at_a.gateway.text());
  for (int number : {22, 18099}) {
    EXPECT_EQ(ask(a, "tcp", "127.0.0.1", number), "") << number;
    EXPECT_EQ(ask(outside, "tcp", "127.0.0.1", number), "") << number;
  }
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18099), "");
}

TEST_P(Packets, PublishedPortsAreReachedFromEverywhere) {
  auto a = make_netns(), b = make_netns();
  Endpoint at_a = attach(
      "a", a, "bridge",
      {port("tcp", "0.0.0.0", 18080, 80), port("udp", "0.0.0.0", 18080, 53), port("tcp", "198.51.100.1", 18090, 80)});
  Endpoint at_b = attach("b", b, "bridge");
  Responder tcp(a, "tcp", 80, "a"), udp(a, "udp", 53, "a");
  for (const char* protocol : {"tcp", "udp"}) {
    EXPECT_EQ(ask(outside, protocol, "198.51.100.1", 18080), "a 198.51.100.2") << protocol;
    EXPECT_EQ(ask(host, protocol, "127.0.0.1", 18080), "a " + at_a.gateway.text()) << protocol;
    EXPECT_EQ(ask(host, protocol, "198.51.100.1", 18080), "a 198.51.100.1") << protocol;
    // A neighbour, and the container itself, by the host's address and by the gateway's.
    for (const auto* from : {&b, &a})
      for (const std::string& to : {std::string("198.51.100.1"), at_b.gateway.text()})
        EXPECT_EQ(ask(*from, protocol, to, 18080), "a " + at_a.gateway.text()) << protocol << " " << to;
  }
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18090), "a 198.51.100.2");
  EXPECT_EQ(ask(host, "tcp", "127.0.0.1", 18090), "");
  // What was not published is closed, by the host's address and by its own.
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 80), "");
  EXPECT_EQ(ask(outside, "tcp", at_a.ip.text(), 80), "");
  detach("a");
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18080), "");
}

TEST_P(Packets, AUdpClientThatGoesOnReachesTheNewContainer) {
  sys::UniqueFd client;
  in(outside, [&] { client = make_socket("udp"); });
  timeval timeout{0, 200'000};
  ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  sockaddr_in to = socket_address("198.51.100.1", 18080);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  for (const char* name : {"old", "new"}) {
    auto netns = make_netns();
    attach(name, netns, "bridge", {port("udp", "0.0.0.0", 18080, 53)});
    Responder responder(netns, "udp", 53, name);
    ASSERT_EQ(::send(client.get(), "?", 1, 0), 1);
    char buffer[64] = {};
    ::recv(client.get(), buffer, sizeof buffer - 1, 0);
    EXPECT_EQ(std::string(buffer), std::string(name) + " 198.51.100.2");
    detach(name);
  }
}

TEST_P(Packets, NetworksAreApartAndInternalOnesClosed) {
  auto created = run(*loop, manager->create({.name = "inner", .internal = true}));
  ASSERT_TRUE(created) << created.error().text();
  auto a = make_netns(), b = make_netns(), c = make_netns();
  Endpoint at_a = attach("a", a, "inner"), at_b = attach("b", b, "inner");
  Endpoint at_c = attach("c", c, "bridge", {port("tcp", "0.0.0.0", 18080, 80)});
  Responder on_b(b, "tcp", 80, "b"), on_c(c, "tcp", 80, "c"), on_outside(outside, "tcp", 80, "outside");
  EXPECT_EQ(ask(a, "tcp", at_b.ip.text(), 80), "b " + at_a.ip.text());
  EXPECT_EQ(ask(c, "tcp", at_b.ip.text(), 80), "");
  in(a, [&] { shell("ip route add default via " + at_a.gateway.text()); });
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.1", 18080), "");
  in(a, [] { shell("ip route del default"); });
  // A second network brings a second interface and, the first being internal, the default route.
  Endpoint second = attach("a", a, "bridge");
  EXPECT_EQ(second.guest_interface, "eth1");
  EXPECT_EQ(ask(a, "tcp", at_c.ip.text(), 80), "c " + second.ip.text());
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside 198.51.100.1");
}

TEST_P(Packets, AForwardChainThatDropsIsOpenedAtItsEndForUsAlone) {
  shell("iptables-nft -A FORWARD -d 198.51.100.2 -p tcp --dport 81 -j REJECT && iptables-nft -P FORWARD DROP");
  auto a = make_netns();
  attach("a", a, "bridge", {port("tcp", "0.0.0.0", 18080, 80)});
  Responder on_a(a, "tcp", 80, "a"), on_outside(outside, "tcp", 80, "outside"), refused(outside, "tcp", 81, "refused");
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18080), "");
  open_manager();
  open_manager();
  EXPECT_EQ(ask(outside, "tcp", "198.51.100.1", 18080), "a 198.51.100.2");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside 198.51.100.1");
  // The administrator's own rules come first.
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 81), "");
  std::string rules = output_of("iptables-nft -S FORWARD");
  EXPECT_EQ(rules,
            "-P FORWARD DROP\n-A FORWARD -d 198.51.100.2/32 -p tcp -m tcp --dport 81 -j REJECT --reject-with "
            "icmp-port-unreachable\n-A FORWARD -i nt+ -m comment --comment \"berth:nt\" -j ACCEPT\n"
            "-A FORWARD -o nt+ -m comment --comment \"berth:nt\" -j ACCEPT\n");
  manager.reset();
  ASSERT_TRUE(Manager::remove_from_host(config));
  EXPECT_EQ(output_of("iptables-nft -S FORWARD").find("berth"), std::string::npos);
}

TEST_P(Packets, WithoutIccNeighboursAreApartButReachTheOutside) {
  ASSERT_TRUE(run(*loop, manager->create({.name = "apart", .options = {{kOptionIcc, "false"}}})));
  auto a = make_netns(), b = make_netns();
  attach("a", a, "apart");
  Endpoint at_b = attach("b", b, "apart");
  Responder on_b(b, "tcp", 80, "b"), on_outside(outside, "tcp", 80, "outside");
  EXPECT_EQ(ask(a, "tcp", at_b.ip.text(), 80), "");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside 198.51.100.1");
}

TEST_P(Packets, WithoutMasqueradeTheOutsideSeesTheContainer) {
  ASSERT_TRUE(run(*loop, manager->create({.name = "plain", .options = {{kOptionMasquerade, "false"}}})));
  auto a = make_netns();
  Endpoint at_a = attach("a", a, "plain");
  Responder on_outside(outside, "tcp", 80, "outside");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside " + at_a.ip.text());
}

TEST_P(Packets, Ipv6GoesWhereItWasAskedFor) {
  ASSERT_TRUE(run(*loop, manager->create({.name = "six", .enable_ipv6 = true})));
  ASSERT_TRUE(run(*loop, manager->create({.name = "seven", .enable_ipv6 = true})));
  auto a = make_netns(), b = make_netns(), c = make_netns();
  attach("a", a, "six");
  Endpoint at_b = attach("b", b, "six"), at_c = attach("c", c, "seven");
  auto ping = [&](const sys::UniqueFd& from, Ip to) {
    int status = 1;
    in(from, [&] { status = std::system(("busybox ping -6 -q -c 1 -W 1 " + to.text() + " >/dev/null 2>&1").c_str()); });
    return status == 0;
  };
  EXPECT_TRUE(ping(a, *at_b.ip6));
  EXPECT_TRUE(ping(a, at_b.gateway6));
  EXPECT_TRUE(ping(host, *at_b.ip6));
  EXPECT_FALSE(ping(a, *at_c.ip6));
  shell("ip addr add 2001:db8::1/64 dev cable nodad");
  in(outside, [] { shell("ip addr add 2001:db8::2/64 dev cable0 nodad"); });
  // Masqueraded: the outside has no route back.
  EXPECT_TRUE(ping(a, *Ip::parse("2001:db8::2")));
}

}  // namespace
}  // namespace berth::network::test
