// IPv4 addresses, subnets and MAC addresses as values, with the text forms that people and Docker's API write.
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

class Ipv4 {
 public:
  constexpr Ipv4() = default;
  // In host byte order: Ipv4(0x7f000001) is 127.0.0.1.
  constexpr explicit Ipv4(std::uint32_t value) : value_(value) {}
  // Four decimal numbers without leading zeros; anything else is `invalid`.
  static Result<Ipv4> parse(std::string_view text);

  constexpr std::uint32_t value() const { return value_; }
  std::string text() const;
  constexpr bool is_any() const { return value_ == 0; }
  constexpr bool is_loopback() const { return value_ >> 24 == 127; }
  friend constexpr auto operator<=>(const Ipv4&, const Ipv4&) = default;

 private:
  std::uint32_t value_ = 0;
};

// A range of addresses with a common prefix. The host part of base is always zero.
class Subnet {
 public:
  constexpr Subnet() = default;
  // Host bits of base are cleared. prefix is 0 to 32.
  constexpr Subnet(Ipv4 base, int prefix) : base_(base.value() & mask_of(prefix)), prefix_(prefix) {}
  // "10.89.0.0/20"; host bits may be set and are cleared.
  static Result<Subnet> parse(std::string_view text);

  constexpr Ipv4 base() const { return base_; }
  constexpr int prefix() const { return prefix_; }
  constexpr Ipv4 broadcast() const { return Ipv4(base_.value() | ~mask_of(prefix_)); }
  std::string text() const;
  constexpr bool contains(Ipv4 address) const { return (address.value() & mask_of(prefix_)) == base_.value(); }
  constexpr bool contains(const Subnet& other) const { return other.prefix_ >= prefix_ && contains(other.base_); }
  constexpr bool overlaps(const Subnet& other) const { return contains(other) || other.contains(*this); }
  friend constexpr auto operator<=>(const Subnet&, const Subnet&) = default;

 private:
  static constexpr std::uint32_t mask_of(int prefix) { return prefix == 0 ? 0 : ~0U << (32 - prefix); }
  Ipv4 base_;
  int prefix_ = 0;
};

class MacAddress {
 public:
  using Bytes = std::array<std::uint8_t, 6>;
  constexpr MacAddress() = default;
  constexpr explicit MacAddress(Bytes bytes) : bytes_(bytes) {}
  // "02:42:0a:59:00:02", also with '-'. A group address or all zeros is `invalid`.
  static Result<MacAddress> parse(std::string_view text);
  // Locally administered and unique within a subnet, as Docker makes it: 02:42 and the address.
  static MacAddress from_address(Ipv4 address);

  const Bytes& bytes() const { return bytes_; }
  std::string text() const;
  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  Bytes bytes_{};
};

}  // namespace berth::network
