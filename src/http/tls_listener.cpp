#include "http/tls_listener.h"

#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "sys/unix_socket.h"

namespace berth::http {

namespace {

constexpr int kListenerFd = 3;
constexpr int kControlFd = 4;
constexpr std::chrono::seconds kRespawnPause{1};
// A berth-tls whose engine was killed lets the port go within moments.
constexpr int kBindTries = 40;
constexpr std::chrono::milliseconds kBindPause{50};

}  // namespace

TlsListener::TlsListener(async::Loop& loop, Server& server, TlsOptions options)
    : loop_(loop), server_(server), options_(std::move(options)), tasks_(loop) {}

async::Task<Result<void>> TlsListener::start() {
  CO_TRY_OK(co_await listen());
  CO_TRY_OK(spawn());
  CO_TRY(sys::Message message, co_await receive());
  if (message.bytes.starts_with("failed ")) co_return fail(ErrorCode::invalid, "{}", message.bytes.substr(7));
  if (message.bytes != "ready") co_return fail(ErrorCode::io, "{} ended at once", options_.program);
  tasks_.spawn("tls listener", run());
  co_return Result<void>();
}

async::Task<Result<void>> TlsListener::listen() {
  for (int tries = 1;; ++tries) {
    auto socket = listen_tcp(options_.address, options_.port);
    if (socket) {
      socket_ = *std::move(socket);
      co_return Result<void>();
    }
    if (socket.error().errno_value() != EADDRINUSE || tries == kBindTries)
      co_return std::unexpected(std::move(socket).error());
    co_await async::sleep_for(kBindPause);
  }
}

Result<void> TlsListener::spawn() {
  TRY(auto pair, sys::socket_pair(SOCK_SEQPACKET));
  sys::SpawnOptions child;
  child.argv = {options_.program, "serve", options_.authority, options_.certificate, options_.key};
  child.fds = {{STDERR_FILENO, STDERR_FILENO}, {socket_.get(), kListenerFd}, {pair.second.get(), kControlFd}};
  child.new_session = true;  // the engine's end, by a terminal's interrupt too, is told by the socket
  TRY(process_, sys::spawn(child));
  control_ = std::make_unique<async::Fd>(loop_, std::move(pair.first));
  return {};
}

async::Task<Result<sys::Message>> TlsListener::receive() {
  for (;;) {
    CO_TRY_OK(co_await control_->readable());
    auto message = sys::receive_message(control_->get());
    if (message || message.error().errno_value() != EAGAIN) co_return message;
  }
}

async::Task<> TlsListener::run() {
  for (;;) {
    auto message = co_await receive();
    if (co_await async::cancelled()) co_return;
    if (message && message->bytes.starts_with("client ") && message->fds.size() == 1) {
      Peer peer{.access = options_.listener.access, .address = message->bytes.substr(7)};
      server_.serve(std::move(message->fds.front()), std::move(peer));
    } else if (!message || message->bytes.empty() || message->bytes.starts_with("failed ")) {
      log::error("berth-tls has ended: starting it anew", {{"listener", options_.listener.name}});
      (void)process_.try_wait();
      co_await async::sleep_for(kRespawnPause);
      if (co_await async::cancelled()) co_return;
      if (auto spawned = spawn(); !spawned) log::error("cannot start berth-tls", {{"error", spawned.error().text()}});
    }
  }
}

async::Task<> TlsListener::stop() {
  tasks_.cancel();
  co_await tasks_.join();
  control_.reset();
  socket_.reset();
}

}  // namespace berth::http
