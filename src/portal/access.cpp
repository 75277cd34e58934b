#include "portal/access.h"

#include <algorithm>

#include "base/text.h"

namespace berth::portal {

namespace {

std::unexpected<workspace::Problem> forbidden(std::string message, std::string hint) {
  return workspace::refuse(ErrorCode::denied, "forbidden", std::move(message), std::move(hint));
}

bool changes_something(std::string_view method) { return method != "GET" && method != "HEAD" && method != "OPTIONS"; }

bool is_own_host(std::string_view host, const std::vector<std::string>& own_hosts) {
  return host == "localhost" || host == "[::1]" || is_loopback(host) ||
         std::ranges::find(own_hosts, host) != own_hosts.end();
}

// The four numbers of an IPv4 address, or nothing: "127.evil.example" is a name.
bool is_ipv4(std::string_view text) {
  auto parts = split(text, '.');
  return parts.size() == 4 &&
         std::ranges::all_of(parts, [](auto& part) { return parse_number<std::uint8_t>(part).has_value(); });
}

}  // namespace

bool is_loopback(std::string_view address) {
  if (address.starts_with("[::1]")) return true;
  if (address.starts_with("[::ffff:") && address.find(']') != std::string_view::npos)
    return is_loopback(address.substr(8, address.find(']') - 8));
  std::string_view host = address.substr(0, address.find(':'));
  return host.starts_with("127.") && is_ipv4(host);
}

std::string host_of_field(std::string_view field) {
  if (field.starts_with('[')) {
    std::size_t end = field.find(']');
    if (end == std::string_view::npos) return {};
    auto is_address = [](char c) {
      return std::string_view("0123456789abcdefABCDEF:.").find(c) != std::string_view::npos;
    };
    return std::ranges::all_of(field.substr(1, end - 1), is_address) ? to_lower(field.substr(0, end + 1))
                                                                     : std::string();
  }
  std::string host = to_lower(field.substr(0, field.find(':')));
  auto is_host = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return host.size() <= 253 && std::ranges::all_of(host, is_host) ? host : std::string();
}

std::string host_of(const http::RequestHead& head) {
  std::string host = host_of_field(head.headers.get("Host"));
  return host.empty() ? "localhost" : host;
}

workspace::Outcome<> admit(const http::Peer& peer, const http::RequestHead& head,
                           const std::vector<std::string>& own_hosts) {
  if (peer.address == "unix") return {};
  if (!is_loopback(peer.address) || head.headers.has("X-Forwarded-For") || head.headers.has("Forwarded"))
    return forbidden("This portal has no accounts yet, so it answers this machine only.",
                     "reach it by an ssh tunnel: ssh -L 8080:127.0.0.1:8080 HOST");
  std::string_view host = head.headers.get("Host");
  if (!is_own_host(host_of_field(host), own_hosts))
    return forbidden("The portal is not known by this host name.",
                     "use http://127.0.0.1 or start the portal with --host NAME");
  if (!changes_something(head.method)) return {};
  std::string_view site = head.headers.get("Sec-Fetch-Site", "same-origin");
  const std::string* origin = head.headers.find("Origin");
  bool ours = site == "same-origin" || site == "none";
  if (ours && (origin == nullptr || *origin == fmt::format("http://{}", host))) return {};
  return forbidden("The request comes from a page of another site.", "use the portal's own page");
}

}  // namespace berth::portal
