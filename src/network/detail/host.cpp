#include "network/detail/host.h"

#include <net/if.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "network/detail/flows.h"
#include "sys/file.h"

namespace berth::network {

namespace {

constexpr std::size_t kNameLength = IFNAMSIZ - 1;
constexpr char kForwardSwitch[] = "/proc/sys/net/ipv4/ip_forward";
constexpr char kForwardSwitch6[] = "/proc/sys/net/ipv6/conf/all/forwarding";
constexpr char kInterfaces6[] = "/proc/sys/net/ipv6/conf";

std::string forward_mark(const std::string& state_dir) { return state_dir + "/ip_forward-was-off"; }
// Holds the names of the interfaces whose accept_ra was changed, one a line.
std::string forward_mark6(const std::string& state_dir) { return state_dir + "/ipv6_forward-was-off"; }

std::string accept_ra(const std::string& interface) { return fmt::format("{}/{}/accept_ra", kInterfaces6, interface); }

bool all_of(std::string_view text, int (*is)(int)) {
  return std::all_of(text.begin(), text.end(), [is](unsigned char c) { return is(c) != 0; });
}

}  // namespace

Result<void> connect_network(Firewall& firewall, const Network& network, const std::vector<HostService>& services) {
  if (network.interface.empty()) return {};
  auto elements = elements_of(network, services);
  Rollback rollback;
  rollback.push([&] { (void)firewall.remove(elements); });
  TRY_OK(firewall.add(elements));
  rollback.push([&] { (void)delete_link(network.interface); });
  TRY_OK(ensure_bridge(network));
  rollback.commit();
  return {};
}

Result<void> disconnect_network(Firewall& firewall, const Network& network, const std::vector<HostService>& services) {
  TRY_OK(delete_link(network.interface));
  return firewall.remove(elements_of(network, services));
}

Result<void> connect_endpoint(Firewall& firewall, const VethPlan& plan, int netns) {
  auto elements = elements_of(plan.network, plan.endpoint);
  Rollback rollback;
  rollback.push([&] { (void)firewall.remove(elements); });
  TRY_OK(firewall.add(elements));
  rollback.push([&] { (void)delete_link(plan.endpoint.host_interface); });
  TRY_OK(make_veth(plan, netns));
  rollback.commit();
  return {};
}

Result<void> disconnect_endpoint(Firewall& firewall, const Network& network, const Endpoint& endpoint) {
  TRY_OK(unplug(endpoint.host_interface));
  TRY_OK(firewall.remove(elements_of(network, endpoint)));
  bool udp = std::any_of(endpoint.ports.begin(), endpoint.ports.end(),
                         [](const PublishedPort& port) { return port.protocol == "udp"; });
  // The container is off the network either way.
  Result<void> forgotten = udp ? forget_flows(endpoint.ip) : Result<void>();
  if (forgotten && udp && endpoint.ip6) forgotten = forget_flows(*endpoint.ip6);
  if (!forgotten)
    log::warning("connections not forgotten", {{"container", endpoint.container}, {"error", forgotten.error().text()}});
  return {};
}

Result<void> ensure_ip_forward(const std::string& state_dir) {
  TRY(std::string value, sys::read_file(kForwardSwitch));
  if (trim(value) != "0") return {};
  TRY_OK(sys::replace_file(forward_mark(state_dir), "", 0600));
  TRY_OK(sys::write_value(kForwardSwitch, "1"));
  log::info("IPv4 forwarding turned on", {{"sysctl", "net.ipv4.ip_forward"}});
  return {};
}

Result<void> ensure_ipv6_forward(const std::string& state_dir) {
  TRY(std::string value, sys::read_file(kForwardSwitch6));
  if (trim(value) != "0") return {};
  TRY(auto interfaces, sys::list_directory(kInterfaces6));
  std::erase_if(interfaces, [](const std::string& name) {
    return name == "all" || trim(sys::read_file(accept_ra(name)).value_or("")) != "1";
  });
  TRY_OK(sys::replace_file(forward_mark6(state_dir), join(interfaces, "\n"), 0600));
  for (const std::string& name : interfaces) TRY_OK(sys::write_value(accept_ra(name), "2"));
  TRY_OK(sys::write_value(kForwardSwitch6, "1"));
  log::info("IPv6 forwarding turned on", {{"sysctl", "net.ipv6.conf.all.forwarding"}});
  return {};
}

Result<void> restore_forward(const std::string& state_dir) {
  if (sys::exists(forward_mark(state_dir))) {
    TRY_OK(sys::write_value(kForwardSwitch, "0"));
    TRY_OK(sys::remove_file(forward_mark(state_dir)));
  }
  auto interfaces = sys::read_file(forward_mark6(state_dir));
  if (!interfaces) return {};
  TRY_OK(sys::write_value(kForwardSwitch6, "0"));
  for (const std::string& name : split(*interfaces, '\n'))
    if (!name.empty() && sys::exists(accept_ra(name))) TRY_OK(sys::write_value(accept_ra(name), "1"));
  return sys::remove_file(forward_mark6(state_dir));
}

std::string bridge_name(const std::string& prefix, const std::string& network_id) {
  return (prefix + "-" + network_id).substr(0, kNameLength);
}

std::string veth_name(const std::string& prefix, const std::string& container_id) {
  constexpr std::size_t kRandom = 4;
  return (prefix + "v" + container_id).substr(0, kNameLength - kRandom) + random_hex(kRandom / 2);
}

bool is_ours(const std::string& prefix, const Link& link) {
  std::string_view rest = link.name;
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  if (rest.empty()) return false;
  bool full_length = link.name.size() == kNameLength;
  if (link.kind == "veth") return full_length && rest.front() == 'v' && all_of(rest.substr(1), std::isxdigit);
  if (link.kind != "bridge") return false;
  return all_of(rest, std::isdigit) || (full_length && rest.front() == '-' && all_of(rest.substr(1), std::isxdigit));
}

}  // namespace berth::network
