#include "tls/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "async/deadline.h"
#include "base/log.h"
#include "sys/unix_socket.h"
#include "tls/relay.h"

namespace berth::tls {

namespace {

constexpr std::chrono::milliseconds kAcceptPause{100};

std::string print_address(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, ntohs(v4.sin_port));
}

// Changes when one of the files is replaced.
std::string stamp_of(const Files& files) {
  std::string stamp;
  for (const std::string* path : {&files.authority, &files.certificate, &files.key}) {
    struct stat status{};
    if (::stat(path->c_str(), &status) != 0) return {};
    stamp += fmt::format("{}:{}.{} ", status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return stamp;
}

}  // namespace

Server::Server(async::Loop& loop, Files files, sys::UniqueFd listener, sys::UniqueFd control, ServerLimits limits)
    : loop_(loop),
      files_(std::move(files)),
      limits_(limits),
      listener_(loop, std::move(listener)),
      control_(loop, std::move(control)),
      departed_(loop),
      accepting_(loop),
      serving_(loop) {}

async::Task<Result<void>> Server::run() {
  stamp_ = stamp_of(files_);
  auto context = Context::make(Side::server, files_);
  if (!context) {
    (void)sys::send_message(control_.get(), "failed " + context.error().text(), {});
    co_return std::unexpected(std::move(context).error());
  }
  context_ = *std::move(context);
  CO_TRY_OK(sys::send_message(control_.get(), "ready", {}));
  accepting_.spawn("tls accept", accept_loop());
  co_await watch_daemon();
  accepting_.cancel();
  departed_.notify_all();
  co_await accepting_.join();
  listener_.close();
  co_await serving_.join();
  co_return Result<void>();
}

// The daemon sends nothing: what is to be read is its end.
async::Task<> Server::watch_daemon() {
  for (;;) {
    if (auto ready = co_await control_.readable(); !ready) co_return;
    auto message = sys::receive_message(control_.get());
    if (!message || message->bytes.empty()) co_return;
  }
}

async::Task<> Server::accept_loop() {
  for (;;) {
    while (connections_ >= limits_.connections && !co_await async::cancelled()) co_await departed_.wait();
    if (co_await async::cancelled()) co_return;
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    sys::UniqueFd socket(::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC));
    if (socket) {
      co_await refresh();
      ++connections_;
      serving_.spawn("tls connection", serve(std::move(socket), print_address(address)));
    } else if (errno == EAGAIN) {
      if (auto ready = co_await listener_.readable(); !ready) co_return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      log::warning("cannot accept a TLS connection", {{"errno", errno}});
      co_await async::sleep_for(kAcceptPause);
    }
  }
}

// Files that cannot be used, as they are while they are being replaced, leave the old ones in force.
async::Task<> Server::refresh() {
  std::string stamp = stamp_of(files_);
  if (stamp.empty() || stamp == stamp_) co_return;
  const Files& files = files_;
  auto context = co_await loop_.blocking([files] { return Context::make(Side::server, files); });
  if (!context) co_return;
  stamp_ = std::move(stamp);
  context_ = *std::move(context);
  log::info("renewed TLS certificates are in use", {{"certificate", files_.certificate}});
}

async::Task<> Server::serve(sys::UniqueFd socket, std::string address) {
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  {
    Session session(loop_, context_, std::move(socket));
    if (co_await shake_hands(session, address)) {
      auto pair = sys::socket_pair(SOCK_STREAM);
      Result<void> introduced = pair ? co_await introduce(std::move(pair->first), address) : fail_errno("socketpair");
      if (introduced) (void)co_await relay(loop_, session, std::move(pair->second));
    }
  }
  --connections_;
  departed_.notify_all();
}

async::Task<bool> Server::shake_hands(Session& session, const std::string& address) {
  if (shaking_.size() >= limits_.handshakes) ::shutdown(shaking_.front(), SHUT_RDWR);
  auto place = shaking_.insert(shaking_.end(), session.socket());
  async::Deadline deadline(loop_, session.socket());
  deadline.set(limits_.handshake_time);
  Result<void> done = co_await session.handshake();
  deadline.clear();
  shaking_.erase(place);
  if (done) {
    log::debug("TLS client", {{"peer", address}, {"name", session.peer_name()}});
    co_return true;
  }
  log::info("TLS client refused", {{"peer", address}, {"error", done.error().text()}});
  co_return false;
}

async::Task<Result<void>> Server::introduce(sys::UniqueFd plain, const std::string& address) {
  for (;;) {
    auto sent = sys::send_message(control_.get(), "client " + address, {plain.get()});
    if (sent || sent.error().errno_value() != EAGAIN) co_return sent;
    CO_TRY_OK(co_await control_.writable());
  }
}

}  // namespace berth::tls
