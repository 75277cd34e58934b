#include "network/detail/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <random>
#include <utility>

#include "base/log.h"
#include "network/detail/firewall.h"
#include "network/detail/socket_address.h"
#include "network/guest_files.h"
#include "sys/netlink.h"

namespace berth::network {

namespace {

using async::Task;

// The clients' own patience is 5 s; so a second server is asked within it.
constexpr std::chrono::seconds kPatience{2};
constexpr std::chrono::seconds kIdleConnection{10};
constexpr std::size_t kMaxMessage = 65535;

// Closes a descriptor when the time is over, unless this goes before.
class Deadline {
 public:
  Deadline(async::Loop& loop, const std::shared_ptr<async::Fd>& fd, std::chrono::nanoseconds patience)
      : timer_(loop.context(), std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience)) {
    timer_.async_wait([fd = std::weak_ptr(fd)](const boost::system::error_code& error) {
      if (auto open = error ? nullptr : fd.lock()) open->close();
    });
  }

 private:
  boost::asio::steady_timer timer_;
};

// Counts up for as long as it lives.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  std::size_t& count_;
};

std::uint16_t random_word() {
  std::uint16_t word = 0;
  // Some bytes of the kernel's, which does not fail for so few.
  (void)::getrandom(&word, sizeof word, 0);
  return word;
}

Result<std::uint16_t> bind_resolver(int socket) {
  SocketAddress address(*Ip::parse(kResolverAddress), 0);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  if (::bind(socket, address.get(), address.size) < 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) < 0)
    return fail_errno("bind the resolver");
  return ntohs(bound.sin_port);
}

std::string redirection(bool reopening, std::uint16_t udp, std::uint16_t tcp) {
  // Removing a table costs up to 20 ms, so only where there may be one.
  std::string text = reopening ? "table ip berth_resolver\ndelete table ip berth_resolver\n" : "";
  return text + fmt::format(
                    R"(table ip berth_resolver {{
  chain output {{
    type nat hook output priority -100; policy accept;
    ip daddr {0} udp dport 53 dnat to {0}:{1}
    ip daddr {0} tcp dport 53 dnat to {0}:{2}
  }}
}}
)",
                    kResolverAddress, udp, tcp);
}

Task<Result<std::string>> read_exactly(async::Fd& fd, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size;) {
    std::span<char> rest(bytes.data() + at, size - at);
    CO_TRY(std::size_t got, co_await fd.read_some(rest));
    if (got == 0) co_return fail(ErrorCode::cancelled, "the peer has closed the connection");
    at += got;
  }
  co_return bytes;
}

// By TCP each message has its length before it (RFC 1035, 4.2.2).
Task<Result<std::string>> read_message(async::Fd& fd) {
  CO_TRY(std::string length, co_await read_exactly(fd, 2));
  auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(length[i])); };
  co_return co_await read_exactly(fd, byte(0) << 8 | byte(1));
}

std::string with_length(std::string_view message) {
  std::string bytes{static_cast<char>(message.size() >> 8 & 0xff), static_cast<char>(message.size() & 0xff)};
  bytes += message;
  return bytes;
}

std::string failure_of(std::string_view packet, const dns::Query& query) {
  dns::Answer failure{dns::Code::failure, {}, {}};
  return dns::answer(packet, query, failure, kMaxMessage);
}

}  // namespace

Resolver::Resolver(async::Loop& loop, const Names& names, Settings settings, Sockets sockets, sys::UniqueFd netns)
    : loop_(loop),
      names_(names),
      settings_(std::move(settings)),
      udp_(loop, std::move(sockets.udp)),
      tcp_(loop, std::move(sockets.tcp)),
      netns_(std::move(netns)),
      tasks_(loop) {}

Result<Resolver::Sockets> Resolver::open_sockets(bool reopening) {
  Sockets sockets;
  sockets.udp.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockets.tcp.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!sockets.udp || !sockets.tcp) return fail_errno("open the resolver's sockets");
  TRY(std::uint16_t udp, bind_resolver(sockets.udp.get()));
  TRY(std::uint16_t tcp, bind_resolver(sockets.tcp.get()));
  if (::listen(sockets.tcp.get(), static_cast<int>(kMaxConnections)) < 0) return fail_errno("listen as resolver");
  TRY_OK(run_nft(redirection(reopening, udp, tcp), "redirect name service"));
  return sockets;
}

