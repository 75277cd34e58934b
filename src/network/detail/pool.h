// Which addresses of a subnet are free, and which subnets of a pool. Memory only: the records on disk are the truth.
// Thread: the loop's.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "network/address.h"

namespace berth::network {

// The containers' addresses in one subnet. The subnet's own address, its broadcast address and the gateway are never
// given out.
class AddressPool {
 public:
  AddressPool(Subnet subnet, Ipv4 gateway) : subnet_(subnet), gateway_(gateway), last_(subnet.base()) {}

  // The free address after the one given out last: an address is not used again at once, while others still hold it in
  // their neighbour and connection tables. exhausted "no available IPv4 addresses on this network's address pools".
  Result<Ipv4> take();
  // conflict "Address already in use", invalid when it is no address for a container.
  Result<void> take(Ipv4 address);
  void give_back(Ipv4 address) { used_.erase(address); }
  bool empty() const { return used_.empty(); }

 private:
  bool usable(Ipv4 address) const;

  Subnet subnet_;
  Ipv4 gateway_;
  Ipv4 last_;
  std::set<Ipv4> used_;
};

// The first piece of 2^(32-prefix) addresses in pools, in their order, that overlaps none of taken.
std::optional<Subnet> find_free_subnet(const std::vector<Subnet>& pools, int prefix, const std::vector<Subnet>& taken);

}  // namespace berth::network
