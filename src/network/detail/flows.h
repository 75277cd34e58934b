// Connections that the kernel remembers (conntrack). Thread: any; blocks for as long as the list is long, about 1 ms
// for 1,000 entries.
#pragma once

#include "network/address.h"

namespace berth::network {

// Forgets the connections that are answered by this container's address. A UDP client that goes on with the same port
// would else be forwarded to the former container for as long as it does, past the rules, which only see the first
// packet.
Result<void> forget_flows(Ip guest);

}  // namespace berth::network
