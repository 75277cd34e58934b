// Attaching, detaching, restarting and sweeping on a real kernel, and that nothing is left.
#include <algorithm>
#include <chrono>
#include <fstream>

#include "network/preflight.h"
#include "sandbox.h"

namespace berth::network::test {
namespace {

class Lifecycle : public Sandbox {
 protected:
  std::string tables() { return output_of("nft list table inet nt; nft list table bridge nt"); }
  std::vector<std::string> records() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(config.state_dir + "/endpoints"))
      names.push_back(entry.path().filename());
    return names;
  }
};

PublishedPort tcp(std::uint16_t host, std::uint16_t container) { return {"tcp", Ip::v4(0x7f000001), host, container}; }

TEST_F(Lifecycle, BuiltInNetworksAreThereAndStay) {
  std::vector<std::string> names;
  for (const Network& network : manager->networks()) names.push_back(network.name);
  EXPECT_EQ(names, (std::vector<std::string>{"bridge", "host", "none", "workspaces"}));
  Network before = *manager->find("bridge");
  EXPECT_EQ(before.ipv4->subnet.text(), "10.89.0.0/20");
  EXPECT_EQ(before.ipv4->gateway.text(), "10.89.0.1");
  EXPECT_EQ(before.interface, "nt0");
  EXPECT_FALSE(before.isolated);
  EXPECT_TRUE(manager->find("workspaces")->isolated);
  open_manager();
  EXPECT_EQ(manager->find(before.id.substr(0, 12))->id, before.id);
}

TEST_F(Lifecycle, AnEndpointIsWhatWasAskedFor) {
  auto netns = make_netns();
  EndpointSpec spec{.container = id("a"),
                    .container_name = "a",
                    .network = "bridge",
                    .ip = *Ip::parse("10.89.0.77"),
                    .mac = *MacAddress::parse("02:00:00:00:00:01"),
                    .ports = {{"tcp", Ip::v4(0x7f000001), 0, 0, 80}}};
  auto endpoint = run(*loop, manager->attach(spec, netns.get()));
  ASSERT_TRUE(endpoint) << endpoint.error().text();
  EXPECT_NE(endpoint->ports.at(0).host_port, 0);
  std::string inside;
  in(netns, [&] { inside = output_of("ip -o addr show eth0; ip -o link show eth0; ip route"); });
  for (const char* part :
       {"inet 10.89.0.77/20 brd 10.89.15.255", "02:00:00:00:00:01", "default via 10.89.0.1 dev eth0"})
    EXPECT_NE(inside.find(part), std::string::npos) << part << " in " << inside;
  auto again = run(*loop, manager->attach(spec, netns.get()));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().text(), "endpoint with name a already exists in network bridge");
  spec.container = id("b");
  spec.mac.reset();
  EXPECT_EQ(run(*loop, manager->attach(spec, netns.get())).error().text(), "Address already in use");
  for (const char* wrong : {"10.89.0.0", "10.89.0.1", "10.89.15.255", "10.99.0.1"}) {
    spec.ip = *Ip::parse(wrong);
    EXPECT_FALSE(run(*loop, manager->attach(spec, netns.get()))) << wrong;
  }
}

TEST_F(Lifecycle, APortInUseIsToldAtOnceAndNothingIsLeft) {
  auto netns = make_netns();
  auto before = links();
  std::string rules = tables();
  sys::UniqueFd other = make_socket("tcp");
  sockaddr_in address = socket_address("127.0.0.1", 18099);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(other.get(), 1), 0);
  auto conflict = try_attach("a", netns, "bridge", {tcp(18098, 80), tcp(18099, 80)});
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().text(), "Bind for 127.0.0.1:18099 failed: port is already allocated");
  EXPECT_EQ(http_status(conflict.error().code()), 500);
  EXPECT_EQ(links(), before);
  EXPECT_EQ(tables(), rules);
  EXPECT_TRUE(records().empty());
  // Between two of ours, and any address against one; the first of the two ports of the failed attempt is free.
  attach("b", netns, "bridge", {tcp(18098, 80)});
  auto elsewhere = make_netns();
  PublishedPort any{"tcp", Ip(), 18098, 80};
  EXPECT_EQ(try_attach("c", elsewhere, "bridge", {any}).error().text(),
            "Bind for 0.0.0.0:18098 failed: port is already allocated");
  detach("b");
  attach("c", elsewhere, "bridge", {any});
}

// Ports that are held must be closed to others, even to those who set SO_REUSEADDR, as servers do.
TEST_F(Lifecycle, AHeldPortCannotBeBoundByOthers) {
  auto netns = make_netns();
  attach("a", netns, "bridge", {tcp(18099, 80), {"udp", Ip::v4(0x7f000001), 18099, 80}});
  for (const char* protocol : {"tcp", "udp"}) {
    sys::UniqueFd other = make_socket(protocol);
    int on = 1;
    ::setsockopt(other.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = socket_address("127.0.0.1", 18099);
    EXPECT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), -1) << protocol;
    EXPECT_EQ(errno, EADDRINUSE);
  }
}

