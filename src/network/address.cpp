#include "network/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace berth::network {

namespace {

// Most significant byte first.
Ip::Number number_of(const std::uint8_t* bytes, std::size_t size) {
  Ip::Number number = 0;
  for (std::size_t i = 0; i < size; ++i) number = number << 8 | bytes[i];
  return number;
}

}  // namespace

Ip Ip::v6(const Bytes6& bytes) { return v6(number_of(bytes.data(), bytes.size())); }

Result<Ip> Ip::parse(std::string_view text) {
  std::string copy(text);
  bool whole = text.find('\0') == std::string_view::npos && text.size() < INET6_ADDRSTRLEN;
  Bytes6 bytes{};
  // inet_pton(3), unlike inet_aton, takes nothing but four decimal numbers.
  if (whole && ::inet_pton(AF_INET, copy.c_str(), bytes.data()) == 1)
    return v4(static_cast<std::uint32_t>(number_of(bytes.data(), 4)));
  if (whole && ::inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) return v6(bytes);
  return fail(ErrorCode::invalid, "invalid IP address: {}", text);
}

std::string Ip::bytes() const {
  std::string bytes;
  for (int shift = bits() - 8; shift >= 0; shift -= 8) bytes += static_cast<char>(value_ >> shift & 0xff);
  return bytes;
}

std::string Ip::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  std::string raw = bytes();
  (void)::inet_ntop(v6_ ? AF_INET6 : AF_INET, raw.data(), buffer, sizeof buffer);
  return buffer;
}

Result<Subnet> Subnet::parse(std::string_view text) {
  auto [address, prefix_text] = split_once(text, '/');
  auto base = Ip::parse(address);
  auto prefix = parse_number<int>(prefix_text.value_or(""));
  if (!base || !prefix || *prefix < 0 || *prefix > base->bits())
    return fail(ErrorCode::invalid, "invalid CIDR address: {}", text);
  return Subnet(*base, *prefix);
}

std::string Subnet::text() const { return fmt::format("{}/{}", base_.text(), prefix_); }

Result<MacAddress> MacAddress::parse(std::string_view text) {
  auto wrong = [&] { return fail(ErrorCode::invalid, "invalid MAC address: {}", text); };
  std::string colons(text);
  std::replace(colons.begin(), colons.end(), '-', ':');
  std::vector<std::string> parts = split(colons, ':');
  Bytes bytes{};
  if (parts.size() != bytes.size()) return wrong();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto byte = parse_number<std::uint8_t>(parts[i], 16);
    if (!byte || parts[i].size() != 2) return wrong();
    bytes[i] = *byte;
  }
  constexpr std::uint8_t kGroupBit = 1;
  if ((bytes[0] & kGroupBit) != 0 || bytes == Bytes{}) return wrong();
  return MacAddress(bytes);
}

MacAddress MacAddress::from_address(Ip address) {
  std::uint32_t value = address.value();
  auto byte = [value](int shift) { return static_cast<std::uint8_t>(value >> shift & 0xff); };
  return MacAddress({0x02, 0x42, byte(24), byte(16), byte(8), byte(0)});
}

std::string MacAddress::text() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2], bytes_[3], bytes_[4],
                     bytes_[5]);
}

}  // namespace berth::network
