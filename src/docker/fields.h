// Reading a JSON object of a request field by field, so that nothing is ignored by accident: what was set and nobody
// took is refused by its name. Only beside the fields of a body itself Docker lets stand what its API does not know,
// and clients rely on it: dockerode and testcontainers send their own options along.
//
//   Fields host(body, "HostConfig");
//   spec.resources.memory = host.take<std::int64_t>("Memory");
//   host.drop({"ConsoleSize"});     // known, and without meaning here
//   TRY_OK(host.finish());          // the first wrong type, or the first field that is set and not supported
//
// Thread: a value used by one.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "base/json.h"

namespace berth::docker {

// null, false, 0, "", and arrays and objects that hold nothing else: what clients send for "not set".
bool is_unset(const json::Value& value);

class Fields {
 public:
  // object: null reads as {}. path: how errors name it. The value outlives the Fields.
  Fields(const json::Value& object, std::string path);
  Fields(const json::Value&& object, std::string path) = delete;

  // The member, or T{} when it is absent, null or of a wrong type (which finish() then tells).
  template <class T>
  T take(std::string_view key) {
    T to{};
    const json::Value* value = take_value(key);
    if (value != nullptr) note(json::decode_into(*value, to, path_of(key)));
    return to;
  }
  // The member as it is, or nullptr.
  const json::Value* take_value(std::string_view key);
  // A list of strings, for which Docker also takes one string.
  std::optional<std::vector<std::string>> take_words(std::string_view key);
  // The keys of an object such as {"80/tcp": {}}.
  std::vector<std::string> take_keys(std::string_view key);
  void drop(std::initializer_list<std::string_view> keys);
  // Keeps the first error.
  void note(Result<void> result);
  std::string path_of(std::string_view key) const;

  // Refuses whatever was set and not taken.
  Result<void> finish() const;
  // For a body itself: refuses of what was set and not taken only these, which Docker's API has and this engine has
  // not.
  Result<void> finish_body(std::initializer_list<std::string_view> refused = {}) const;

 private:
  bool is_left(std::string_view key, const json::Value& value) const {
    return !taken_.contains(key) && !is_unset(value);
  }
  std::unexpected<Error> unsupported(std::string_view key) const;

  const json::Object* object_ = nullptr;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
  Result<void> result_;
};

}  // namespace berth::docker
