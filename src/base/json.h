// JSON: Boost.JSON values, and structs that carry themselves to and from JSON by their BOOST_DESCRIBE_STRUCT.
//
//   struct Port { std::string ip; std::uint16_t number = 0; };
//   BOOST_DESCRIBE_STRUCT(Port, (), (ip, number))
//   json::Value v = json::encode(port);   TRY(auto port, json::decode<Port>(v));
//
// decode leaves a member that is absent or null at its default, ignores unknown members, and answers a value of the
// wrong type with an `invalid` error that names the path to it. A type with text() and a static parse(text) travels as
// a string.
#pragma once

#include <boost/describe.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11.hpp>

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace berth::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

// At most 64 levels deep; duplicate keys keep the last; trailing text is an error.
Result<Value> parse(std::string_view text);
std::string print(const Value& value);

// The member, or nullptr when value is no object, the key is absent, or the member is null.
const Value* find(const Value& value, std::string_view key);
// The member as a string, number or truth, or the default when absent or of another type.
std::string string_or(const Value& value, std::string_view key, std::string_view fallback = {});
std::int64_t int_or(const Value& value, std::string_view key, std::int64_t fallback = 0);
bool bool_or(const Value& value, std::string_view key, bool fallback = false);

template <class T>
Value encode(const T& from);
template <class T>
Result<void> decode_into(const Value& from, T& to, std::string_view path);

template <class T>
Result<T> decode(const Value& from) {
  T to{};
  TRY_OK(decode_into(from, to, ""));
  return to;
}

namespace detail {

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_string_map : std::false_type {};
template <class T>
struct is_string_map<std::map<std::string, T>> : std::true_type {};

template <class T>
concept Textual = requires(const T& value, std::string_view text) {
  { value.text() } -> std::same_as<std::string>;
  { T::parse(text) } -> std::same_as<Result<T>>;
};

template <class T>
constexpr bool kDescribed = boost::describe::has_describe_members<T>::value;

Result<void> wrong_type(std::string_view path, std::string_view wanted);
std::optional<std::int64_t> as_int(const Value& value);
std::optional<double> as_double(const Value& value);

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_any_access | boost::describe::mod_inherited>;

}  // namespace detail

template <class T>
Value encode(const T& from) {
  if constexpr (std::is_same_v<T, Value>) {
    return from;
  } else if constexpr (std::is_same_v<T, Time>) {
    return Value(format_rfc3339(from));
  } else if constexpr (std::is_same_v<T, bool>) {
    return Value(from);
  } else if constexpr (std::is_enum_v<T>) {
    return Value(static_cast<std::int64_t>(from));
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    return Value(static_cast<std::uint64_t>(from));
  } else if constexpr (std::is_integral_v<T>) {
    return Value(static_cast<std::int64_t>(from));
  } else if constexpr (std::is_floating_point_v<T>) {
    return Value(static_cast<double>(from));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return Value(boost::json::string(from));
  } else if constexpr (detail::Textual<T>) {
    return Value(boost::json::string(from.text()));
  } else if constexpr (detail::is_optional<T>::value) {
    return from ? encode(*from) : Value(nullptr);
  } else if constexpr (detail::is_vector<T>::value) {
    Array array;
    array.reserve(from.size());
    for (const auto& element : from) array.push_back(encode(element));
    return array;
  } else if constexpr (detail::is_string_map<T>::value) {
    Object object;
    for (const auto& [key, value] : from) object[key] = encode(value);
    return object;
  } else {
    static_assert(detail::kDescribed<T>, "give the struct a BOOST_DESCRIBE_STRUCT");
    Object object;
    boost::mp11::mp_for_each<detail::Members<T>>(
        [&](auto member) { object[member.name] = encode(from.*member.pointer); });
    return object;
  }
}

template <class T>
Result<void> decode_into(const Value& from, T& to, std::string_view path) {
  if constexpr (std::is_same_v<T, Value>) {
    to = from;
  } else if constexpr (std::is_same_v<T, Time>) {
    if (!from.is_string()) return detail::wrong_type(path, "time");
    TRY(to, parse_rfc3339(from.get_string()));
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_bool()) return detail::wrong_type(path, "bool");
    to = from.get_bool();
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    auto number = detail::as_int(from);
    if (!number) return detail::wrong_type(path, "integer");
    if constexpr (std::is_integral_v<T>)
      if (!std::in_range<T>(*number)) return detail::wrong_type(path, "integer in range");
    to = static_cast<T>(*number);
  } else if constexpr (std::is_floating_point_v<T>) {
    auto number = detail::as_double(from);
    if (!number) return detail::wrong_type(path, "number");
    to = static_cast<T>(*number);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) return detail::wrong_type(path, "string");
    to = std::string(from.get_string());
  } else if constexpr (detail::Textual<T>) {
    if (!from.is_string()) return detail::wrong_type(path, "string");
    TRY(to, annotate(T::parse(std::string_view(from.get_string())), "{}", path));
  } else if constexpr (detail::is_optional<T>::value) {
    if (from.is_null()) {
      to.reset();
    } else {
      TRY_OK(decode_into(from, to.emplace(), path));
    }
  } else if constexpr (detail::is_vector<T>::value) {
    if (!from.is_array()) return detail::wrong_type(path, "array");
    to.clear();
    for (const Value& element : from.get_array())
      TRY_OK(decode_into(element, to.emplace_back(), fmt::format("{}[{}]", path, to.size() - 1)));
  } else if constexpr (detail::is_string_map<T>::value) {
    if (!from.is_object()) return detail::wrong_type(path, "object");
    to.clear();
    for (const auto& [key, value] : from.get_object())
      TRY_OK(decode_into(value, to[std::string(key)], fmt::format("{}.{}", path, std::string_view(key))));
  } else {
    static_assert(detail::kDescribed<T>, "give the struct a BOOST_DESCRIBE_STRUCT");
    if (!from.is_object()) return detail::wrong_type(path, "object");
    const Object& object = from.get_object();
    Result<void> result;
    boost::mp11::mp_for_each<detail::Members<T>>([&](auto member) {
      if (!result) return;
      const Value* value = object.if_contains(member.name);
      if (value == nullptr || value->is_null()) return;
      std::string inner = path.empty() ? std::string(member.name) : fmt::format("{}.{}", path, member.name);
      result = decode_into(*value, to.*member.pointer, inner);
    });
    return result;
  }
  return {};
}

}  // namespace berth::json
