// DNS messages: what is taken, what is refused, what is answered.
#include "network/dns.h"

#include <gtest/gtest.h>

#include <random>

namespace berth::network::dns {
namespace {

std::string word(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string header(unsigned flags, unsigned questions = 1, unsigned additional = 0) {
  return word(0x1234) + word(flags) + word(questions) + word(0) + word(0) + word(additional);
}

std::string name(std::initializer_list<std::string_view> labels) {
  std::string bytes;
  for (std::string_view label : labels) bytes += static_cast<char>(label.size()) + std::string(label);
  return bytes + '\0';
}

constexpr unsigned kAsked = 0x0100;  // recursion desired

std::string question(std::initializer_list<std::string_view> labels, unsigned type) {
  return header(kAsked) + name(labels) + word(type) + word(kClassIn);
}

std::string opt(unsigned size) { return std::string(1, '\0') + word(41) + word(size) + std::string(6, '\0'); }

TEST(DnsQuery, IsTakenApart) {
  auto query = parse_query(question({"Web", "team"}, kTypeAaaa));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->id, 0x1234);
  EXPECT_EQ(query->name, "web.team");
  EXPECT_EQ(query->type, kTypeAaaa);
  EXPECT_EQ(query->klass, kClassIn);
  EXPECT_TRUE(query->recursion_desired);
  EXPECT_FALSE(query->edns);
  EXPECT_EQ(query->udp_size, kPlainUdpSize);
  EXPECT_EQ(parse_query(question({}, 2))->name, "");
  // A dot within a label is not one between labels.
  EXPECT_EQ(parse_query(question({"web.team"}, kTypeA))->name, "web\\.team");
}

TEST(DnsQuery, TellsHowMuchTheClientTakes) {
  auto size_of = [](unsigned told) {
    auto query = parse_query(header(kAsked, 1, 1) + name({"a"}) + word(kTypeA) + word(kClassIn) + opt(told));
    EXPECT_TRUE(query && query->edns);
    return query->udp_size;
  };
  EXPECT_EQ(size_of(1232), 1232u);
  EXPECT_EQ(size_of(0), kPlainUdpSize);
  EXPECT_EQ(size_of(65535), kMaxUdpSize);
}

TEST(DnsQuery, ThatIsNotWellFormedIsRefused) {
  std::string good = question({"web"}, kTypeA);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_query(good.substr(0, size))) << size;
  std::string tail = word(kTypeA) + word(kClassIn);
  for (const std::string& wrong : {header(0x8000) + name({"web"}) + tail,                        // an answer
                                   header(kAsked, 0) + tail,                                     // no question
                                   header(kAsked, 2) + name({"a"}) + tail + name({"b"}) + tail,  // two
                                   header(kAsked) + "\xc0\x0c" + tail,                           // a pointer, to itself
                                   header(kAsked) + "\x40" + std::string(64, 'a') + '\0' + tail,  // a label of 64 bytes
                                   header(kAsked, 1, 1) + name({"a"}) + tail + opt(512).substr(0, 5),  // cut within OPT
                                   header(kAsked, 1, 2) + name({"a"}) + tail + opt(512) + opt(512),    // OPT twice
                                   header(kAsked, 1, 0xffff) + name({"a"}) + tail,  // more promised than there is
                                   good + std::string(kMaxQuery, 'x')})
    EXPECT_FALSE(parse_query(wrong));
  std::string label(63, 'a');
  EXPECT_FALSE(parse_query(question({label, label, label, label}, kTypeA)));
  EXPECT_TRUE(parse_query(question({label, label, label, std::string(61, 'b')}, kTypeA)));
  EXPECT_EQ(parse_query(header(0x2800) + name({"a"}) + tail).error().code(), ErrorCode::unsupported);
}

TEST(DnsRefusal, GoesToQuestionsOnly) {
  EXPECT_EQ(code_of(*refusal(header(kAsked, 0), ErrorCode::invalid)), Code::malformed);
  EXPECT_EQ(code_of(*refusal(header(0x2800), ErrorCode::unsupported)), Code::not_implemented);
  EXPECT_EQ(refusal(header(kAsked), ErrorCode::invalid)->substr(0, 2), word(0x1234));
  EXPECT_FALSE(refusal(header(0x8000), ErrorCode::invalid));
  EXPECT_FALSE(refusal("short", ErrorCode::invalid));
}

TEST(DnsAnswer, HasTheAddressesOfTheQuestionsFamily) {
  std::string packet = question({"web"}, kTypeA);
  Query query = *parse_query(packet);
  std::vector<Ip> both{*Ip::parse("10.0.0.2"), *Ip::parse("fd00::2")};
  std::string bytes = answer(packet, query, {Code::ok, both, ""}, kPlainUdpSize);
  std::string record = word(0xc00c) + word(kTypeA) + word(kClassIn) + word(0) + word(600) + word(4) + "\x0a";
  record += std::string("\0\0\2", 3);
  EXPECT_EQ(bytes, word(0x1234) + word(0x8180) + word(1) + word(1) + word(0) + word(0) + packet.substr(12) + record);
  EXPECT_TRUE(answers(packet, query, bytes));
  // The name is there, but not in the other family: no records and no error.
  std::string other = question({"web"}, kTypeAaaa);
  bytes = answer(other, *parse_query(other), {Code::ok, {both.front()}, ""}, kPlainUdpSize);
  EXPECT_EQ(bytes.substr(2), word(0x8180) + word(1) + word(0) + word(0) + word(0) + other.substr(12));
}

TEST(DnsAnswer, ThatDoesNotFitSaysSo) {
  std::string packet = question({"web"}, kTypeA);
  Query query = *parse_query(packet);
  Answer many;
  for (std::uint32_t i = 0; i < 100; ++i) many.addresses.push_back(Ip::v4(0x0a000000 + i));
  std::string bytes = answer(packet, query, many, kPlainUdpSize);
  EXPECT_LE(bytes.size(), kPlainUdpSize);
  EXPECT_EQ(bytes.substr(2, 2), word(0x8380));
  EXPECT_EQ(answer(packet, query, many, 65535).substr(2, 6), word(0x8180) + word(1) + word(100));
  EXPECT_EQ(fitted(answer(packet, query, many, 65535), query, kPlainUdpSize).substr(2),
            word(0x8380) + word(1) + word(0) + word(0) + word(0) + packet.substr(12));
}

TEST(DnsAnswer, OfSomebodyElseIsChecked) {
  std::string packet = question({"web"}, kTypeA);
  Query query = *parse_query(packet);
  std::string good = answer(packet, query, {}, kPlainUdpSize);
  EXPECT_TRUE(answers(packet, query, good));
  EXPECT_FALSE(answers(packet, query, with_id(good, 0x4321)));
  EXPECT_FALSE(answers(packet, query, packet));
  EXPECT_FALSE(answers(packet, query, good.substr(0, 11)));
  std::string other = question({"wee"}, kTypeA);
  EXPECT_FALSE(answers(packet, query, answer(other, *parse_query(other), {}, kPlainUdpSize)));
  std::string shouted = question({"WEB"}, kTypeA);
  EXPECT_TRUE(answers(packet, query, answer(shouted, *parse_query(shouted), {}, kPlainUdpSize)));
  EXPECT_TRUE(answers(packet, query, *refusal(packet, ErrorCode::invalid)));
}

TEST(DnsNames, OfReverseQuestionsAreAddresses) {
  EXPECT_EQ(reversed_address("2.0.89.10.in-addr.arpa")->text(), "10.89.0.2");
  std::string v6 = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa";
  EXPECT_EQ(reversed_address(v6)->text(), "fd00::2");
  for (const char* wrong : {"", "in-addr.arpa", "0.89.10.in-addr.arpa", "1.2.0.89.10.in-addr.arpa",
                            "256.0.89.10.in-addr.arpa", "web.team", "2.0.0.ip6.arpa"})
    EXPECT_FALSE(reversed_address(wrong)) << wrong;
}

// Whatever bytes come, parsing ends and reads nothing beyond them, and what was taken can be answered.
TEST(DnsQuery, HostileBytesAreBorne) {
  std::mt19937 random(7);
  std::string good = header(kAsked, 1, 1) + name({"web", "team"}) + word(kTypeA) + word(kClassIn) + opt(1232);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good.substr(0, 1 + random() % good.size());
    for (unsigned changes = random() % 4; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    (void)refusal(bytes, ErrorCode::invalid);
    auto query = parse_query(bytes);
    if (!query) continue;
    EXPECT_LE(query->question_end, bytes.size());
    std::string reply = answer(bytes, *query, {Code::ok, {Ip::v4(1)}, "a.b"}, query->udp_size);
    EXPECT_TRUE(answers(bytes, *query, reply));
    (void)answers(bytes, *query, good);
  }
}

}  // namespace
}  // namespace berth::network::dns
