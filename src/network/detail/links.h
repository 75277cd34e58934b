// Bridges, veth pairs, addresses and routes, by rtnetlink (rtnetlink(7)). Thread: any; calls may run at the same time,
// the kernel orders them. All but Guest are about the network namespace of the calling thread.
#pragma once

#include <string>
#include <vector>

#include "network/spec.h"

namespace berth::network {

// Makes the bridge unless it exists, gives it the gateway's address, brings it up and lets loopback addresses be
// routed out of it (published ports on 127.0.0.1; the firewall keeps the way in shut). Where the network's option asks
// for a name, that becomes a second name of the bridge (ip-link(8), altname). Idempotent.
Result<void> ensure_bridge(const Network& network);

// One veth pair: one end on the network's bridge, the other in the namespace netns, both up, the inner one with its
// address. default_route: also a route to everywhere by the gateway. isolated: the port reaches no other isolated one.
struct VethPlan {
  const Network& network;
  const Endpoint& endpoint;
  bool default_route;
};
Result<void> make_veth(const VethPlan& plan, int netns);

// Makes this endpoint the one whose gateways are the default routes of its namespace.
Result<void> route_by(const Endpoint& endpoint, int netns);

// Takes a port off its bridge and down: no packet passes any more. Some 10 us. One that does not exist is fine.
Result<void> unplug(const std::string& name);

// Deletes an interface; one that does not exist is fine. 10 to 30 ms, since the kernel waits for all that may use it.
Result<void> delete_link(const std::string& name);

struct Link {
  std::string name;
  std::string kind;  // "veth", "bridge", ...; empty for hardware
};
Result<std::vector<Link>> list_links();

// What the host reaches by other ways than its default routes.
Result<std::vector<Subnet>> list_routes();

}  // namespace berth::network
