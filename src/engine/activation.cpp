#include "engine/activation.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/exec.h"

namespace berth::engine {

namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<SocketAddress> parse_address(const std::string& text) {
  auto bad = [&] {
    return fail(ErrorCode::invalid, "invalid address \"{}\": want IP:PORT, for example 0.0.0.0:2010", text);
  };
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  auto port = parse_number<std::uint16_t>(std::string_view(text).substr(colon + 1));
  if (!port) return bad();
  std::string host = text.substr(0, colon);
  SocketAddress address;
  if (host.starts_with("[") && host.ends_with("]")) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(*port);
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6->sin6_addr) != 1) return bad();
    address.size = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(*port);
    if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) != 1) return bad();
    address.size = sizeof *v4;
  }
  return address;
}

}  // namespace

Result<sys::UniqueFd> listen_tcp(const std::string& text) {
  TRY(SocketAddress address, parse_address(text));
  sys::UniqueFd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("make a socket");
  int on = 1;
  // A restarted engine must get its address back while old connections are in TIME_WAIT.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), address.size) < 0) {
    if (errno == EADDRINUSE) return fail(ErrorCode::conflict, "Bind for {} failed: port is already allocated", text);
    return fail_errno("bind " + text);
  }
  if (::listen(socket.get(), 128) < 0) {
    if (errno == EADDRINUSE) return fail(ErrorCode::conflict, "Bind for {} failed: port is already allocated", text);
    return fail_errno("listen on " + text);
  }
  return socket;
}

Activations::Activations(async::Loop& loop, Container& container)
    : loop_(loop),
      container_(container),
      counts_(container.spec().activations.size(), 0),
      activity_(loop),
      sessions_tasks_(std::make_unique<async::TaskGroup>(loop)) {}

Activations::~Activations() = default;

Result<void> Activations::open() {
  std::vector<sys::UniqueFd> listeners;
  for (const ActivationSpec& spec : container_.spec().activations) {
    TRY(sys::UniqueFd listener, listen_tcp(spec.listen));
    listeners.push_back(std::move(listener));
  }
  tasks_ = std::make_unique<async::TaskGroup>(loop_);
  for (std::size_t i = 0; i < listeners.size(); ++i)
    tasks_->spawn("accept for " + container_.id(), accept(i, std::move(listeners[i])));
  return {};
}

void Activations::close() { tasks_.reset(); }

async::Task<> Activations::accept(std::size_t index, sys::UniqueFd listener) {
  auto keep = container_.shared_from_this();
  async::Fd listening(loop_, std::move(listener));
  while (true) {
    if (!co_await listening.readable()) co_return;
    sys::UniqueFd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) {
      // Out of descriptors: the peer stays in the queue; a pause keeps the loop from spinning.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        co_await async::sleep_for(std::chrono::milliseconds(100));
      if (co_await async::cancelled()) co_return;
      continue;
    }
    const ActivationSpec& spec = container_.spec().activations[index];
    if (counts_[index] >= spec.max_connections) {
      log::warning("connection refused: too many",
                   {{"container", container_.id()}, {"activation", spec.name}, {"limit", spec.max_connections}});
      continue;
    }
    int on = 1;
    ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(connection.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ++counts_[index];
    sessions_tasks_->spawn("connection to " + container_.id(), serve(index, std::move(connection)));
  }
}

async::Task<> Activations::serve(std::size_t index, sys::UniqueFd connection) {
  auto keep = container_.shared_from_this();
  const ActivationSpec& spec = container_.spec().activations[index];
  last_activity_ = std::chrono::steady_clock::now();
  container_.status_.last_used = now();
  auto give_up = [&](const Error& error) {
    --counts_[index];
    log::warning("connection not served",
                 {{"container", container_.id()}, {"activation", spec.name}, {"error", error.text()}});
  };
  // A container that ends at this very moment is started again, once.
  for (int attempt = 0;; ++attempt) {
    if (!container_.running()) {
      auto started = co_await container_.start();
      if (!started && started.error().code() != ErrorCode::not_modified) {
        give_up(started.error());
        co_return;
      }
    } else if (container_.status().state == State::paused) {
      (void)co_await container_.unpause();
    }
    ExecSpec exec_spec;
    exec_spec.process = spec.exec;
    // The index in the id lets a later engine count the connection again.
    auto exec = std::make_shared<Exec>(keep, fmt::format("activation-{}-{}", index, random_hex(8)), exec_spec);
    sessions_[exec->id()] = index;
    std::vector<sys::UniqueFd> fds;
    int copy = ::fcntl(connection.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      give_up(Error::from_errno(errno, "dup"));
      co_return;
    }
    fds.emplace_back(copy);
    std::vector<std::pair<std::string, std::string>> fields{{"stdio", "direct"}};
    auto started = co_await container_.start_exec(exec, std::move(fds), std::move(fields));
    if (started) break;
    sessions_.erase(exec->id());
    if (container_.running() || attempt > 0) {
      give_up(started.error());
      co_return;
    }
  }
  activity_.notify_all();
}

void Activations::exec_ended(const std::string& exec_id) {
  last_activity_ = std::chrono::steady_clock::now();
  auto session = sessions_.find(exec_id);
  if (session != sessions_.end()) {
    --counts_[session->second];
    sessions_.erase(session);
    container_.status_.last_used = now();
  }
  activity_.notify_all();
}

void Activations::adopt(std::size_t index, std::string exec_id) {
  if (index >= counts_.size()) return;
  ++counts_[index];
  sessions_[std::move(exec_id)] = index;
}

void Activations::run_started() {
  last_activity_ = std::chrono::steady_clock::now();
  if (container_.spec().idle_timeout > 0 && !watching_) {
    watching_ = true;
    sessions_tasks_->spawn("idle watch of " + container_.id(), watch_idle());
  }
}

void Activations::run_ended() {
  for (const auto& [exec_id, index] : sessions_) --counts_[index];
  sessions_.clear();
  activity_.notify_all();
}

bool Activations::busy() const {
  return std::any_of(counts_.begin(), counts_.end(), [](int count) { return count > 0; }) ||
         !container_.running_execs_.empty();
}

bool Activations::has_processes() const {
  auto processes = container_.cgroup().processes();
  return processes && processes->size() > 1;
}

async::Task<> Activations::watch_idle() {
  auto keep = container_.shared_from_this();
  const auto timeout = std::chrono::seconds(container_.spec().idle_timeout);
  while (container_.running()) {
    if (busy()) {
      // Woken by the end of the last connection; nothing ticks meanwhile.
      co_await activity_.wait();
    } else {
      auto left = last_activity_ + timeout - std::chrono::steady_clock::now();
      if (left > std::chrono::nanoseconds::zero()) {
        co_await activity_.wait_for(left);
      } else if (has_processes()) {
        last_activity_ = std::chrono::steady_clock::now();
      } else {
        log::info("stopping idle container",
                  {{"container", container_.id()}, {"idle_seconds", container_.spec().idle_timeout}});
        (void)co_await container_.stop({}, "");
        break;
      }
    }
    if (co_await async::cancelled()) break;
  }
  watching_ = false;
}

}  // namespace berth::engine
