// DNS messages from containers and from name servers: whatever they are, parsing ends, and a question that was taken
// can be answered.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "network/dns.h"

namespace dns = berth::network::dns;

// The first byte says where the question ends and the answer of a server begins.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string_view packet = input.substr(0, data[0]);
  std::string_view response = input.substr(packet.size());
  auto query = dns::parse_query(packet);
  if (!query) {
    (void)dns::refusal(packet, query.error().code());
    return 0;
  }
  (void)dns::reversed_address(query->name);
  std::string reply = dns::answer(packet, *query, {dns::Code::ok, {berth::network::Ip::v4(1)}, "a.b"}, query->udp_size);
  if (reply.size() > query->udp_size || !dns::answers(packet, *query, reply)) std::abort();
  if (dns::answers(packet, *query, response) &&
      dns::fitted(response, *query, query->udp_size).size() > dns::kMaxUdpSize)
    std::abort();
  return 0;
}