Task<Result<std::shared_ptr<Resolver>>> Resolver::open(async::Loop& loop, const Names& names, Settings settings,
                                                       int netns, bool reopening) {
  sys::UniqueFd copy(::fcntl(netns, F_DUPFD_CLOEXEC, 0));
  if (!copy) co_return fail_errno("hold the network namespace");
  auto work = [netns, reopening] { return sys::in_network(netns, [&] { return open_sockets(reopening); }); };
  CO_TRY(Sockets sockets, co_await loop.blocking(std::move(work)));
  std::shared_ptr<Resolver> resolver(
      new Resolver(loop, names, std::move(settings), std::move(sockets), std::move(copy)));
  resolver->tasks_.spawn("resolver by UDP", resolver->serve_udp());
  resolver->tasks_.spawn("resolver by TCP", resolver->serve_tcp());
  co_return resolver;
}

Task<> Resolver::close() {
  auto self = shared_from_this();
  udp_.close();
  tcp_.close();
  tasks_.cancel();
  co_await tasks_.join();
}

// ---- from the container

std::optional<dns::Answer> Resolver::answer_of_ours(const dns::Query& query) {
  if (query.klass != dns::kClassIn) return {};
  dns::Answer answer;
  if (query.type == dns::kTypePtr) {
    auto address = dns::reversed_address(query.name);
    if (!address) return {};
    Names::Name name = names_.name_of(settings_.container, *address);
    if (!name.ours) return {};
    answer.pointer = std::move(name.name);
    if (answer.pointer.empty()) answer.code = dns::Code::no_such_name;
    return answer;
  }
  Names::Addresses found = names_.addresses_of(settings_.container, query.name);
  if (!found.ours) return {};
  if (found.addresses.empty()) answer.code = dns::Code::no_such_name;
  answer.addresses = std::move(found.addresses);
  // So that clients that take the first one spread over all.
  std::minstd_rand random(random_word());
  std::ranges::shuffle(answer.addresses, random);
  return answer;
}

Task<> Resolver::serve_udp() {
  auto self = shared_from_this();
  // What waits longer lets other tasks run first.
  constexpr int kBurst = 64;
  std::string buffer(dns::kMaxQuery + 1, '\0');
  while (co_await udp_.readable()) {
    for (int i = 0; i < kBurst; ++i) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      ssize_t got =
          ::recvfrom(udp_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) break;
      take_datagram(buffer.substr(0, static_cast<std::size_t>(got)), from);
    }
  }
}

