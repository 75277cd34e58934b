#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "http/detail/connection.h"

namespace berth::http {

namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};

std::string print_address(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  return "unix";
}

Peer peer_of(int socket, int access) {
  Peer peer{.access = access};
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0) peer.address = print_address(address);
  if (address.ss_family == AF_UNIX) {
    if (auto credentials = sys::peer_credentials(socket)) peer.credentials = *credentials;
  } else {
    int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return peer;
}

}  // namespace

Server::Server(async::Loop& loop, Router router, ServerLimits limits, Headers headers)
    : loop_(loop),
      router_(std::move(router)),
      limits_(limits),
      headers_(std::move(headers)),
      departed_(loop),
      accepting_(loop),
      serving_(loop) {
  std::signal(SIGPIPE, SIG_IGN);
}

Server::~Server() = default;

void Server::listen(sys::UniqueFd socket, ListenerOptions options) {
  auto listener = std::make_shared<async::Fd>(loop_, std::move(socket));
  std::string name = "http accept " + options.name;
  accepting_.spawn(std::move(name), accept_loop(std::move(listener), std::move(options)));
}

async::Task<> Server::accept_loop(std::shared_ptr<async::Fd> listener, ListenerOptions options) {
  for (;;) {
    while (connections_.size() >= limits_.max_connections && !co_await async::cancelled()) co_await departed_.wait();
    if (co_await async::cancelled()) co_return;
    int accepted = ::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted >= 0) {
      serve(sys::UniqueFd(accepted), peer_of(accepted, options.access));
      continue;
    }
    if (errno == EAGAIN) {
      if (auto ready = co_await listener->readable(); !ready) co_return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      log::warning("cannot accept a connection", {{"listener", options.name}, {"errno", errno}});
      co_await async::sleep_for(kAcceptPause);
    }
  }
}

void Server::serve(sys::UniqueFd socket, Peer peer) {
  auto connection = std::make_shared<Connection>(*this, std::move(socket), std::move(peer));
  connections_.push_back(connection);
  serving_.spawn("http connection", run(std::move(connection)));
}

async::Task<> Server::run(std::shared_ptr<Connection> connection) {
  co_await connection->run();
  connections_.remove(connection);
  departed_.notify_all();
}

async::Task<> Server::stop(std::chrono::milliseconds grace) {
  accepting_.cancel();
  departed_.notify_all();
  co_await accepting_.join();
  auto connections = connections_;
  for (const auto& connection : connections) connection->retire();
  auto end = std::chrono::steady_clock::now() + grace;
  while (!connections_.empty()) {
    auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero() || !co_await departed_.wait_for(left)) break;
  }
  connections = connections_;
  for (const auto& connection : connections) connection->abort();
  co_await serving_.join();
}

Result<sys::UniqueFd> listen_tcp(const std::string& address, std::uint16_t port, int backlog) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    size = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    size = sizeof v6;
  } else {
    return fail(ErrorCode::invalid, "not a numeric address: {}", address);
  }
  std::string intent = fmt::format("listen on {} port {}", address, port);
  sys::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(intent);
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) < 0) return fail_errno(intent);
  if (::listen(socket.get(), backlog) < 0) return fail_errno(intent);
  return socket;
}

Result<std::uint16_t> local_port(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) < 0) return fail_errno("getsockname");
  if (storage.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(storage).sin_port);
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(storage).sin6_port);
  return fail(ErrorCode::invalid, "the socket has no port");
}

}  // namespace berth::http