// A server that has just ended leaves connections in TIME_WAIT on its port.
TEST_F(Lifecycle, APortThatAServerHasJustLeftIsFree) {
  {
    Responder server(host, "tcp", 18099, "old");
    EXPECT_EQ(ask(host, "tcp", "127.0.0.1", 18099), "old 127.0.0.1");
  }
  auto netns = make_netns();
  attach("a", netns, "bridge", {tcp(18099, 80)});
}

TEST_F(Lifecycle, AFailedAttachLeavesNothing) {
  auto before = links();
  std::string rules = tables();
  sys::UniqueFd no_netns(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(try_attach("a", no_netns, "workspaces", {tcp(18099, 80)}));
  // An interface of that name inside: the outer half is made first and must go again.
  auto netns = make_netns();
  in(netns, [] { shell("ip link add eth0 type bridge"); });
  EXPECT_FALSE(try_attach("a", netns, "workspaces", {tcp(18099, 80)}));
  EXPECT_EQ(links(), before);
  EXPECT_EQ(tables(), rules);
  EXPECT_TRUE(records().empty());
  auto good = make_netns();
  Endpoint endpoint = attach("a", good, "workspaces", {tcp(18099, 80)});
  EXPECT_EQ(endpoint.ports.at(0).host_port, 18099);
}

TEST_F(Lifecycle, FiftyAtOnceGetFiftyAddressesAndLeaveNothing) {
  constexpr int kCount = 50;
  auto before = links();
  std::string rules = tables();
  std::vector<sys::UniqueFd> spaces;
  for (int i = 0; i < kCount; ++i) spaces.push_back(make_netns());
  std::vector<Result<Endpoint>> made;
  auto all = [&]() -> async::Task<Result<void>> {
    async::TaskGroup group(*loop);
    for (int i = 0; i < kCount; ++i) {
      EndpointSpec spec{.container = id(std::to_string(i)),
                        .network = "workspaces",
                        .ports = {{"tcp", Ip::v4(0x7f000001), 0, 0, 22}}};
      auto one = [](Manager& on, EndpointSpec asked, int netns, std::vector<Result<Endpoint>>& out) -> async::Task<> {
        out.push_back(co_await on.attach(std::move(asked), netns));
      };
      group.spawn("attach", one(*manager, std::move(spec), spaces[static_cast<std::size_t>(i)].get(), made));
    }
    co_await group.join();
    co_return Result<void>();
  };
  ASSERT_TRUE(run(*loop, all()));
  std::set<Ip> addresses;
  std::set<std::uint16_t> ports;
  for (const auto& endpoint : made) {
    ASSERT_TRUE(endpoint) << endpoint.error().text();
    addresses.insert(endpoint->ip);
    ports.insert(endpoint->ports.at(0).host_port);
  }
  EXPECT_EQ(addresses.size(), kCount);
  EXPECT_EQ(ports.size(), kCount);
  EXPECT_EQ(records().size(), kCount);
  for (int i = 0; i < kCount; ++i) detach(std::to_string(i));
  ASSERT_TRUE(run(*loop, manager->sweep({})));
  EXPECT_EQ(links(), before);
  EXPECT_EQ(tables(), rules);
  EXPECT_TRUE(records().empty());
}

// Prints what an attach costs; the bound is far above the aim (2 ms), for busy machines.
TEST_F(Lifecycle, AnAttachTakesAboutAMillisecond) {
  using Clock = std::chrono::steady_clock;
  constexpr int kCount = 50;
  std::vector<double> attached, detached;
  std::vector<sys::UniqueFd> spaces;
  for (int i = 0; i < kCount; ++i) spaces.push_back(make_netns());
  auto ms = [](Clock::time_point since) {
    return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
  };
  for (int i = 0; i < kCount; ++i) {
    auto start = Clock::now();
    attach(std::to_string(i), spaces[static_cast<std::size_t>(i)], "workspaces", {tcp(0, 22)});
    attached.push_back(ms(start));
  }
  for (int i = 0; i < kCount; ++i) {
    auto start = Clock::now();
    detach(std::to_string(i));
    detached.push_back(ms(start));
  }
  std::sort(attached.begin(), attached.end());
  std::sort(detached.begin(), detached.end());
  fmt::print(
      "attach with a published port: median {:.2f} ms, 90 % {:.2f} ms; detach: median {:.2f} ms, 90 % {:.2f} ms\n",
      attached[25], attached[45], detached[25], detached[45]);
  EXPECT_LT(attached[25], 20);
}

TEST_F(Lifecycle, ANewManagerFindsEverythingAndHoldsThePortsAgain) {
  auto netns = make_netns();
  Endpoint before = attach("a", netns, "bridge", {tcp(18099, 80)});
  Responder on_a(netns, "tcp", 80, "a");
  std::string rules = tables();
  open_manager();
  EXPECT_EQ(tables(), rules);
  EXPECT_EQ(ask(host, "tcp", "127.0.0.1", 18099), "a 10.89.0.1");
  auto swept = run(*loop, manager->sweep({id("a")}));
  ASSERT_TRUE(swept) << swept.error().text();
  EXPECT_EQ(swept->endpoints, 0u);
  EXPECT_EQ(swept->interfaces, 0u);
  ASSERT_EQ(manager->endpoints_of(id("a")).size(), 1u);
  Endpoint after = manager->endpoints_of(id("a"))[0];
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.ports, before.ports);
  auto other = make_netns();
  EXPECT_NE(attach("b", other, "bridge").ip, before.ip);
  EXPECT_FALSE(try_attach("c", other, "bridge", {tcp(18099, 80)}));
  EXPECT_EQ(ask(host, "tcp", "127.0.0.1", 18099), "a 10.89.0.1");
}

