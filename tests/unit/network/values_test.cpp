// Addresses, pools, names, elements and guest files: no kernel, no root.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "network/detail/firewall.h"
#include "network/detail/host.h"
#include "network/detail/pool.h"
#include "network/guest_files.h"
#include "sys/netlink.h"

namespace berth::network {
namespace {

Ip ip(std::string_view text) { return *Ip::parse(text); }
Subnet subnet(std::string_view text) { return *Subnet::parse(text); }

TEST(Address, IsFourPlainNumbers) {
  EXPECT_EQ(ip("10.89.0.1").value(), 0x0a590001u);
  EXPECT_EQ(Ip::v4(0xffffffff).text(), "255.255.255.255");
  for (const std::string& wrong :
       {std::string(), std::string("1.2.3"), std::string("1.2.3.4.5"), std::string("256.1.1.1"),
        std::string("01.2.3.4"), std::string("1.2.3.4 "), std::string("1.2.3.4\0", 8), std::string("0x1.2.3.4"),
        std::string("::g"), std::string("1..2.3"), std::string("-1.2.3.4"), std::string(1000, '1')})
    EXPECT_FALSE(Ip::parse(wrong)) << wrong;
}

TEST(Address, SubnetsClearHostBitsAndOverlap) {
  EXPECT_EQ(subnet("10.89.17.5/20").text(), "10.89.16.0/20");
  EXPECT_EQ(subnet("10.89.16.0/20").last(), ip("10.89.31.255"));
  EXPECT_EQ(subnet("1.2.3.4/0").text(), "0.0.0.0/0");
  EXPECT_EQ(subnet("1.2.3.4/32").last(), ip("1.2.3.4"));
  EXPECT_TRUE(subnet("10.0.0.0/8").overlaps(subnet("10.1.2.0/24")));
  EXPECT_TRUE(subnet("10.1.2.0/24").overlaps(subnet("10.0.0.0/8")));
  EXPECT_FALSE(subnet("10.1.2.0/24").overlaps(subnet("10.1.3.0/24")));
  for (const char* wrong : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "/8", "a/8"})
    EXPECT_FALSE(Subnet::parse(wrong)) << wrong;
}

TEST(Address, OfIpv6HasItsShortestForm) {
  EXPECT_EQ(ip("FD00:0:0::0001").text(), "fd00::1");
  EXPECT_EQ(ip("::1").bytes(), std::string(15, '\0') + '\1');
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_TRUE(ip("::").is_any());
  EXPECT_NE(ip("::"), ip("0.0.0.0"));
  for (const char* wrong : {":", ":::", "1::2::3", "fe80::1%eth0", "12345::", "1:2:3:4:5:6:7:8:9"})
    EXPECT_FALSE(Ip::parse(wrong)) << wrong;
}

TEST(Address, SubnetsOfIpv6AreNotThoseOfIpv4) {
  EXPECT_EQ(subnet("fd00:1:2:3::9/64").text(), "fd00:1:2:3::/64");
  EXPECT_EQ(subnet("fd00::/64").last(), ip("fd00::ffff:ffff:ffff:ffff"));
  EXPECT_TRUE(subnet("fd00::/8").contains(ip("fd12::1")));
  EXPECT_FALSE(subnet("::/0").contains(ip("10.0.0.1")));
  EXPECT_FALSE(subnet("0.0.0.0/0").overlaps(subnet("::/0")));
  EXPECT_FALSE(Subnet::parse("fd00::/129"));
}

TEST(Address, MacsAreOfOneStation) {
  EXPECT_EQ(MacAddress::parse("02-42-0A-59-00-02")->text(), "02:42:0a:59:00:02");
  EXPECT_EQ(MacAddress::from_address(ip("10.89.0.2")).text(), "02:42:0a:59:00:02");
  for (const char* wrong : {"", "02:42:0a:59:00", "02:42:0a:59:00:02:03", "ff:ff:ff:ff:ff:ff", "01:00:00:00:00:01",
                            "00:00:00:00:00:00", "2:42:0a:59:00:02", "02:42:0a:59:00:0g", "02420a590002"})
    EXPECT_FALSE(MacAddress::parse(wrong)) << wrong;
}

TEST(Records, TravelAsText) {
  Endpoint endpoint{.id = "e",
                    .ip = ip("10.0.0.2"),
                    .mac = *MacAddress::parse("02:00:00:00:00:01"),
                    .ports = {{"udp", ip("127.0.0.1"), 53, 5353}}};
  json::Value value = json::encode(endpoint);
  EXPECT_EQ(json::string_or(value, "ip"), "10.0.0.2");
  EXPECT_EQ(json::string_or(value, "mac"), "02:00:00:00:00:01");
  Endpoint back = *json::decode<Endpoint>(value);
  EXPECT_EQ(back.ip, endpoint.ip);
  EXPECT_EQ(back.mac, endpoint.mac);
  EXPECT_EQ(back.ports, endpoint.ports);
  EXPECT_FALSE(json::decode<Endpoint>(*json::parse(R"({"ip": "10.0.0"})")));
  EXPECT_FALSE(json::decode<Endpoint>(*json::parse(R"({"ip": 7})")));
  EXPECT_FALSE(json::decode<Endpoint>(*json::parse(R"({"ports": [{"host_port": 65536}]})")));
}

TEST(Pool, GivesEveryAddressOnceAndNoneOfTheSpecialOnes) {
  AddressPool pool({subnet("10.0.0.0/29"), ip("10.0.0.3"), {}, {}});
  std::set<std::string> given;
  for (int i = 0; i < 5; ++i) given.insert(pool.take()->text());
  EXPECT_EQ(given, (std::set<std::string>{"10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"}));
  auto none = pool.take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::exhausted);
  pool.give_back(ip("10.0.0.2"));
  EXPECT_EQ(pool.take()->text(), "10.0.0.2");
}

