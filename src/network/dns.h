// DNS messages (RFC 1035, RFC 6891), as far as a resolver on the containers' side needs them: a query is taken apart,
// an answer from our own names is put together, and an answer of somebody else is checked before it is handed on.
//
// All bytes are hostile: a message that is not exactly well-formed is refused. Pure; thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/address.h"

namespace berth::network::dns {

inline constexpr std::size_t kHeaderSize = 12;
inline constexpr std::size_t kPlainUdpSize = 512;  // what a client takes that says nothing (RFC 1035, 4.2.1)
inline constexpr std::size_t kMaxUdpSize = 4096;   // the most that is sent, whatever the client says
inline constexpr std::size_t kMaxQuery = 4096;

inline constexpr std::uint16_t kTypeA = 1;
inline constexpr std::uint16_t kTypePtr = 12;
inline constexpr std::uint16_t kTypeAaaa = 28;
inline constexpr std::uint16_t kClassIn = 1;

enum class Code : std::uint8_t {
  ok = 0,
  malformed = 1,
  failure = 2,
  no_such_name = 3,
  not_implemented = 4,
  refused = 5
};

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  // Lower case, labels joined by dots, without a final one; a dot or backslash within a label has a backslash before.
  std::string name;
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  std::size_t question_end = 0;  // offset of what follows the question
  bool edns = false;
  std::size_t udp_size = kPlainUdpSize;  // what the client takes, within kMaxUdpSize
};
// One question, as clients send it. `unsupported` for another opcode than QUERY, else `invalid`.
Result<Query> parse_query(std::string_view packet);

// What to answer a packet that parse_query() refused; nothing when it has no complete header or is no query at all, for
// answers to answers go on for ever.
std::optional<std::string> refusal(std::string_view packet, ErrorCode why);

// An answer from our own names: addresses of the question's family, or for PTR a name. They are good for 600 s, as
// Docker's. What does not fit into limit bytes is left out, with the mark that says so.
struct Answer {
  Code code = Code::ok;
  std::vector<Ip> addresses;
  std::string pointer;  // "web.team"
};
std::string answer(std::string_view packet, const Query& query, const Answer& answer, std::size_t limit);

// Whether response answers this packet: its id and, unless the server refused, its question.
bool answers(std::string_view packet, const Query& query, std::string_view response);
Code code_of(std::string_view response);
// The same message under another id.
std::string with_id(std::string_view message, std::uint16_t id);
// response if it has at most limit bytes, else its head and question with the mark that more is to be had by TCP.
std::string fitted(std::string_view response, const Query& query, std::size_t limit);

// The address that the name of a PTR question stands for: "2.0.89.10.in-addr.arpa", "...ip6.arpa".
std::optional<Ip> reversed_address(std::string_view name);

}  // namespace berth::network::dns
