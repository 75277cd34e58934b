// Names on real sockets: what a container hears at 127.0.0.11, and whom the resolver asks for the rest.
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "network/dns.h"
#include "network/guest_files.h"
#include "sandbox.h"

namespace berth::network::test {
namespace {

std::string word(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string question(const std::string& name, unsigned type = dns::kTypeA, unsigned id = 0x1234) {
  std::string bytes = word(id) + word(0x0100) + word(1) + word(0) + word(0) + word(0);
  for (const std::string& label : split(name, '.')) bytes += static_cast<char>(label.size()) + label;
  return bytes + '\0' + word(type) + word(dns::kClassIn);
}

class NameService : public Sandbox {
 protected:
  void SetUp() override {
    Sandbox::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(run(*loop, manager->create({.name = "team"})));
  }
  void TearDown() override {
    if (serving.joinable()) {
      loop->stop();
      serving.join();
    }
    loop->context().restart();
    if (manager) run(*loop, close(*manager));
    Sandbox::TearDown();
  }
  static async::Task<bool> close(Manager& manager) {
    co_await manager.close();
    co_return true;
  }

  Endpoint join(const std::string& container, const sys::UniqueFd& netns, std::vector<std::string> names,
                std::map<std::string, std::string> links = {}, const std::string& network = "team") {
    EndpointSpec spec{.container = id(container), .container_name = container, .network = network};
    spec.names = std::move(names);
    spec.links = std::move(links);
    auto endpoint = run(*loop, manager->attach(std::move(spec), netns.get()));
    EXPECT_TRUE(endpoint) << endpoint.error().text();
    return endpoint.value_or(Endpoint{});
  }
  // From here on the loop runs beside the test.
  void serve(const std::string& container, const sys::UniqueFd& netns, std::vector<std::string> servers = {}) {
    auto served = run(*loop, manager->serve_names(id(container), netns.get(), std::move(servers), false));
    ASSERT_TRUE(served) << served.error().text();
    serving = std::thread([this] { loop->run(); });
  }

  static sys::UniqueFd connected(const std::string& protocol) {
    sys::UniqueFd socket = make_socket(protocol);
    timeval timeout{4, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    sockaddr_in to = socket_address(kResolverAddress, 53);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0) << strerror(errno);
    return socket;
  }
  // The answer to a packet; by TCP with the length in front taken off.
  static std::string resolve(const sys::UniqueFd& netns, const std::string& packet,
                             const std::string& protocol = "udp") {
    std::string answer;
    in(netns, [&] {
      sys::UniqueFd socket = connected(protocol);
      std::string sent = protocol == "tcp" ? word(static_cast<unsigned>(packet.size())) + packet : packet;
      ::send(socket.get(), sent.data(), sent.size(), MSG_NOSIGNAL);
      std::string buffer(65537, '\0');
      while (true) {
        ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) return;
        answer += buffer.substr(0, static_cast<std::size_t>(got));
        if (protocol == "udp") return;
        auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(answer[i])); };
        if (answer.size() >= 2 && answer.size() == 2 + (byte(0) << 8 | byte(1))) break;
      }
      answer.erase(0, 2);
    });
    return answer;
  }
  static dns::Code code(const std::string& answer) {
    EXPECT_GE(answer.size(), dns::kHeaderSize);
    return answer.size() < dns::kHeaderSize ? dns::Code::refused : dns::code_of(answer);
  }
  static unsigned count(const std::string& answer) {
    return answer.size() < dns::kHeaderSize ? 0u : static_cast<unsigned char>(answer[7]);
  }

  std::thread serving;
};

