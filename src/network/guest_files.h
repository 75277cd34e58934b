// The texts of /etc/hosts, /etc/resolv.conf and /etc/hostname of a container, as Docker writes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/spec.h"

namespace berth::network {

// Where a container on a network that serves names asks for them.
inline constexpr char kResolverAddress[] = "127.0.0.11";

struct HostsEntry {
  std::string address;  // IPv4 or IPv6
  std::vector<std::string> names;
};
// The loopback lines, then the entries (--add-host, links), then the container's own addresses with its hostname.
std::string hosts_file(std::string_view hostname, std::string_view domain, const std::vector<HostsEntry>& extra,
                       const std::vector<Ip>& own);

struct DnsSpec {
  std::vector<std::string> servers;  // --dns
  std::vector<std::string> search;   // --dns-search; "." means none
  std::vector<std::string> options;  // --dns-option
};
// host_text without its resolvers on loopback, which a container would take for itself; 8.8.8.8 and 8.8.4.4 when none
// is left. What spec names replaces the lines of its kind. own: the address of the container's own resolver, which is
// the only one then, and knows names without a dot (ndots:0).
std::string resolv_conf(std::string_view host_text, const DnsSpec& spec, const char* own = nullptr);
// The addresses of resolv.conf's name servers.
std::vector<std::string> resolvers_in(std::string_view text);
// The host's /etc/resolv.conf, or systemd-resolved's /run/systemd/resolve/resolv.conf when the former knows only its
// stub 127.0.0.53. Empty when there is none. Blocks on the disk for some microseconds.
std::string read_host_resolv_conf();

std::string hostname_file(std::string_view hostname);

}  // namespace berth::network