TEST(Pool, DoesNotUseAnAddressAgainAtOnce) {
  AddressPool pool({subnet("10.0.0.0/24"), ip("10.0.0.1"), {}, {}});
  EXPECT_EQ(pool.take()->text(), "10.0.0.2");
  pool.give_back(ip("10.0.0.2"));
  EXPECT_EQ(pool.take()->text(), "10.0.0.3");
  ASSERT_TRUE(pool.take(ip("10.0.0.4")));
  EXPECT_EQ(pool.take(ip("10.0.0.4")).error().text(), "Address already in use");
  EXPECT_EQ(pool.take()->text(), "10.0.0.5");
}

TEST(Pool, WorksAtTheEdgesOfTheAddressSpace) {
  AddressPool top({subnet("255.255.255.252/30"), ip("255.255.255.253"), {}, {}});
  EXPECT_EQ(top.take()->text(), "255.255.255.254");
  EXPECT_FALSE(top.take());
  AddressPool all({subnet("0.0.0.0/0"), ip("0.0.0.1"), {}, {}});
  EXPECT_EQ(all.take()->text(), "0.0.0.2");
}

TEST(Pool, GivesOutOfItsRangeAndNothingReserved) {
  AddressPool pool({subnet("10.0.0.0/24"), ip("10.0.0.128"), subnet("10.0.0.128/30"), {{"printer", ip("10.0.0.130")}}});
  EXPECT_EQ(pool.take()->text(), "10.0.0.129");
  EXPECT_EQ(pool.take()->text(), "10.0.0.131");
  EXPECT_FALSE(pool.take());
  EXPECT_TRUE(pool.take(ip("10.0.0.7")));
  EXPECT_FALSE(pool.take(ip("10.0.0.130")));
}

TEST(Pool, OfIpv6IsAsLargeAsItIs) {
  AddressPool pool({subnet("fd00::/64"), ip("fd00::1"), {}, {}});
  EXPECT_EQ(pool.take()->text(), "fd00::2");
  EXPECT_EQ(pool.take()->text(), "fd00::3");
  EXPECT_EQ(pool.take(ip("10.0.0.1")).error().code(), ErrorCode::invalid);
}

