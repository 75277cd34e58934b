#include "docker/fields.h"

#include <algorithm>

namespace berth::docker {

bool is_unset(const json::Value& value) {
  if (value.is_null()) return true;
  if (value.is_bool()) return !value.get_bool();
  if (value.is_string()) return value.get_string().empty();
  if (value.is_array()) return std::ranges::all_of(value.get_array(), is_unset);
  if (value.is_object())
    return std::ranges::all_of(value.get_object(), [](const auto& member) { return is_unset(member.value()); });
  return json::detail::as_double(value).value_or(1) == 0;
}

Fields::Fields(const json::Value& object, std::string path) : path_(std::move(path)) {
  if (object.is_object())
    object_ = &object.get_object();
  else if (!object.is_null())
    result_ = json::detail::wrong_type(path_, "object");
}

std::string Fields::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const json::Value* Fields::take_value(std::string_view key) {
  taken_.emplace(key);
  if (object_ == nullptr) return nullptr;
  const json::Value* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::vector<std::string>> Fields::take_words(std::string_view key) {
  const json::Value* value = take_value(key);
  if (value == nullptr) return {};
  if (value->is_string()) return std::vector{std::string(value->get_string())};
  std::vector<std::string> words;
  note(json::decode_into(*value, words, path_of(key)));
  return words;
}

std::vector<std::string> Fields::take_keys(std::string_view key) {
  std::vector<std::string> keys;
  const json::Value* value = take_value(key);
  if (value == nullptr) return keys;
  if (!value->is_object()) {
    note(json::detail::wrong_type(path_of(key), "object"));
    return keys;
  }
  for (const auto& member : value->get_object()) keys.emplace_back(member.key());
  return keys;
}

void Fields::drop(std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) taken_.emplace(key);
}

void Fields::note(Result<void> result) {
  if (result_ && !result) result_ = std::move(result);
}

std::unexpected<Error> Fields::unsupported(std::string_view key) const {
  return fail(ErrorCode::invalid, "{} is not supported by this engine", path_of(key));
}

Result<void> Fields::finish() const {
  if (!result_ || object_ == nullptr) return result_;
  for (const auto& member : *object_)
    if (is_left(member.key(), member.value())) return unsupported(member.key());
  return {};
}

Result<void> Fields::finish_body(std::initializer_list<std::string_view> refused) const {
  if (!result_ || object_ == nullptr) return result_;
  for (std::string_view key : refused)
    if (const json::Value* value = object_->if_contains(key); value != nullptr && is_left(key, *value))
      return unsupported(key);
  return {};
}

}  // namespace berth::docker
