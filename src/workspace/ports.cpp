#include "workspace/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/unique_fd.h"

namespace berth::workspace {

int max_number(std::uint16_t base) { return (65535 - base - (kPortsPerWorkspace - 1)) / kPortsPerWorkspace; }

std::uint16_t ssh_port(std::uint16_t base, int number) {
  return static_cast<std::uint16_t>(base + number * kPortsPerWorkspace);
}

Outcome<int> choose_number(std::uint16_t base, const std::set<int>& taken,
                           const std::function<bool(std::uint16_t)>& is_port_free) {
  for (int number = 1; number <= max_number(base); ++number)
    if (!taken.contains(number) && is_port_free(ssh_port(base, number))) return number;
  return refuse(ErrorCode::exhausted, "no_free_port",
                fmt::format("No port is left for another workspace: all of {} to 65535 are in use.", base),
                "remove workspaces that nobody needs, or give the portal a lower --port-base");
}

bool is_port_free(const std::string& address, std::uint16_t port) {
  bool v6 = address.find(':') != std::string::npos;
  sys::UniqueFd socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return false;
  // As the engine's listener does: connections that linger in TIME_WAIT do not make a port busy, a listener does.
  int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (v6) {
    sockaddr_in6 name{.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, address.c_str(), &name.sin6_addr) != 1) return false;
    return bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  }
  sockaddr_in name{.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) return false;
  return bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
}

}  // namespace berth::workspace
