#include "network/detail/port_reservation.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "network/detail/socket_address.h"

namespace berth::network {

namespace {

// Turns a bound socket into one that holds its port for itself but accepts nothing.
//
// A TCP port may still be in use by connections that are closing (TIME_WAIT), which only a socket with SO_REUSEADDR may
// join. listen(2) then finds out whether a live socket has it. Taking SO_REUSEADDR back shuts out others that set it,
// and shutdown(2) of a listening socket ends the listening but keeps the port that was asked for. (A port that the
// kernel chose would be given up; that one is unused anyhow, so plain bind(2) does.)
int harden_tcp(int socket) {
  int off = 0;
  if (::listen(socket, 0) < 0 || ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &off, sizeof off) < 0 ||
      ::shutdown(socket, SHUT_RDWR) < 0)
    return errno;
  return 0;
}

// A one-instruction packet filter that keeps nothing: the queue stays empty.
int harden_udp(int socket) {
  sock_filter keep_nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  sock_fprog program{1, &keep_nothing};
  return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? errno : 0;
}

int bind_to(int socket, const PublishedPort& port) {
  int on = 1;
  // So that 0.0.0.0 and :: are two.
  if (port.host_ip.is_v6() && ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) return errno;
  SocketAddress address(port.host_ip, port.host_port);
  return ::bind(socket, address.get(), address.size) < 0 ? errno : 0;
}

std::string shown(const PublishedPort& port) {
  std::string ip = port.host_ip.text();
  return fmt::format("{}:{}", port.host_ip.is_v6() ? "[" + ip + "]" : ip, port.host_port);
}

}  // namespace

Result<PortReservation> PortReservation::take(PublishedPort& port) {
  bool tcp = port.protocol == "tcp";
  if (!tcp && port.protocol != "udp") return fail(ErrorCode::invalid, "invalid proto: {}", port.protocol);
  sys::UniqueFd socket(
      ::socket(port.host_ip.is_v6() ? AF_INET6 : AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("reserve a port");
  bool chosen = port.host_port != 0;
  int on = 1;
  if (tcp && chosen) (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int error = bind_to(socket.get(), port);
  if (error == 0 && tcp && chosen) error = harden_tcp(socket.get());
  if (error == 0 && !tcp) error = harden_udp(socket.get());
  if (error == EADDRINUSE) return fail(ErrorCode::io, "Bind for {} failed: port is already allocated", shown(port));
  if (error != 0) return fail_errno(error, fmt::format("Bind for {} failed", shown(port)));
  // The port stands at the same place in the addresses of both families.
  sockaddr_in6 bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) < 0) return fail_errno("reserve a port");
  port.host_port = ntohs(bound.sin6_port);
  return PortReservation(std::move(socket));
}

}  // namespace berth::network
