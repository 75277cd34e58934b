#include "network/dns.h"

#include <algorithm>

#include "base/text.h"

namespace berth::network::dns {

namespace {

constexpr std::uint16_t kTypeOpt = 41;
constexpr std::size_t kMaxLabel = 63;
constexpr std::size_t kMaxName = 255;
constexpr std::uint32_t kTimeToLive = 600;

// Bits of the header's second word.
constexpr unsigned kResponse = 0x8000;
constexpr unsigned kOpcode = 0x7800;
constexpr unsigned kTruncated = 0x0200;
constexpr unsigned kRecursionDesired = 0x0100;
constexpr unsigned kRecursionAvailable = 0x0080;
constexpr unsigned kCode = 0x000f;

// Reads from the front; past the end it gives zeros and remembers.
class Reader {
 public:
  Reader(std::string_view bytes, std::size_t at) : bytes_(bytes), at_(at) {}

  std::uint8_t byte() {
    if (at_ >= bytes_.size()) {
      good_ = false;
      return 0;
    }
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint16_t word() {
    unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  void skip(std::size_t count) {
    good_ = good_ && count <= bytes_.size() - at_;
    if (good_) at_ += count;
  }
  void refuse() { good_ = false; }
  bool good() const { return good_; }
  std::size_t at() const { return at_; }

  // Labels written out: in a query nothing stands before the name that a pointer could mean.
  std::string name() {
    std::string name;
    std::size_t start = at_;
    while (good_) {
      std::size_t length = byte();
      if (length == 0) break;
      if (length > kMaxLabel || at_ + length - start >= kMaxName) {
        refuse();
        break;
      }
      if (!name.empty()) name += '.';
      for (std::size_t i = 0; i < length; ++i) {
        char c = static_cast<char>(byte());
        if (c == '.' || c == '\\') name += '\\';
        name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      }
    }
    return name;
  }

 private:
  std::string_view bytes_;
  std::size_t at_;
  bool good_ = true;
};

unsigned word_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned>(static_cast<std::uint8_t>(bytes[at])) << 8 | static_cast<std::uint8_t>(bytes[at + 1]);
}

void put_word(std::string& bytes, unsigned value) {
  bytes += static_cast<char>(value >> 8 & 0xff);
  bytes += static_cast<char>(value & 0xff);
}

void set_word(std::string& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<char>(value >> 8 & 0xff);
  bytes[at + 1] = static_cast<char>(value & 0xff);
}

// Of a record in the additional part of a query. Only the OPT one says something to us.
void read_additional(Reader& reader, Query& query) {
  std::string name = reader.name();
  std::uint16_t type = reader.word();
  std::size_t size = reader.word();
  reader.skip(4);
  reader.skip(reader.word());
  if (type != kTypeOpt) return;
  if (!name.empty() || query.edns) reader.refuse();
  query.edns = true;
  query.udp_size = std::clamp(size, kPlainUdpSize, kMaxUdpSize);
}

std::string encoded_name(std::string_view name) {
  std::string bytes;
  for (const std::string& label : split(name, '.')) {
    std::string_view part = std::string_view(label).substr(0, kMaxLabel);
    if (part.empty()) continue;
    bytes += static_cast<char>(part.size());
    bytes += part;
  }
  return bytes + '\0';
}

// The question's name by a pointer to it, then what the record holds.
std::string record(const Query& query, std::string_view data) {
  std::string bytes;
  put_word(bytes, 0xc000 | kHeaderSize);
  put_word(bytes, query.type);
  put_word(bytes, kClassIn);
  put_word(bytes, kTimeToLive >> 16);
  put_word(bytes, kTimeToLive & 0xffff);
  put_word(bytes, static_cast<unsigned>(data.size()));
  bytes += data;
  return bytes;
}

std::string opt_record() {
  std::string bytes(1, '\0');
  put_word(bytes, kTypeOpt);
  put_word(bytes, kMaxUdpSize);
  bytes.append(6, '\0');  // no extended code or flags, version 0, no data
  return bytes;
}

std::vector<std::string> records_of(const Query& query, const Answer& answer) {
  std::vector<std::string> records;
  for (const Ip& address : answer.addresses)
    if (address.is_v6() ? query.type == kTypeAaaa : query.type == kTypeA)
      records.push_back(record(query, address.bytes()));
  if (query.type == kTypePtr && !answer.pointer.empty()) records.push_back(record(query, encoded_name(answer.pointer)));
  return records;
}

bool same_question(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) {
    auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : int(c); };
    return lower(x) == lower(y);
  });
}

}  // namespace

