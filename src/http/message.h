// What an HTTP message consists of, for server and clients alike: header fields, the target's path and query, and the
// heads of requests and responses (RFC 9110, RFC 9112).
//
// Thread: values, free of shared state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace berth::http {

// Header fields in the order in which they came; names compare without case; a name may be there several times.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  // The first field of this name, or nullptr.
  const std::string* find(std::string_view name) const;
  std::string_view get(std::string_view name, std::string_view fallback = {}) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Whether a comma-separated list field (Connection, Upgrade) names this token.
  bool has_token(std::string_view name, std::string_view token) const;
  void add(std::string name, std::string value);
  // Replaces all fields of this name.
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Decoded parameters of a query string, in order; a key may be there several times.
class Query {
 public:
  // "a=1&b=x%20y&a=2"; '+' is a blank; parts that cannot be decoded are kept as they are.
  static Query parse(std::string_view text);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const std::string* find(std::string_view key) const;
  std::string get(std::string_view key, std::string_view fallback = {}) const;
  std::vector<std::string> all(std::string_view key) const;
  // Docker's truth: absent, "", "0", "no", "false" and "none" are false, everything else is true.
  bool truth(std::string_view key, bool fallback = false) const;
  void add(std::string key, std::string value) { items_.emplace_back(std::move(key), std::move(value)); }
  bool empty() const { return items_.empty(); }
  // "a=1&b=x%20y", for a request of one's own.
  std::string print() const;

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// "%2F" -> "/"; nothing when an escape is broken or a NUL comes out.
std::optional<std::string> percent_decode(std::string_view text);
// Everything but letters, digits and "-._~" is escaped: fit for one path segment or a query value.
std::string percent_encode(std::string_view text);

struct RequestHead {
  std::string method = "GET";
  std::string target = "/";  // path and query as on the wire
  Headers headers;
  int version = 11;  // 10 or 11

  std::string_view path() const;   // undecoded
  std::string_view query() const;  // undecoded, without '?'
};

struct ResponseHead {
  int status = 200;
  std::string reason;  // empty: the usual words of the status
  Headers headers;
  int version = 11;
};

// "Not Found" for 404; "Unknown" for a status that has no words.
std::string_view reason_of(int status);

// The bytes of a head up to and with the empty line. A field whose name or value holds a control character (CR, LF,
// NUL) is left out: whatever a handler puts into a field, it cannot split the message.
std::string print(const RequestHead& head);
std::string print(const ResponseHead& head);

}  // namespace berth::http
