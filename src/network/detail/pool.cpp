#include "network/detail/pool.h"

#include <algorithm>

namespace berth::network {

bool AddressPool::usable(Ipv4 address) const {
  return subnet_.contains(address) && address != subnet_.base() && address != subnet_.broadcast() &&
         address != gateway_;
}

Result<Ipv4> AddressPool::take() {
  std::uint32_t first = subnet_.base().value();
  std::uint64_t count = std::uint64_t(subnet_.broadcast().value()) - first + 1;
  std::uint64_t start = last_.value() - first;
  for (std::uint64_t step = 1; step <= count; ++step) {
    Ipv4 candidate(first + static_cast<std::uint32_t>((start + step) % count));
    if (!usable(candidate) || used_.contains(candidate)) continue;
    used_.insert(candidate);
    last_ = candidate;
    return candidate;
  }
  return fail(ErrorCode::exhausted, "no available IPv4 addresses on this network's address pools");
}

Result<void> AddressPool::take(Ipv4 address) {
  if (!subnet_.contains(address))
    return fail(ErrorCode::invalid, "no configured subnet contains IP address {}", address.text());
  if (!usable(address) || !used_.insert(address).second) return fail(ErrorCode::conflict, "Address already in use");
  return {};
}

std::optional<Subnet> find_free_subnet(const std::vector<Subnet>& pools, int prefix, const std::vector<Subnet>& taken) {
  for (const Subnet& pool : pools) {
    if (prefix < pool.prefix()) continue;
    std::uint64_t step = std::uint64_t(1) << (32 - prefix);
    for (std::uint64_t base = pool.base().value(); base <= pool.broadcast().value(); base += step) {
      Subnet candidate(Ipv4(static_cast<std::uint32_t>(base)), prefix);
      if (std::none_of(taken.begin(), taken.end(), [&](const Subnet& other) { return other.overlaps(candidate); }))
        return candidate;
    }
  }
  return {};
}

}  // namespace berth::network