TEST(Pool, FindsTheFirstFreeSubnet) {
  std::vector<Subnet> pools{subnet("10.0.0.0/16"), subnet("192.168.0.0/24")};
  EXPECT_EQ(find_free_subnet(pools, 24, {})->text(), "10.0.0.0/24");
  EXPECT_EQ(find_free_subnet(pools, 24, {subnet("10.0.0.0/20"), subnet("10.0.16.7/32")})->text(), "10.0.17.0/24");
  EXPECT_EQ(find_free_subnet(pools, 24, {subnet("10.0.0.0/8")})->text(), "192.168.0.0/24");
  EXPECT_FALSE(find_free_subnet(pools, 24, {subnet("0.0.0.0/0")}));
  EXPECT_FALSE(find_free_subnet(pools, 8, {}));
  EXPECT_EQ(find_free_subnet({subnet("255.255.255.0/24")}, 25, {subnet("255.255.255.0/25")})->text(),
            "255.255.255.128/25");
}

TEST(Names, OfInterfacesAreKnownAgain) {
  std::string id(64, 'a');
  EXPECT_EQ(bridge_name("berth", id), "berth-aaaaaaaaa");
  for (const char* prefix : {"b", "berth", "abcdef"}) {
    std::string veth = veth_name(prefix, id);
    EXPECT_EQ(veth.size(), 15u);
    EXPECT_TRUE(is_ours(prefix, {veth, "veth"})) << veth;
    EXPECT_FALSE(is_ours(prefix, {veth, "dummy"}));
    EXPECT_FALSE(is_ours(prefix, {veth.substr(0, 14), "veth"}));
    EXPECT_TRUE(is_ours(prefix, {bridge_name(prefix, id), "bridge"}));
    EXPECT_TRUE(is_ours(prefix, {std::string(prefix) + "0", "bridge"}));
  }
  EXPECT_NE(veth_name("berth", id), veth_name("berth", id));
  for (const char* name : {"berth", "berthx", "berth-", "berth-notes", "docker0", "berth0x", "xberth0"})
    EXPECT_FALSE(is_ours("berth", {name, "bridge"})) << name;
}

TEST(Elements, HaveTheKernelsFormAndNfts) {
  Network network{.name = "n", .interface = "berth1", .isolated = true};
  network.ipv4 = Pool{subnet("10.0.0.0/24"), ip("10.0.0.1"), {}, {}};
  Endpoint endpoint{.ip = ip("10.0.0.2"),
                    .mac = MacAddress::from_address(ip("10.0.0.2")),
                    .host_interface = "berthv1",
                    .ports = {{"tcp", Ip(), 8080, 80}, {"udp", ip("127.0.0.1"), 53, 5353}}};
  std::string text;
  for (const Element& element : elements_of(network, {{"n", "tcp", 22}, {"other", "tcp", 23}}))
    for (const auto& part : element.key) {
      EXPECT_EQ(part.bytes.size() % 4, 0u);
      text += element.set + " " + part.text + "\n";
    }
  EXPECT_EQ(text,
            "bridges \"berth1\"\nsubnets \"berth1\"\nsubnets 10.0.0.0/24\nisolated \"berth1\"\n"
            "services \"berth1\"\nservices tcp\nservices 22\n");
  std::string rules = ruleset_text("tt", elements_of(network, endpoint));
  for (const char* line : {"add element bridge tt guarded { \"berthv1\" }\n",
                           "add element bridge tt guests { \"berthv1\" . 02:42:0a:00:00:02 . 10.0.0.2 }\n",
                           "add element inet tt published { tcp . 8080 : 10.0.0.2 . 80 }\n",
                           "add element inet tt published_at { 127.0.0.1 . udp . 53 : 10.0.0.2 . 5353 }\n"})
    EXPECT_NE(rules.find(line), std::string::npos) << line;
  EXPECT_EQ(rules.find('@' + std::string("TABLE")), std::string::npos);
  // Of networks without a bridge there is nothing to say.
  EXPECT_TRUE(elements_of(Network{.name = "host"}, std::vector<HostService>()).empty());
}

