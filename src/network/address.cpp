#include "network/address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace berth::network {

Result<Ipv4> Ipv4::parse(std::string_view text) {
  in_addr address{};
  // inet_pton(3), unlike inet_aton, takes nothing but four decimal numbers.
  bool cut = text.find('\0') != std::string_view::npos;
  if (cut || text.size() >= INET_ADDRSTRLEN || ::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return fail(ErrorCode::invalid, "invalid IPv4 address: {}", text);
  return Ipv4(ntohl(address.s_addr));
}

std::string Ipv4::text() const {
  return fmt::format("{}.{}.{}.{}", value_ >> 24, value_ >> 16 & 0xff, value_ >> 8 & 0xff, value_ & 0xff);
}

Result<Subnet> Subnet::parse(std::string_view text) {
  auto [address, prefix_text] = split_once(text, '/');
  auto base = Ipv4::parse(address);
  auto prefix = parse_number<int>(prefix_text.value_or(""));
  if (!base || !prefix || *prefix < 0 || *prefix > 32)
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

MacAddress MacAddress::from_address(Ipv4 address) {
  std::uint32_t value = address.value();
  auto byte = [value](int shift) { return static_cast<std::uint8_t>(value >> shift & 0xff); };
  return MacAddress({0x02, 0x42, byte(24), byte(16), byte(8), byte(0)});
}

std::string MacAddress::text() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2], bytes_[3], bytes_[4],
                     bytes_[5]);
}

}  // namespace berth::network