TEST_F(NameService, TellsTheNamesOfTheNetworkByUdpAndTcp) {
  auto a = make_netns(), b = make_netns();
  join("a", a, {"a"});
  Endpoint at_b = join("b", b, {"web", "Alias"});
  serve("a", a);
  for (const char* protocol : {"udp", "tcp"})
    for (const char* name : {"web", "WEB", "alias", "web.team"}) {
      std::string answer = resolve(a, question(name), protocol);
      EXPECT_EQ(code(answer), dns::Code::ok) << name;
      EXPECT_TRUE(answer.ends_with(at_b.ip.bytes())) << name;
    }
  // The name is known, the family not; and a name below the network's that nobody has.
  std::string none = resolve(a, question("web", dns::kTypeAaaa));
  EXPECT_EQ(code(none), dns::Code::ok);
  EXPECT_EQ(count(none), 0u);
  EXPECT_EQ(code(resolve(a, question("nobody.team"))), dns::Code::no_such_name);
}

TEST_F(NameService, TellsWhoHasAnAddress) {
  auto a = make_netns();
  Endpoint at_a = join("a", a, {"web"});
  serve("a", a);
  std::vector<std::string> parts = split(at_a.ip.text(), '.');
  std::string name = fmt::format("{}.{}.{}.{}.in-addr.arpa", parts[3], parts[2], parts[1], parts[0]);
  EXPECT_TRUE(resolve(a, question(name, dns::kTypePtr)).ends_with(std::string("\3web\4team\0", 10)));
  std::string other = fmt::format("250.{}.{}.{}.in-addr.arpa", parts[2], parts[1], parts[0]);
  EXPECT_EQ(code(resolve(a, question(other, dns::kTypePtr))), dns::Code::no_such_name);
}

TEST_F(NameService, OneNameOfSeveralGivesAllInChangingOrder) {
  auto a = make_netns(), b = make_netns(), c = make_netns();
  join("a", a, {"a"});
  join("b", b, {"b", "web"});
  join("c", c, {"c", "web"});
  serve("a", a);
  std::set<std::string> orders;
  for (int i = 0; i < 64; ++i) {
    std::string answer = resolve(a, question("web"));
    EXPECT_EQ(count(answer), 2u);
    orders.insert(answer);
  }
  EXPECT_EQ(orders.size(), 2u);
}

TEST_F(NameService, KnowsNothingOfOtherNetworksAndOthersLinks) {
  auto a = make_netns(), b = make_netns(), c = make_netns();
  ASSERT_TRUE(run(*loop, manager->create({.name = "others", .internal = true})));
  Endpoint at_a = join("a", a, {"a"}, {{"db", "b"}});
  Endpoint at_b = join("b", b, {"b"});
  join("c", c, {"c"}, {}, "others");
  ASSERT_TRUE(run(*loop, manager->serve_names(id("c"), c.get(), {}, false)));
  serve("a", a);
  EXPECT_TRUE(resolve(a, question("db")).ends_with(at_b.ip.bytes()));
  EXPECT_EQ(count(resolve(c, question("a"))), 0u);
  // An internal network asks nobody.
  EXPECT_EQ(code(resolve(c, question("example.org"))), dns::Code::failure);
}

