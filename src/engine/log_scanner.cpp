#include "engine/log_scanner.h"

#include <cstdint>
#include <cstring>

#include "base/text.h"

namespace berth::engine {

namespace {

constexpr std::string_view kHead = "{\"log\":\"";
constexpr std::string_view kStream = "\",\"stream\":\"std";  // then "out" or "err"
constexpr std::string_view kTime = "\",\"time\":\"";
constexpr std::string_view kTimeSample = "2026-11-22T10:52:51.123456789Z";
constexpr std::string_view kEnd = "\"}";
constexpr std::size_t kWord = 3;
constexpr std::size_t kTail = kStream.size() + kWord + kTime.size() + kTimeSample.size() + kEnd.size();

char* put_utf8(char* out, std::uint32_t code) {
  auto tail = [&](int shift) { *out++ = static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xe0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    *out++ = static_cast<char>(0xf0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
  return out;
}

// The number of "uXXXX" at from, which is advanced over it.
std::optional<std::uint32_t> take_unicode(const char*& from, const char* end) {
  if (end - from < 5 || *from != 'u') return {};
  auto code = parse_number<std::uint32_t>(std::string_view(from + 1, 4), 16);
  if (code) from += 5;
  return code;
}

// After a backslash; null for what is no escape.
char* put_escape(const char*& from, const char* end, char* out) {
  constexpr std::string_view kLetters = "nrtbf\"\\/", kBytes = "\n\r\t\b\f\"\\/";
  if (from == end) return nullptr;
  if (std::size_t index = kLetters.find(*from); index != std::string_view::npos) {
    ++from;
    *out++ = kBytes[index];
    return out;
  }
  auto code = take_unicode(from, end);
  if (!code) return nullptr;
  if (*code >= 0xd800 && *code < 0xdc00 && end - from >= 6 && *from == '\\') {
    ++from;
    auto low = take_unicode(from, end);
    if (!low || *low < 0xdc00 || *low > 0xdfff) return nullptr;
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
  }
  return put_utf8(out, *code);
}

// The text between begin and end without its escapes, written over itself. Copies whole stretches between them.
std::optional<std::string_view> unescape(char* begin, const char* end) {
  char* out = begin;
  const char* from = begin;
  while (from < end) {
    const void* backslash = std::memchr(from, '\\', static_cast<std::size_t>(end - from));
    const char* stop = backslash == nullptr ? end : static_cast<const char*>(backslash);
    auto length = static_cast<std::size_t>(stop - from);
    if (out != from) std::memmove(out, from, length);
    out += length;
    from = stop;
    if (from == end) break;
    ++from;
    out = put_escape(from, end, out);
    if (out == nullptr) return {};
  }
  return std::string_view(begin, static_cast<std::size_t>(out - begin));
}

}  // namespace

std::optional<LogLine> scan_log_line(char* line, std::size_t size) {
  if (size < kHead.size() + kTail) return {};
  std::string_view whole(line, size), tail = whole.substr(size - kTail);
  if (!whole.starts_with(kHead) || !tail.starts_with(kStream) || !tail.ends_with(kEnd)) return {};
  std::string_view word = tail.substr(kStream.size(), kWord);
  if (tail.substr(kStream.size() + kWord, kTime.size()) != kTime || (word != "out" && word != "err")) return {};
  auto text = unescape(line + kHead.size(), line + size - kTail);
  if (!text) return {};
  return LogLine{word == "err", tail.substr(kStream.size() + kWord + kTime.size(), kTimeSample.size()), *text};
}

}  // namespace berth::engine