TEST(GuestFiles, HostsIsDockers) {
  EXPECT_EQ(hosts_file("web", "", {{"10.0.0.9", {"db", "database"}}}, {ip("10.89.0.2")}),
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
            "ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
            "10.0.0.9\tdb database\n10.89.0.2\tweb\n");
  EXPECT_TRUE(hosts_file("web", "example.org", {}, {ip("10.89.0.2")}).ends_with("10.89.0.2\tweb.example.org web\n"));
  EXPECT_TRUE(hosts_file("web", "", {}, {}).ends_with("ip6-allrouters\n"));
  EXPECT_EQ(hostname_file("web"), "web\n");
}

TEST(GuestFiles, ResolvConfOfAContainerWithItsOwnResolver) {
  EXPECT_EQ(resolv_conf("nameserver 192.0.2.1\nsearch a.example\noptions edns0\n", {}, kResolverAddress),
            "nameserver 127.0.0.11\nsearch a.example\noptions edns0 ndots:0\n");
  EXPECT_EQ(resolv_conf("options ndots:2\n", {.servers = {"192.0.2.7"}}, kResolverAddress),
            "nameserver 127.0.0.11\noptions ndots:2\n");
  EXPECT_EQ(resolvers_in("nameserver 127.0.0.53\nnameserver ::1\n"), (std::vector<std::string>{"127.0.0.53", "::1"}));
}

TEST(GuestFiles, ResolvConfKeepsWhatAContainerCanReach) {
  EXPECT_EQ(
      resolv_conf("# host\nnameserver 127.0.0.53\n nameserver\t192.0.2.1 # x\nnameserver ::1\nnameserver fe80::1\n"
                  "domain old\nsearch a.example b.example\noptions ndots:2 edns0\n",
                  {}),
      "nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2 edns0\n");
  EXPECT_EQ(resolv_conf("nameserver 127.0.0.1\n", {}), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(resolv_conf("", {}), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(resolv_conf("nameserver\nnameserver not-an-address\nsearch\n\xff\xfe", {}),
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  EXPECT_EQ(resolv_conf("nameserver 192.0.2.1\nsearch a.example\n",
                        {.servers = {"192.0.2.7", "2001:db8::1"}, .search = {"."}, .options = {"rotate"}}),
            "nameserver 192.0.2.7\nnameserver 2001:db8::1\noptions rotate\n");
}

// Whatever bytes come, parsing ends and reads nothing beyond them (the sanitizers tell).
TEST(BadInput, IsBorne) {
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % (round % 2 == 0 ? 256 : 12));
    sys::NetlinkAttributes attributes(bytes);
    for (int attribute = 0; attribute < 12; ++attribute) {
      (void)attributes.string(attribute);
      (void)attributes.nested(attribute).number<std::uint32_t>(1);
    }
    (void)Ip::parse(bytes);
    (void)Subnet::parse(bytes);
    (void)MacAddress::parse(bytes);
    EXPECT_FALSE(resolv_conf(bytes, {}).empty());
  }
}

TEST(Netlink, AttributesThatLieAboutTheirLengthAreLeftOut) {
  std::string good(
      "\x08\x00\x03\x00"
      "abcd",
      8);
  EXPECT_EQ(sys::NetlinkAttributes(good).find(3), "abcd");
  EXPECT_EQ(sys::NetlinkAttributes(good.substr(0, 7)).find(3), std::nullopt);
  EXPECT_EQ(sys::NetlinkAttributes(std::string("\x02\x00\x03\x00", 4)).find(3), std::nullopt);
  EXPECT_EQ(sys::NetlinkAttributes(good + good.substr(0, 6)).find(3), "abcd");
}

}  // namespace
}  // namespace berth::network
