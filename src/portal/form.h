// What a client sent to create or change a workspace, whatever it came as: multipart/form-data (curl -F, browsers),
// application/x-www-form-urlencoded (curl -d) or JSON.
//
// The bodies are hostile input: sizes and counts are bounded, and a body that is not exactly right is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workspace/problem.h"

namespace berth::portal {

using workspace::Outcome;

inline constexpr std::size_t kMaxFormBytes = 256 << 10;  // of a whole body
inline constexpr std::size_t kMaxFields = 32;
inline constexpr std::size_t kMaxFieldName = 64;      // bytes
inline constexpr std::size_t kMaxPartHeaders = 4096;  // bytes, of one part

class Form {
 public:
  // Picks the format by Content-Type: JSON when there is none. bad_request when the body is not of the format.
  static Outcome<Form> parse(std::string_view content_type, std::string_view body);
  // RFC 7578; the transfer encodings that it deprecates are refused.
  static Outcome<Form> parse_multipart(std::string_view boundary, std::string_view body);
  static Outcome<Form> parse_urlencoded(std::string_view body);
  // One object; its members are strings, numbers, booleans or null.
  static Outcome<Form> parse_json(std::string_view body);

  // The field's value without surrounding white space; empty when it is absent. A field that is there more than once is
  // joined by newlines, as several key files are.
  std::string get(std::string_view name) const;
  bool has(std::string_view name) const;
  // The first field that is not one of these.
  std::optional<std::string> first_unknown(const std::vector<std::string_view>& known) const;

 private:
  Outcome<> add(std::string_view name, std::string_view value);

  std::vector<std::pair<std::string, std::string>> fields_;
};

// The value of a parameter of a header field: boundary in `multipart/form-data; boundary="x"` (RFC 9110 section 5.6.6).
std::optional<std::string> header_parameter(std::string_view field, std::string_view name);

}  // namespace berth::portal
