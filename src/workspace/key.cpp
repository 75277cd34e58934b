#include "workspace/key.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/text.h"
#include "fs/digest.h"

namespace berth::workspace {

namespace {

// Takes the length-prefixed strings of a blob one by one (RFC 4251 section 5, "string").
class BlobReader {
 public:
  explicit BlobReader(std::string_view blob) : rest_(blob) {}

  std::optional<std::string_view> next() {
    if (rest_.size() < 4) return {};
    std::size_t length = 0;
    for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)]);
    if (length > rest_.size() - 4) return {};
    std::string_view field = rest_.substr(4, length);
    rest_.remove_prefix(4 + length);
    return field;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

constexpr std::size_t kMinRsaBits = 2048;
constexpr std::size_t kMaxRsaBits = 16384;  // OpenSSH's own limit

std::size_t bits_of(std::string_view number) {
  while (!number.empty() && number.front() == '\0') number.remove_prefix(1);
  if (number.empty()) return 0;
  std::size_t bits = number.size() * 8;
  for (int mask = 0x80; (static_cast<unsigned char>(number.front()) & mask) == 0; mask >>= 1) --bits;
  return bits;
}

struct KeyType {
  std::string_view name;
  std::string_view curve;  // of ECDSA types
  std::size_t fields;      // after the type: ed25519 1, rsa 2, ecdsa 2, sk one more
  std::size_t key_size;    // bytes of the key or the point; 0: rsa
};

constexpr KeyType kTypes[] = {
    {"ssh-ed25519", "", 1, 32},
    {"ssh-rsa", "", 2, 0},
    {"ecdsa-sha2-nistp256", "nistp256", 2, 65},
    {"ecdsa-sha2-nistp384", "nistp384", 2, 97},
    {"ecdsa-sha2-nistp521", "nistp521", 2, 133},
    {"sk-ssh-ed25519@openssh.com", "", 2, 32},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 3, 65},
};

const KeyType* find_type(std::string_view name) {
  auto type = std::ranges::find(kTypes, name, &KeyType::name);
  return type == std::end(kTypes) ? nullptr : type;
}

// Why the blob is no key of this type, or nothing.
std::optional<std::string> flaw_of(std::string_view blob, const KeyType& type) {
  BlobReader reader(blob);
  auto name = reader.next();
  if (!name || *name != type.name) return "its data is not of the type that the line names";
  std::vector<std::string_view> fields;
  for (std::size_t i = 0; i < type.fields; ++i) {
    auto field = reader.next();
    if (!field) return "it is cut off";
    fields.push_back(*field);
  }
  if (!reader.at_end()) return "there is more data than a key has";
  if (type.key_size == 0) {
    std::size_t bits = bits_of(fields[1]);
    if (bits < kMinRsaBits) return fmt::format("an RSA key of {} bits is too weak", bits);
    if (bits > kMaxRsaBits) return fmt::format("an RSA key of {} bits is too large", bits);
    return {};
  }
  bool on_curve = !type.curve.empty();
  if (on_curve && fields[0] != type.curve) return "it names another curve";
  if (fields[on_curve ? 1 : 0].size() != type.key_size) return "it has the wrong length";
  return {};
}

// Well-formed UTF-8 (RFC 3629): what JSON, and a person's terminal, can show.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i++]);
    int more = lead < 0x80                   ? 0
               : lead >= 0xc2 && lead < 0xe0 ? 1
               : lead >= 0xe0 && lead < 0xf0 ? 2
               : lead >= 0xf0 && lead < 0xf5 ? 3
                                             : -1;
    if (more < 0 || text.size() - i < static_cast<std::size_t>(more)) return false;
    unsigned value = more == 0 ? lead : lead & (0x3fu >> more);
    for (int n = 0; n < more; ++n) {
      auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      value = value << 6 | (next & 0x3fu);
    }
    constexpr unsigned kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (value < kLeast[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return false;
  }
  return true;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::unexpected<Problem> bad_key(std::size_t line, std::string_view reason) {
  return refuse(
      ErrorCode::invalid, "bad_key",
      line == 0 ? fmt::format("The public key cannot be used: {}.", reason)
                : fmt::format("The public key in line {} cannot be used: {}.", line, reason),
      "give the one line of a public key file, such as ~/.ssh/id_ed25519.pub; `ssh-keygen -t ed25519` makes one");
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

Outcome<PublicKey> parse_line(std::string_view line, std::size_t number) {
  if (std::ranges::any_of(line, is_control)) return bad_key(number, "it holds control characters");
  if (!is_utf8(line)) return bad_key(number, "its comment is not UTF-8");
  std::string_view rest = line;
  std::string_view name = next_word(rest);
  std::string_view data = next_word(rest);
  if (name == "ssh-dss") return bad_key(number, "DSA keys are no longer safe");
  const KeyType* type = find_type(name);
  if (type == nullptr) {
    for (std::string_view word = data; !word.empty(); word = next_word(rest))
      if (find_type(word) != nullptr) return bad_key(number, "options before the key are not accepted");
    return bad_key(number, "it does not begin with a known key type");
  }
  auto blob = base64_decode(data);
  if (data.empty() || !blob) return bad_key(number, "its data is not base64");
  if (auto flaw = flaw_of(*blob, *type)) return bad_key(number, *flaw);
  return PublicKey{std::string(type->name), base64_encode(*blob), std::string(trim(rest))};
}

}  // namespace

std::string PublicKey::line() const {
  return comment.empty() ? fmt::format("{} {}", type, base64) : fmt::format("{} {} {}", type, base64, comment);
}

std::string PublicKey::fingerprint() const {
  auto blob = base64_decode(base64);
  if (!blob) return {};
  std::string hex = fs::sha256_hex(*blob);
  std::string digest;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    digest += static_cast<char>(parse_number<unsigned>(std::string_view(hex).substr(i, 2), 16).value_or(0));
  std::string text = base64_encode(digest);
  text.erase(text.find_last_not_of('=') + 1);
  return "SHA256:" + text;
}

Outcome<std::vector<PublicKey>> parse_keys(std::string_view text) {
  if (text.size() > kMaxKeyBytes) return bad_key(0, "the text is too long");
  if (text.find("PRIVATE KEY-----") != std::string_view::npos)
    return bad_key(0, "this is a private key, which should never leave your machine");
  std::vector<PublicKey> keys;
  std::size_t number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    std::string_view line = raw;
    if (line.ends_with('\r')) line.remove_suffix(1);  // a file made on Windows
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    TRY(auto key, parse_line(line, number));
    if (std::ranges::any_of(keys, [&](const PublicKey& known) { return known.same_as(key); })) continue;
    if (keys.size() == kMaxKeys) return bad_key(number, fmt::format("more than {} keys", kMaxKeys));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return bad_key(0, "there is none");
  return keys;
}

std::string print_keys(const std::vector<PublicKey>& keys) {
  std::string text;
  for (const PublicKey& key : keys) text += key.line() + '\n';
  return text;
}

bool all_among(const std::vector<PublicKey>& keys, const std::vector<PublicKey>& theirs) {
  return std::ranges::all_of(keys, [&](const PublicKey& key) {
    return std::ranges::any_of(theirs, [&](const PublicKey& other) { return key.same_as(other); });
  });
}

}  // namespace berth::workspace
