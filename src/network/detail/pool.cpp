#include "network/detail/pool.h"

#include <algorithm>
#include <utility>

namespace berth::network {

AddressPool::AddressPool(Pool pool) : pool_(std::move(pool)) {
  Subnet from = pool_.range.value_or(pool_.subnet);
  first_ = from.base();
  last_ = from.last();
  latest_ = last_;
}

bool AddressPool::usable(Ip address) const {
  return pool_.subnet.contains(address) && address != pool_.subnet.base() && address != pool_.subnet.last() &&
         address != pool_.gateway &&
         std::ranges::none_of(pool_.reserved, [&](const auto& reserved) { return reserved.second == address; });
}

Result<Ip> AddressPool::take() {
  // Only so many can be in the way.
  std::size_t tries = used_.size() + pool_.reserved.size() + 4;
  Ip candidate = latest_;
  for (std::size_t i = 0; i < tries; ++i) {
    candidate = candidate == last_ ? first_ : candidate.plus(1);
    if (!usable(candidate) || !used_.insert(candidate).second) continue;
    latest_ = candidate;
    return candidate;
  }
  return fail(ErrorCode::exhausted, "no available {} addresses on this network's address pools",
              first_.is_v6() ? "IPv6" : "IPv4");
}

Result<void> AddressPool::take(Ip address) {
  if (!pool_.subnet.contains(address))
    return fail(ErrorCode::invalid, "no configured subnet contains IP address {}", address.text());
  if (!usable(address) || !used_.insert(address).second) return fail(ErrorCode::conflict, "Address already in use");
  return {};
}

std::optional<Subnet> find_free_subnet(const std::vector<Subnet>& pools, int prefix, const std::vector<Subnet>& taken) {
  for (const Subnet& pool : pools) {
    if (prefix < pool.prefix()) continue;
    Ip::Number step = Ip::Number(1) << (pool.base().bits() - prefix);
    Ip::Number last = pool.last().number();
    for (Ip::Number base = pool.base().number(); base <= last; base += step) {
      Subnet candidate(pool.base().plus(base - pool.base().number()), prefix);
      if (std::none_of(taken.begin(), taken.end(), [&](const Subnet& other) { return other.overlaps(candidate); }))
        return candidate;
    }
  }
  return {};
}

}  // namespace berth::network
