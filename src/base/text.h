// Small text helpers, and the sizes that people write.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth {

// The whole of text as a number, or nothing.
template <class T>
std::optional<T> parse_number(std::string_view text, int base = 10)
  requires std::is_integral_v<T>
{
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

template <class T>
std::optional<T> parse_number(std::string_view text)
  requires std::is_floating_point_v<T>
{
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

// "a,b,,c" -> {"a","b","","c"}; "" -> {""}.
std::vector<std::string> split(std::string_view text, char separator);
// At the first separator: {before, after}; without one, {text, nothing}.
std::pair<std::string_view, std::optional<std::string_view>> split_once(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);

std::string to_hex(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
// Accepts the standard and the URL alphabet, with or without padding.
Result<std::string> base64_decode(std::string_view text);

// "512m" -> 536870912: binary units b k m g t, optional "b" or "ib" after them (go-units RAMInBytes).
Result<std::int64_t> parse_bytes(std::string_view text);
// 1234567 -> "1.235MB": decimal units, four significant digits (go-units HumanSize).
std::string human_size(double bytes);
// 1234567 -> "1.177MiB" (go-units BytesSize).
std::string human_size_binary(double bytes);

// A lower-case letter or digit, then letters, digits, '_', '.', '-': Docker's rule for container names.
bool is_container_name(std::string_view name);

// n random bytes from getrandom(2), in hex: ids are random_hex(32).
std::string random_hex(std::size_t bytes);

}  // namespace berth
