#include "base/json.h"

#include <boost/json/src.hpp>
#include <cmath>
#include <utility>

namespace berth::json {

namespace {
constexpr std::size_t kMaxDepth = 64;
}

Result<Value> parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  Value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(ErrorCode::invalid, "invalid JSON: {}", error.message());
  return value;
}

std::string print(const Value& value) { return boost::json::serialize(value); }

const Value* find(const Value& value, std::string_view key) {
  if (!value.is_object()) return nullptr;
  const Value* member = value.get_object().if_contains(key);
  return member == nullptr || member->is_null() ? nullptr : member;
}

std::string string_or(const Value& value, std::string_view key, std::string_view fallback) {
  const Value* member = find(value, key);
  return std::string(member != nullptr && member->is_string() ? std::string_view(member->get_string()) : fallback);
}

std::int64_t int_or(const Value& value, std::string_view key, std::int64_t fallback) {
  const Value* member = find(value, key);
  return member == nullptr ? fallback : detail::as_int(*member).value_or(fallback);
}

bool bool_or(const Value& value, std::string_view key, bool fallback) {
  const Value* member = find(value, key);
  return member != nullptr && member->is_bool() ? member->get_bool() : fallback;
}

namespace detail {

Result<void> wrong_type(std::string_view path, std::string_view wanted) {
  return fail(ErrorCode::invalid, "invalid JSON: {}: want {}", path.empty() ? "body" : path, wanted);
}

std::optional<std::int64_t> as_int(const Value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64() && std::in_range<std::int64_t>(value.get_uint64()))
    return static_cast<std::int64_t>(value.get_uint64());
  if (value.is_double() && std::abs(value.get_double()) < 9e15 && std::trunc(value.get_double()) == value.get_double())
    return static_cast<std::int64_t>(value.get_double());
  return {};
}

std::optional<double> as_double(const Value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double()) return value.get_double();
  return {};
}

}  // namespace detail

}  // namespace berth::json
