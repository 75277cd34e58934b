// A host of its own for tests with real packets: the whole test process moves into a new network namespace, where the
// bridges, tables and ports of the manager live and with which they vanish. Needs root; without, tests are skipped.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "async/task_group.h"
#include "base/text.h"
#include "network/detail/links.h"
#include "network/network.h"
#include "sys/unique_fd.h"

namespace berth::network::test {

// Runs a task to its end on the loop, and the loop with it.
template <class T>
T run(async::Loop& loop, async::Task<T> task) {
  std::optional<T> result;
  boost::asio::co_spawn(loop.context(), std::move(task), [&](const std::exception_ptr& thrown, T value) {
    EXPECT_FALSE(thrown);
    result.emplace(std::move(value));
    loop.stop();
  });
  loop.run();
  loop.context().restart();
  return std::move(*result);
}

inline void shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

inline sys::UniqueFd current_netns() { return sys::UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

// Runs f in a network namespace, on a thread that ends with it.
inline void in(const sys::UniqueFd& netns, const std::function<void()>& f) {
  std::thread([&] {
    ASSERT_EQ(::setns(netns.get(), CLONE_NEWNET), 0);
    f();
  }).join();
}

// A new network namespace with its loopback interface up.
inline sys::UniqueFd make_netns() {
  sys::UniqueFd netns;
  std::thread([&] {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    netns = current_netns();
    shell("ip link set lo up");
  }).join();
  return netns;
}

inline sockaddr_in socket_address(const std::string& address, int port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, address.c_str(), &result.sin_addr);
  return result;
}

inline sys::UniqueFd make_socket(const std::string& protocol) {
  return sys::UniqueFd(::socket(AF_INET, (protocol == "tcp" ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
}

// Answers every TCP connection and every UDP datagram on one port with "NAME SENDER'S-ADDRESS", until it goes.
class Responder {
 public:
  Responder(const sys::UniqueFd& netns, std::string protocol, int port, std::string name)
      : protocol_(std::move(protocol)), name_(std::move(name)) {
    in(netns, [&] { socket_ = make_socket(protocol_); });
    int on = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = socket_address("0.0.0.0", port);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << strerror(errno);
    if (protocol_ == "tcp") EXPECT_EQ(::listen(socket_.get(), 16), 0);
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    stop_read_.reset(ends[0]);
    stop_write_.reset(ends[1]);
    thread_ = std::thread([this] { serve(); });
  }
  ~Responder() {
    stop_write_.reset();
    thread_.join();
  }

 private:
  void serve() {
    while (true) {
      pollfd polls[] = {{socket_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
      ::poll(polls, 2, -1);
      if (polls[1].revents != 0) return;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      auto* address = reinterpret_cast<sockaddr*>(&from);
      char buffer[64];
      sys::UniqueFd connection;
      if (protocol_ == "tcp")
        connection.reset(::accept4(socket_.get(), address, &size, SOCK_CLOEXEC));
      else if (::recvfrom(socket_.get(), buffer, sizeof buffer, 0, address, &size) < 0)
        continue;
      std::string answer = name_ + " " + Ip::v4(ntohl(from.sin_addr.s_addr)).text();
      int to = protocol_ == "tcp" ? connection.get() : socket_.get();
      (void)::sendto(to, answer.data(), answer.size(), MSG_NOSIGNAL, protocol_ == "tcp" ? nullptr : address,
                     protocol_ == "tcp" ? 0 : size);
    }
  }

  std::string protocol_;
  std::string name_;
  sys::UniqueFd socket_;
  sys::UniqueFd stop_read_;
  sys::UniqueFd stop_write_;
  std::thread thread_;
};

// What a Responder at address:port answers when asked from netns; empty when nothing comes within the patience.
inline std::string ask(const sys::UniqueFd& netns, const std::string& protocol, const std::string& address, int port,
                       int patience_ms = 200) {
  std::string answer;
  in(netns, [&] {
    sys::UniqueFd socket = make_socket(protocol);
    timeval timeout{0, patience_ms * 1000};
    // SO_SNDTIMEO also limits connect(2).
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    sockaddr_in to = socket_address(address, port);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) return;
    if (protocol == "udp" && ::send(socket.get(), "?", 1, MSG_NOSIGNAL) < 0) return;
    char buffer[64];
    ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (got > 0) answer.assign(buffer, static_cast<std::size_t>(got));
  });
  return answer;
}

// This process in a namespace of its own as the host, a namespace `outside` that a cable connects to it (198.51.100.1
// here, 198.51.100.2 there), and a manager.
class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, for network namespaces";
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    loop = std::make_unique<async::Loop>();
    host = current_netns();
    outside = make_netns();
    std::string there = fmt::format("/proc/{}/fd/{}", ::getpid(), outside.get());
    shell("ip link set lo up && ip link add cable type veth peer name cable0 && ip addr add 198.51.100.1/24 dev cable");
    shell("ip link set cable up && ip link set cable0 netns " + there);
    in(outside, [] {
      shell("ip addr add 198.51.100.2/24 dev cable0 && ip link set cable0 up");
      // So that nothing but the firewall keeps it from the containers' own addresses.
      shell("ip route add 10.89.0.0/16 via 198.51.100.1");
    });
    char directory[] = "/tmp/berth-network-XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    config.state_dir = directory;
    config.prefix = "nt";
    config.table = "nt";
    open_manager();
  }
  void TearDown() override {
    manager.reset();
    if (!config.state_dir.empty()) std::filesystem::remove_all(config.state_dir);
  }

  void open_manager() {
    manager.reset();
    auto opened = Manager::open(*loop, config);
    ASSERT_TRUE(opened) << opened.error().text();
    manager = *std::move(opened);
  }

  static std::string id(const std::string& word) {
    std::string hex = to_hex(word);
    return hex + std::string(64 - hex.size(), '0');
  }

  Result<Endpoint> try_attach(const std::string& container, const sys::UniqueFd& netns, const std::string& network,
                              std::vector<PublishedPort> ports = {}) {
    EndpointSpec spec{.container = id(container), .container_name = container, .network = network};
    for (const PublishedPort& port : ports)
      spec.ports.push_back({port.protocol, port.host_ip, port.host_port, 0, port.container_port});
    return run(*loop, manager->attach(std::move(spec), netns.get()));
  }
  Endpoint attach(const std::string& container, const sys::UniqueFd& netns, const std::string& network,
                  std::vector<PublishedPort> ports = {}) {
    auto endpoint = try_attach(container, netns, network, std::move(ports));
    EXPECT_TRUE(endpoint) << endpoint.error().text();
    return endpoint ? *endpoint : Endpoint{};
  }
  void detach(const std::string& container) {
    auto result = run(*loop, manager->detach(id(container)));
    EXPECT_TRUE(result) << result.error().text();
  }

  static std::set<std::string> links() {
    std::set<std::string> names;
    auto list = list_links();
    EXPECT_TRUE(list);
    for (const Link& link : *list) names.insert(link.name);
    return names;
  }
  static std::string output_of(const std::string& command) {
    std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string text;
    for (int c; (c = ::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
    return text;
  }

  std::unique_ptr<async::Loop> loop;
  Config config;
  sys::UniqueFd host;
  sys::UniqueFd outside;
  std::unique_ptr<Manager> manager;
};

}  // namespace berth::network::test