namespace {

// A client that does not take its answer loses it.
void send_to(int socket, const sockaddr_in& to, std::string_view bytes) {
  (void)::sendto(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

}  // namespace

void Resolver::take_datagram(std::string packet, const sockaddr_in& from) {
  auto query = dns::parse_query(packet);
  if (!query) {
    if (auto refusal = dns::refusal(packet, query.error().code())) send_to(udp_.get(), from, *refusal);
    return;
  }
  if (auto ours = answer_of_ours(*query))
    send_to(udp_.get(), from, dns::answer(packet, *query, *ours, query->udp_size));
  else
    tasks_.spawn("forward a question", forward_datagram(std::move(packet), *std::move(query), from));
}

Task<> Resolver::forward_datagram(std::string packet, dns::Query query, sockaddr_in from) {
  auto self = shared_from_this();
  std::string response = co_await forward(std::move(packet), query, false);
  if (udp_.get() >= 0) send_to(udp_.get(), from, dns::fitted(response, query, query.udp_size));
}

Task<> Resolver::serve_tcp() {
  auto self = shared_from_this();
  while (co_await tcp_.readable()) {
    sys::UniqueFd accepted(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted || connections_ >= kMaxConnections) continue;
    auto connection = std::make_shared<async::Fd>(loop_, std::move(accepted));
    tasks_.spawn("resolve by TCP", serve_connection(std::move(connection)));
  }
}

Task<> Resolver::serve_connection(std::shared_ptr<async::Fd> connection) {
  auto self = shared_from_this();
  Counted counted(connections_);
  while (true) {
    Deadline deadline(loop_, connection, kIdleConnection);
    auto packet = co_await read_message(*connection);
    if (!packet) co_return;
    std::string reply = co_await reply_to(*std::move(packet));
    if (reply.empty()) co_return;
    std::string message = with_length(reply);
    if (!co_await connection->write_all(message)) co_return;
  }
}

Task<std::string> Resolver::reply_to(std::string packet) {
  auto query = dns::parse_query(packet);
  if (!query) co_return dns::refusal(packet, query.error().code()).value_or("");
  if (auto ours = answer_of_ours(*query)) co_return dns::answer(packet, *query, *ours, kMaxMessage);
  co_return co_await forward(std::move(packet), *query, true);
}

// ---- to the outside

Task<std::string> Resolver::forward(std::string packet, dns::Query query, bool tcp) {
  std::string last = failure_of(packet, query);
  if (!names_.asks_outside(settings_.container)) co_return last;
  if (outstanding_ >= kMaxOutstanding || *settings_.in_all >= kMaxInAll) co_return last;
  Counted here(outstanding_), in_all(*settings_.in_all);
  for (std::size_t i = 0; i < settings_.upstreams.size(); ++i) {
    auto response = co_await ask(settings_.upstreams[i], packet, query, tcp);
    if (co_await async::cancelled()) break;
    if (!response) continue;
    dns::Code code = dns::code_of(*response);
    // Another server may be able to tell.
    bool unable = code == dns::Code::failure || code == dns::Code::refused || code == dns::Code::not_implemented;
    last = *std::move(response);
    if (!unable) break;
  }
  co_return last;
}

Task<Result<sys::UniqueFd>> Resolver::connect(Upstream server, bool tcp) {
  SocketAddress address(server.address, server.port);
  auto make = [family = address.family(), tcp]() -> Result<sys::UniqueFd> {
    sys::UniqueFd made(::socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return fail_errno("open a socket to the name server");
    return made;
  };
  sys::UniqueFd socket;
  if (server.from_guest) {
    auto work = [netns = netns_.get(), make] { return sys::in_network(netns, make); };
    CO_TRY(socket, co_await loop_.blocking(std::move(work)));
  } else {
    CO_TRY(socket, make());
  }
  if (::connect(socket.get(), address.get(), address.size) < 0 && errno != EINPROGRESS)
    co_return fail_errno("connect to the name server");
  co_return socket;
}

Task<Result<std::string>> Resolver::ask(Upstream server, std::string packet, dns::Query query, bool tcp) {
  CO_TRY(sys::UniqueFd socket, co_await connect(server, tcp));
  auto fd = std::make_shared<async::Fd>(loop_, std::move(socket));
  Deadline deadline(loop_, fd, kPatience);
  std::string asked = dns::with_id(packet, random_word());
  if (tcp) {
    CO_TRY_OK(co_await fd->writable());
    std::string message = with_length(asked);
    CO_TRY_OK(co_await fd->write_all(message));
    CO_TRY(std::string response, co_await read_message(*fd));
    if (!dns::answers(asked, query, response)) co_return fail(ErrorCode::io, "the name server answers something else");
    co_return dns::with_id(response, query.id);
  }
  if (::send(fd->get(), asked.data(), asked.size(), MSG_NOSIGNAL) < 0) co_return fail_errno("ask the name server");
  std::string buffer(kMaxMessage, '\0');
  while (true) {
    CO_TRY_OK(co_await fd->readable());
    ssize_t got = ::recv(fd->get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) continue;
    if (got < 0) co_return fail_errno("hear the name server");
    std::string_view response(buffer.data(), static_cast<std::size_t>(got));
    if (dns::answers(asked, query, response)) co_return dns::with_id(response, query.id);
  }
}

}  // namespace berth::network
