#include "shim/json_text.h"

#include <string.h>

#include <array>
#include <cstdint>

namespace berth::shim {

namespace {

constexpr std::array<bool, 256> make_clean() {
  std::array<bool, 256> clean{};
  for (std::size_t c = 0x20; c < 0x80; ++c) clean[c] = true;
  for (const char c : {'"', '\\', '<', '>', '&'}) clean[static_cast<unsigned char>(c)] = false;
  return clean;
}
// Bytes that stand for themselves.
constexpr std::array<bool, 256> kClean = make_clean();
constexpr char kHex[] = "0123456789abcdef";

constexpr unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

// Length that the first byte of a UTF-8 sequence announces; 0 where it cannot be one (RFC 3629).
std::size_t announced_length(unsigned char first) {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return first < 0x80 ? 1 : 0;
}

// Whether second may follow first: shuts out overlong forms, surrogates and what lies above U+10FFFF.
bool may_follow(unsigned char first, unsigned char second) {
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
}

// Length of the valid sequence at the start of text; 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const std::size_t length = announced_length(byte_at(text, 0));
  if (length < 2 || text.size() < length || !may_follow(byte_at(text, 0), byte_at(text, 1))) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

char* put(char* out, std::string_view text) {
  memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* escape_ascii(char* out, char c) {
  switch (c) {
    case '"':
      return put(out, "\\\"");
    case '\\':
      return put(out, "\\\\");
    case '\n':
      return put(out, "\\n");
    case '\r':
      return put(out, "\\r");
    default:
      break;
  }
  out = put(out, "\\u00");
  *out++ = kHex[static_cast<unsigned char>(c) >> 4];
  *out++ = kHex[static_cast<unsigned char>(c) & 0xf];
  return out;
}

// One character of several bytes; adds its length to taken.
char* escape_wide(char* out, std::string_view text, std::size_t& taken) {
  const std::size_t length = sequence_length(text);
  if (length == 0) {
    ++taken;
    return put(out, "\\ufffd");
  }
  taken += length;
  // U+2028 and U+2029 end a line in JavaScript.
  if (length == 3 && byte_at(text, 0) == 0xe2 && byte_at(text, 1) == 0x80 && (byte_at(text, 2) & 0xfe) == 0xa8) {
    return put(out, byte_at(text, 2) == 0xa8 ? "\\u2028" : "\\u2029");
  }
  return put(out, text.substr(0, length));
}

void append_code_point(Buffer& out, std::uint32_t code) {
  const auto byte = [&out](std::uint32_t value) { out.append_byte(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

std::uint32_t hex_value(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    const char* at = static_cast<const char*>(memchr(kHex, c | 0x20, 16));
    value = value * 16 + (at != nullptr ? static_cast<std::uint32_t>(at - kHex) : 0);
  }
  return value;
}

// The inside of a JSON string up to its closing quote.
Buffer unescape(std::string_view text) {
  Buffer out;
  for (std::size_t i = 0; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.append_byte(text[i]);
      continue;
    }
    switch (const char c = text[++i]; c) {
      case 'n':
        out.append_byte('\n');
        break;
      case 't':
        out.append_byte('\t');
        break;
      case 'r':
        out.append_byte('\r');
        break;
      case 'b':
        out.append_byte('\b');
        break;
      case 'f':
        out.append_byte('\f');
        break;
      case 'u':
        append_code_point(out, hex_value(text.substr(i + 1, 4)));
        i += 4;
        break;
      default:
        out.append_byte(c);
        break;
    }
  }
  return out;
}

}  // namespace

char* escape_json(char* out, std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  while (at != end) {
    const unsigned char* run = at;
    while (at != end && kClean[*at]) ++at;
    const std::size_t clean = static_cast<std::size_t>(at - run);
    memcpy(out, run, clean);
    out += clean;
    if (at == end) break;
    if (*at < 0x80) {
      out = escape_ascii(out, static_cast<char>(*at++));
    } else {
      std::size_t taken = 0;
      out = escape_wide(out, {reinterpret_cast<const char*>(at), static_cast<std::size_t>(end - at)}, taken);
      at += taken;
    }
  }
  return out;
}

Buffer find_json_string(std::string_view line, std::string_view key) {
  for (std::size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    std::string_view after = line.substr(at + key.size());
    if (at == 0 || line[at - 1] != '"' || after.empty() || after[0] != '"') continue;
    after.remove_prefix(1);
    while (!after.empty() && (after[0] == ' ' || after[0] == ':')) after.remove_prefix(1);
    if (!after.empty() && after[0] == '"') return unescape(after.substr(1));
  }
  return {};
}

std::size_t unfinished_utf8(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::size_t length = announced_length(byte_at(text, text.size() - back));
    if (length > back) return back;
    if (length != 0) return 0;
  }
  return 0;
}

}  // namespace berth::shim