TEST_F(Lifecycle, SweepTakesWhatNobodyClaimsAndNothingElse) {
  auto a = make_netns(), b = make_netns();
  attach("a", a, "bridge", {tcp(18099, 80)});
  attach("b", b, "workspaces", {tcp(18098, 22)});
  shell("ip link add ntv0123456789ab type veth peer name stray && ip link add nt-0123456789ab type bridge");
  shell("ip link add ntvolume type veth peer name ntvolume1 && ip link add ntv0123456789ac type bridge");
  shell("ip link add nt-bridge type bridge && ip link add other type bridge && nft add table inet other");
  open_manager();
  auto swept = run(*loop, manager->sweep({id("b")}));
  ASSERT_TRUE(swept) << swept.error().text();
  EXPECT_EQ(swept->endpoints, 1u);
  EXPECT_EQ(swept->interfaces, 2u);
  auto left = links();
  for (const char* name : {"ntv0123456789ab", "stray", "nt-0123456789ab"}) EXPECT_FALSE(left.contains(name)) << name;
  for (const char* name : {"ntvolume", "ntvolume1", "ntv0123456789ac", "nt-bridge", "other", "nt0", "nt1"})
    EXPECT_TRUE(left.contains(name)) << name;
  EXPECT_TRUE(manager->endpoints_of(id("a")).empty());
  EXPECT_EQ(manager->endpoints_of(id("b")).size(), 1u);
  EXPECT_EQ(tables().find("18099"), std::string::npos);
  EXPECT_NE(tables().find("18098"), std::string::npos);
  EXPECT_EQ(run(*loop, manager->sweep({id("b")}))->interfaces, 0u);
}

TEST_F(Lifecycle, DetachBearsThatTheKernelForgot) {
  {
    auto netns = make_netns();
    Endpoint endpoint = attach("a", netns, "workspaces", {tcp(18099, 80), tcp(18098, 80)});
    shell("ip link del " + endpoint.host_interface);
    shell("nft delete element inet nt published_at { 127.0.0.1 . tcp . 18099 }");
  }
  detach("a");
  detach("a");
  EXPECT_EQ(tables().find("1809"), std::string::npos);
  EXPECT_TRUE(records().empty());
}

TEST_F(Lifecycle, AfterARebootEverythingIsMadeAnew) {
  auto netns = make_netns();
  attach("a", netns, "bridge", {tcp(18099, 80)});
  ASSERT_TRUE(run(*loop, manager->create({.name = "mine"})));
  Network mine = *manager->find("mine");
  manager.reset();
  ASSERT_TRUE(Manager::remove_from_host(config));
  EXPECT_FALSE(links().contains(mine.interface));
  open_manager();
  EXPECT_TRUE(links().contains(mine.interface));
  EXPECT_EQ(run(*loop, manager->sweep({}))->endpoints, 1u);
  EXPECT_TRUE(records().empty());
  EXPECT_EQ(manager->find("mine")->ipv4, mine.ipv4);
}

TEST_F(Lifecycle, BrokenRecordsAreSetAsideAndTheRestGoesOn) {
  auto netns = make_netns();
  Endpoint endpoint = attach("a", netns, "bridge");
  manager.reset();
  for (const char* name : {"empty.json", "list.json", "half.json.tmp-1"})
    std::ofstream(config.state_dir + "/endpoints/" + name) << (name[0] == 'l' ? "[1]" : "");
  std::ofstream(config.state_dir + "/networks/broken.json") << "{\"id\": 3}";
  open_manager();
  EXPECT_EQ(records(), std::vector<std::string>{endpoint.id + ".json"});
  EXPECT_EQ(manager->networks().size(), 4u);
  EXPECT_TRUE(std::filesystem::exists(config.state_dir + "/networks/broken.json"));
}