Result<Query> parse_query(std::string_view packet) {
  auto malformed = [] { return fail(ErrorCode::invalid, "malformed DNS message"); };
  if (packet.size() < kHeaderSize || packet.size() > kMaxQuery) return malformed();
  unsigned flags = word_at(packet, 2);
  if ((flags & kResponse) != 0) return malformed();
  if ((flags & kOpcode) != 0) return fail(ErrorCode::unsupported, "DNS operation {}", (flags & kOpcode) >> 11);
  bool one_question = word_at(packet, 4) == 1 && word_at(packet, 6) == 0 && word_at(packet, 8) == 0;
  if (!one_question) return malformed();
  Query query;
  query.id = static_cast<std::uint16_t>(word_at(packet, 0));
  query.recursion_desired = (flags & kRecursionDesired) != 0;
  Reader reader(packet, kHeaderSize);
  query.name = reader.name();
  query.type = reader.word();
  query.klass = reader.word();
  query.question_end = reader.at();
  for (unsigned left = word_at(packet, 10); left > 0 && reader.good(); --left) read_additional(reader, query);
  if (!reader.good()) return malformed();
  return query;
}

std::optional<std::string> refusal(std::string_view packet, ErrorCode why) {
  if (packet.size() < kHeaderSize || (word_at(packet, 2) & kResponse) != 0) return {};
  Code code = why == ErrorCode::unsupported ? Code::not_implemented : Code::malformed;
  std::string bytes(packet.substr(0, kHeaderSize));
  unsigned kept = word_at(packet, 2) & (kOpcode | kRecursionDesired);
  set_word(bytes, 2, kept | kResponse | kRecursionAvailable | static_cast<unsigned>(code));
  for (std::size_t at = 4; at < kHeaderSize; at += 2) set_word(bytes, at, 0);
  return bytes;
}

std::string answer(std::string_view packet, const Query& query, const Answer& answer, std::size_t limit) {
  std::string bytes(packet.substr(0, query.question_end));
  std::string opt = query.edns ? opt_record() : "";
  unsigned flags = kResponse | kRecursionAvailable | static_cast<unsigned>(answer.code);
  if (query.recursion_desired) flags |= kRecursionDesired;
  unsigned count = 0;
  for (const std::string& record : records_of(query, answer)) {
    if (bytes.size() + record.size() + opt.size() > limit) {
      flags |= kTruncated;
      break;
    }
    bytes += record;
    ++count;
  }
  bytes += opt;
  set_word(bytes, 2, flags);
  set_word(bytes, 6, count);
  set_word(bytes, 8, 0);
  set_word(bytes, 10, query.edns ? 1 : 0);
  return bytes;
}

bool answers(std::string_view packet, const Query& query, std::string_view response) {
  if (response.size() < kHeaderSize || packet.substr(0, 2) != response.substr(0, 2)) return false;
  if ((word_at(response, 2) & kResponse) == 0) return false;
  // A server that understood nothing may leave the question out.
  if (word_at(response, 4) == 0) return code_of(response) != Code::ok;
  if (word_at(response, 4) != 1 || response.size() < query.question_end) return false;
  std::size_t length = query.question_end - kHeaderSize;
  return same_question(packet.substr(kHeaderSize, length), response.substr(kHeaderSize, length));
}

Code code_of(std::string_view response) { return static_cast<Code>(word_at(response, 2) & kCode); }

std::string with_id(std::string_view message, std::uint16_t id) {
  std::string bytes(message);
  set_word(bytes, 0, id);
  return bytes;
}

std::string fitted(std::string_view response, const Query& query, std::size_t limit) {
  if (response.size() <= limit || response.size() < query.question_end) return std::string(response);
  std::string bytes(response.substr(0, query.question_end));
  set_word(bytes, 2, word_at(bytes, 2) | kTruncated);
  for (std::size_t at = 6; at < kHeaderSize; at += 2) set_word(bytes, at, 0);
  return bytes;
}

std::optional<Ip> reversed_address(std::string_view name) {
  constexpr std::string_view kV4 = ".in-addr.arpa", kV6 = ".ip6.arpa";
  bool v6 = name.ends_with(kV6);
  if (!v6 && !name.ends_with(kV4)) return {};
  name.remove_suffix(v6 ? kV6.size() : kV4.size());
  std::vector<std::string> parts = split(name, '.');
  if (parts.size() != (v6 ? 32u : 4u)) return {};
  Ip::Number number = 0;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    auto value = parse_number<std::uint8_t>(*part, v6 ? 16 : 10);
    if (!value || (v6 && part->size() != 1)) return {};
    number = number << (v6 ? 4 : 8) | *value;
  }
  return v6 ? Ip::v6(number) : Ip::v4(static_cast<std::uint32_t>(number));
}

}  // namespace berth::network::dns
