// Ways to a daemon: unix socket, TCP, or a program.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "http/client.h"
#include "sys/process.h"
#include "sys/unix_socket.h"

namespace berth::http {

namespace {

Result<sys::UniqueFd> connect_tcp(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string intent = "connect to " + endpoint.host_field();
  if (int error = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
      error != 0)
    return fail(ErrorCode::io, "{}: {}", intent, ::gai_strerror(error));
  int last_errno = 0;
  sys::UniqueFd socket;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    socket.reset(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket && ::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) break;
    last_errno = errno;
    socket.reset();
  }
  ::freeaddrinfo(found);
  if (!socket) return fail_errno(last_errno, intent);
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

// The program ends by itself when either side does; this process is short-lived, so nobody waits for it.
Result<sys::UniqueFd> connect_by_command(const std::vector<std::string>& command) {
  TRY(auto pair, sys::socket_pair(SOCK_STREAM));
  sys::SpawnOptions child;
  child.argv = command;
  child.fds = {{pair.second.get(), STDIN_FILENO}, {pair.second.get(), STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  TRY_OK(sys::spawn(child));
  return std::move(pair.first);
}

}  // namespace

Result<sys::UniqueFd> connect(const Endpoint& endpoint) {
  if (!endpoint.command.empty()) return connect_by_command(endpoint.command);
  if (!endpoint.unix_path.empty()) return sys::connect_unix(endpoint.unix_path, SOCK_STREAM);
  return connect_tcp(endpoint);
}

}  // namespace berth::http