TEST_F(Lifecycle, UserNetworksHaveDockersTexts) {
  auto created = run(*loop, manager->create({.name = "n", .labels = {{"k", "v"}}}));
  ASSERT_TRUE(created) << created.error().text();
  EXPECT_EQ(created->ipv4->subnet.text(), "10.89.32.0/24");
  EXPECT_EQ(created->interface.size(), 15u);
  auto error_of = [&](NetworkSpec spec) { return run(*loop, manager->create(std::move(spec))).error(); };
  EXPECT_EQ(error_of({.name = "n"}).text(), "network with name n already exists");
  EXPECT_EQ(http_status(error_of({.name = "n"}).code()), 409);
  Error overlap = error_of({.name = "m", .ipv4 = {.subnet = *Subnet::parse("10.89.32.128/25")}});
  EXPECT_EQ(overlap.text(), "invalid pool request: Pool overlaps with other one on this address space");
  EXPECT_EQ(http_status(overlap.code()), 403);
  EXPECT_EQ(http_status(error_of({.name = "bridge"}).code()), 403);
  EXPECT_EQ(http_status(error_of({.name = "m", .driver = "nosuch"}).code()), 404);
  EXPECT_EQ(http_status(error_of({.name = "m", .driver = "macvlan"}).code()), 501);
  Error predefined = run(*loop, manager->remove("bridge")).error();
  EXPECT_EQ(predefined.text(), "bridge is a pre-defined network and cannot be removed");
  EXPECT_EQ(http_status(predefined.code()), 403);
  EXPECT_EQ(run(*loop, manager->remove("x")).error().text(), "network x not found");

  auto netns = make_netns();
  Endpoint endpoint = attach("a", netns, "n");
  EXPECT_EQ(run(*loop, manager->remove("n")).error().text(),
            fmt::format("error while removing network: network n has active endpoints (name:\"a\" id:\"{}\")",
                        endpoint.id.substr(0, 12)));
  EXPECT_EQ(try_attach("b", netns, "nowhere").error().text(), "network nowhere not found");
  EXPECT_FALSE(try_attach("b", netns, "host"));
  detach("a");
  ASSERT_TRUE(run(*loop, manager->remove("n")));
  EXPECT_FALSE(links().contains(created->interface));
  EXPECT_EQ(tables().find(created->interface), std::string::npos);
}

TEST_F(Lifecycle, ARouteOfTheHostIsNotCovered) {
  shell("ip link add far type bridge && ip link set far up && ip route add 10.89.33.0/24 dev far");
  EXPECT_EQ(run(*loop, manager->create({.name = "one"}))->ipv4->subnet.text(), "10.89.32.0/24");
  EXPECT_EQ(run(*loop, manager->create({.name = "two"}))->ipv4->subnet.text(), "10.89.34.0/24");
}

TEST_F(Lifecycle, PreflightFindsNothingHereAndNamesAForeignFirewall) {
  auto before = links();
  auto fatal = [&] {
    std::string text;
    for (const Problem& problem : preflight(config))
      if (problem.fatal) text += problem.what + "; " + problem.mend + "\n";
    return text;
  };
  EXPECT_EQ(fatal(), "");
  EXPECT_EQ(links(), before);
  shell(
      "nft 'add table inet strict; add chain inet strict gate { type filter hook forward priority 0; policy drop; }'");
  std::string told;
  for (const Problem& problem : preflight(config))
    if (problem.what.find("strict gate") != std::string::npos) told = problem.mend;
  ASSERT_FALSE(told.empty());
  // What it advises helps.
  auto a = make_netns();
  attach("a", a, "bridge");
  Responder on_outside(outside, "tcp", 80, "outside");
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "");
  shell(told);
  EXPECT_EQ(ask(a, "tcp", "198.51.100.2", 80), "outside 198.51.100.1");
}

TEST_F(Lifecycle, ForwardingIsTurnedOnAndBackAgain) {
  manager.reset();
  ASSERT_TRUE(Manager::remove_from_host(config));
  shell("sysctl -qw net.ipv4.ip_forward=0");
  open_manager();
  EXPECT_EQ(output_of("sysctl -n net.ipv4.ip_forward"), "1\n");
  manager.reset();
  ASSERT_TRUE(Manager::remove_from_host(config));
  EXPECT_EQ(output_of("sysctl -n net.ipv4.ip_forward"), "0\n");
  EXPECT_EQ(output_of("nft list tables | grep -w nt"), "");
  EXPECT_FALSE(links().contains("nt0"));
}

}  // namespace
}  // namespace berth::network::test
