#include "network/detail/port_reservation.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

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
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.host_port);
  address.sin_addr.s_addr = htonl(port.host_ip.value());
  return ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ? errno : 0;
}

}  // namespace

Result<PortReservation> PortReservation::take(PublishedPort& port) {
  bool tcp = port.protocol == "tcp";
  if (!tcp && port.protocol != "udp") return fail(ErrorCode::invalid, "invalid proto: {}", port.protocol);
  sys::UniqueFd socket(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("reserve a port");
  bool chosen = port.host_port != 0;
  int on = 1;
  if (tcp && chosen) (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int error = bind_to(socket.get(), port);
  if (error == 0 && tcp && chosen) error = harden_tcp(socket.get());
  if (error == 0 && !tcp) error = harden_udp(socket.get());
  if (error == EADDRINUSE)
    return fail(ErrorCode::io, "Bind for {}:{} failed: port is already allocated", port.host_ip.text(), port.host_port);
  if (error != 0) return fail_errno(error, fmt::format("Bind for {}:{} failed", port.host_ip.text(), port.host_port));
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) < 0) return fail_errno("reserve a port");
  port.host_port = ntohs(bound.sin_port);
  return PortReservation(std::move(socket));
}

}  // namespace berth::network
