// Which addresses of a subnet are free, and which subnets of a pool. Memory only: the records on disk are the truth.
// Thread: the loop's.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "network/spec.h"

namespace berth::network {

// The containers' addresses in one subnet. The subnet's first and last address, the gateway and what was reserved are
// never given out.
class AddressPool {
 public:
  explicit AddressPool(Pool pool);

  // The free address after the one given out last: an address is not used again at once, while others still hold it in
  // their neighbour and connection tables. exhausted "no available IPv4 addresses on this network's address pools".
  Result<Ip> take();
  // conflict "Address already in use", invalid when it is no address for a container.
  Result<void> take(Ip address);
  void give_back(Ip address) { used_.erase(address); }
  bool empty() const { return used_.empty(); }

 private:
  bool usable(Ip address) const;

  Pool pool_;
  Ip first_, last_;  // of what is given out unasked
  Ip latest_;
  std::set<Ip> used_;
};

// The first piece with this prefix in pools, in their order, that overlaps none of taken.
std::optional<Subnet> find_free_subnet(const std::vector<Subnet>& pools, int prefix, const std::vector<Subnet>& taken);

}  // namespace berth::network