// A name server that is asked for everything else, in the namespace `outside`.
class Server {
 public:
  Server(const sys::UniqueFd& netns, std::function<std::vector<std::string>(std::string)> reply) : reply_(reply) {
    in(netns, [&] {
      udp_ = make_socket("udp");
      tcp_ = make_socket("tcp");
    });
    sockaddr_in address = socket_address("198.51.100.2", 53);
    int on = 1;
    ::setsockopt(tcp_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    for (int socket : {udp_.get(), tcp_.get()})
      EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << strerror(errno);
    EXPECT_EQ(::listen(tcp_.get(), 4), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stop_ = true;
    thread_.join();
  }
  std::vector<std::pair<std::string, int>> asked;  // packets, and the ports that they came from

 private:
  void serve() {
    while (!stop_) {
      pollfd polls[] = {{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
      if (::poll(polls, 2, 20) <= 0) continue;
      if (polls[0].revents != 0) {
        char buffer[4096];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        ssize_t got = ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got <= 0) continue;
        std::string packet(buffer, static_cast<std::size_t>(got));
        asked.emplace_back(packet, ntohs(from.sin_port));
        for (const std::string& answer : reply_(packet))
          ::sendto(udp_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
      }
      if (polls[1].revents != 0) {
        sys::UniqueFd connection(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char buffer[4096];
        ssize_t got = ::recv(connection.get(), buffer, sizeof buffer, 0);
        if (got <= 2) continue;
        for (const std::string& answer : reply_(std::string(buffer + 2, static_cast<std::size_t>(got) - 2))) {
          std::string message = word(static_cast<unsigned>(answer.size())) + answer;
          ::send(connection.get(), message.data(), message.size(), MSG_NOSIGNAL);
        }
      }
    }
  }

  std::function<std::vector<std::string>(std::string)> reply_;
  sys::UniqueFd udp_, tcp_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

std::string answered(const std::string& packet, std::size_t addresses) {
  dns::Answer answer;
  for (std::uint32_t i = 0; i < addresses; ++i) answer.addresses.push_back(Ip::v4(0xcb007100 + i));
  return dns::answer(packet, *dns::parse_query(packet), answer, 65535);
}

TEST_F(NameService, AsksTheOutsideFromNewPortsUnderNewIds) {
  auto a = make_netns();
  join("a", a, {"a"});
  Server server(outside, [](const std::string& packet) {
    // Forged ones are not taken for answers.
    std::string forged = answered(question("example.net"), 1);
    return std::vector<std::string>{dns::with_id(answered(packet, 1), 1), forged, "short", answered(packet, 2)};
  });
  serve("a", a, {"198.51.100.2"});
  for (int i = 0; i < 8; ++i) {
    std::string packet = question("example.org", dns::kTypeA, 0x7777);
    EXPECT_EQ(resolve(a, packet), answered(packet, 2));
  }
  std::set<std::string> ids;
  std::set<int> ports;
  for (const auto& [packet, port] : server.asked) {
    ids.insert(packet.substr(0, 2));
    ports.insert(port);
  }
  EXPECT_GE(ids.size(), 7u);
  EXPECT_GE(ports.size(), 4u);
}

TEST_F(NameService, LongAnswersComeByTcp) {
  auto a = make_netns();
  join("a", a, {"a"});
  Server server(outside, [](const std::string& packet) { return std::vector<std::string>{answered(packet, 250)}; });
  serve("a", a, {"198.51.100.2"});
  std::string packet = question("example.org");
  std::string cut = resolve(a, packet);
  EXPECT_EQ(cut.size(), packet.size());
  EXPECT_EQ(cut[2] & 2, 2);  // truncated
  EXPECT_EQ(resolve(a, packet, "tcp"), answered(packet, 250));
}

TEST_F(NameService, AServerThatFailsIsPassedOverAndNoServerIsAFailure) {
  auto a = make_netns();
  join("a", a, {"a"});
  Server server(outside, [](const std::string& packet) { return std::vector<std::string>{answered(packet, 1)}; });
  // Nobody answers at the first, where the host says at once that there is no way.
  serve("a", a, {"203.0.113.1", "198.51.100.2"});
  std::string packet = question("example.org");
  EXPECT_EQ(resolve(a, packet), answered(packet, 1));
}

TEST_F(NameService, LeavesPort53ToTheContainer) {
  auto a = make_netns();
  Endpoint at_a = join("a", a, {"a"});
  serve("a", a);
  Responder own(a, "udp", 53, "mine");
  EXPECT_EQ(ask(a, "udp", at_a.ip.text(), 53), "mine " + at_a.ip.text());
  EXPECT_EQ(count(resolve(a, question("a"))), 1u);
}

TEST_F(NameService, MalformedQuestionsAreRefusedOrDropped) {
  auto a = make_netns();
  join("a", a, {"a"});
  serve("a", a);
  EXPECT_EQ(code(resolve(a, question("a").substr(0, 14))), dns::Code::malformed);
  EXPECT_EQ(resolve(a, std::string("\0\5short", 7), "tcp"), "");
  EXPECT_EQ(count(resolve(a, question("a"))), 1u);
}

}  // namespace
}  // namespace berth::network::test
