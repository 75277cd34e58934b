// IP addresses, subnets and MAC addresses as values, with the text forms that people and Docker's API write.
//
// text() and parse() make them JSON strings (base/json.h). Thread: values, free of shared state.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::network {

// An address of either family. Those of IPv4 sort before those of IPv6.
class Ip {
 public:
  using Number = unsigned __int128;
  using Bytes6 = std::array<std::uint8_t, 16>;

  constexpr Ip() = default;  // 0.0.0.0
  // In host byte order: Ip::v4(0x7f000001) is 127.0.0.1.
  static constexpr Ip v4(std::uint32_t value) { return Ip(false, value); }
  static constexpr Ip v6(Number value) { return Ip(true, value); }
  // In network byte order.
  static Ip v6(const Bytes6& bytes);
  // Four decimal numbers without leading zeros, or the forms of RFC 4291 without a zone; anything else is `invalid`.
  static Result<Ip> parse(std::string_view text);

  constexpr bool is_v6() const { return v6_; }
  constexpr int bits() const { return v6_ ? 128 : 32; }
  constexpr Number number() const { return value_; }
  // Of IPv4.
  constexpr std::uint32_t value() const { return static_cast<std::uint32_t>(value_); }
  // Network byte order, 4 or 16 bytes.
  std::string bytes() const;
  std::string text() const;
  // 0.0.0.0 or ::.
  constexpr bool is_any() const { return value_ == 0; }
  constexpr bool is_loopback() const { return v6_ ? value_ == 1 : value_ >> 24 == 127; }
  // The address n further; past the end of the family's addresses it begins anew.
  constexpr Ip plus(Number n) const { return v6_ ? v6(value_ + n) : v4(static_cast<std::uint32_t>(value_ + n)); }
  friend constexpr auto operator<=>(const Ip&, const Ip&) = default;

 private:
  constexpr Ip(bool v6, Number value) : v6_(v6), value_(value) {}
  bool v6_ = false;
  Number value_ = 0;
};

// A range of addresses with a common prefix. The host part of base is always zero.
class Subnet {
 public:
  constexpr Subnet() = default;  // 0.0.0.0/0
  // Host bits of base are cleared. prefix is 0 to base.bits().
  constexpr Subnet(Ip base, int prefix) : base_(masked(base, prefix)), prefix_(prefix) {}
  // "10.89.0.0/20", "fd00::/64"; host bits may be set and are cleared.
  static Result<Subnet> parse(std::string_view text);

  constexpr Ip base() const { return base_; }
  constexpr int prefix() const { return prefix_; }
  // The last address; of IPv4 that for broadcasts.
  constexpr Ip last() const { return base_.plus(host_mask(base_, prefix_)); }
  std::string text() const;
  constexpr bool contains(Ip address) const {
    return address.is_v6() == base_.is_v6() && masked(address, prefix_) == base_;
  }
  constexpr bool contains(const Subnet& other) const { return other.prefix_ >= prefix_ && contains(other.base_); }
  constexpr bool overlaps(const Subnet& other) const { return contains(other) || other.contains(*this); }
  friend constexpr auto operator<=>(const Subnet&, const Subnet&) = default;

 private:
  static constexpr Ip::Number host_mask(Ip address, int prefix) {
    if (prefix == 0) return address.is_v6() ? ~Ip::Number(0) : Ip::Number(~std::uint32_t(0));
    return (Ip::Number(1) << (address.bits() - prefix)) - 1;
  }
  static constexpr Ip masked(Ip address, int prefix) {
    Ip::Number value = address.number() & ~host_mask(address, prefix);
    return address.is_v6() ? Ip::v6(value) : Ip::v4(static_cast<std::uint32_t>(value));
  }
  Ip base_;
  int prefix_ = 0;
};

class MacAddress {
 public:
  using Bytes = std::array<std::uint8_t, 6>;
  constexpr MacAddress() = default;
  constexpr explicit MacAddress(Bytes bytes) : bytes_(bytes) {}
  // "02:42:0a:59:00:02", also with '-'. A group address or all zeros is `invalid`.
  static Result<MacAddress> parse(std::string_view text);
  // Locally administered and unique within a subnet, as Docker makes it: 02:42 and the IPv4 address.
  static MacAddress from_address(Ip address);

  const Bytes& bytes() const { return bytes_; }
  std::string text() const;
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  Bytes bytes_{};
};

}  // namespace berth::network
