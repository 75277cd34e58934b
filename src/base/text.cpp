#include "base/text.h"

#include <sys/random.h>

#include <cmath>
#include <cstdlib>

namespace berth {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::pair<std::string_view, std::optional<std::string_view>> split_once(std::string_view text, char separator) {
  std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) text += separator;
    text += parts[i];
  }
  return text;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string to_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string base64_encode(std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) text += i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63];
  }
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  for (char c : text) {
    int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '+' || c == '-' ? 62
                : c == '/' || c == '_' ? 63
                                       : -1;
    if (value < 0) return fail(ErrorCode::invalid, "invalid base64: unexpected character");
    group = (group << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(group >> bits & 0xff);
    }
  }
  if (bits >= 6) return fail(ErrorCode::invalid, "invalid base64: wrong length");
  return bytes;
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  auto bad = [&] {
    return fail(ErrorCode::invalid, "invalid size: '{}': want a number with b, k, m, g or t, for example 512m", text);
  };
  std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  auto value = parse_number<double>(text.substr(0, digits));
  if (!value || !std::isfinite(*value)) return bad();
  std::string unit = to_lower(trim(text.substr(digits)));
  if (unit.ends_with("ib") && unit.size() == 3) unit.resize(1);
  if (unit.ends_with("b") && unit.size() == 2) unit.resize(1);
  constexpr std::string_view kUnits = "bkmgtp";
  if (unit.empty()) unit = "b";
  std::size_t power = unit.size() == 1 ? kUnits.find(unit[0]) : std::string_view::npos;
  if (power == std::string_view::npos) return bad();
  double bytes = *value * std::pow(1024.0, static_cast<double>(power));
  if (bytes > 9.2e18) return bad();
  return static_cast<std::int64_t>(bytes);
}

namespace {

std::string human(double value, double base, const char* const* units) {
  int unit = 0;
  while (value >= base && units[unit + 1] != nullptr) {
    value /= base;
    ++unit;
  }
  return fmt::format("{:.4g}{}", value, units[unit]);
}

}  // namespace

std::string human_size(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", nullptr};
  return human(bytes, 1000.0, kUnits);
}

std::string human_size_binary(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", nullptr};
  return human(bytes, 1024.0, kUnits);
}

bool is_container_name(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (name.size() < 2 || !letter(name[0])) return false;
  for (char c : name.substr(1))
    if (!letter(c) && c != '_' && c != '.' && c != '-') return false;
  return true;
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  // getrandom of up to 256 bytes neither fails nor is cut short once the pool is ready (getrandom(2)).
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) std::abort();
  return to_hex(raw);
}

}  // namespace berth
