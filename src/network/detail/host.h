// The kernel's side of networks and endpoints, step by step, each with its undo. Thread: any; all of it blocks, about
// 1 ms for an endpoint.
#pragma once

#include <string>
#include <vector>

#include "network/detail/firewall.h"
#include "network/detail/links.h"
#include "network/network.h"

namespace berth::network {

// The bridge and its elements in the tables; on failure neither.
Result<void> connect_network(Firewall& firewall, const Network& network, const std::vector<HostService>& services);
Result<void> disconnect_network(Firewall& firewall, const Network& network, const std::vector<HostService>& services);

// Rules first, so that no packet of the endpoint is ever without them; then the interfaces. On failure neither.
Result<void> connect_endpoint(Firewall& firewall, const VethPlan& plan, int netns);
// Cuts the endpoint off and takes its rules away; the interface itself is still there, unplugged. What is gone already
// is fine.
Result<void> disconnect_endpoint(Firewall& firewall, const Network& network, const Endpoint& endpoint);

// Turns forwarding on for the host if it is off, and leaves a mark under state_dir that it was. With that of IPv6, a
// host stops to take its own routes from router advertisements; interfaces that do are told to go on (accept_ra=2).
Result<void> ensure_ip_forward(const std::string& state_dir);
Result<void> ensure_ipv6_forward(const std::string& state_dir);
// Back to what it was before the marks.
Result<void> restore_forward(const std::string& state_dir);

// The names that Berth gives: PREFIX0, PREFIX1 and PREFIX-<hex> for bridges, PREFIXv<hex> for veths, the last two
// always 15 characters long. A veth's begins like the container's id and ends at random, so that a container that
// starts again does not meet its former interface.
std::string bridge_name(const std::string& prefix, const std::string& network_id);
std::string veth_name(const std::string& prefix, const std::string& container_id);
// Whether an interface's name and kind are of that form.
bool is_ours(const std::string& prefix, const Link& link);

}  // namespace berth::network
