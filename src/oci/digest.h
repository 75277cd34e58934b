// A content digest: "sha256:<64 hex digits>" (OCI image specification, descriptor.md).
//
// sha512 parses, so that a foreign reference can be shown; only sha256 can be verified and stored.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::oci {

class Digest {
 public:
  Digest() = default;  // no digest: empty() is true, text() is ""
  static Result<Digest> parse(std::string_view text);
  // From 64 lower-case hex digits that Berth made itself; anything else aborts.
  static Digest sha256(std::string_view hex);

  const std::string& text() const { return text_; }
  std::string_view algorithm() const { return std::string_view(text_).substr(0, text_.find(':')); }
  std::string_view hex() const {
    return empty() ? std::string_view() : std::string_view(text_).substr(text_.find(':') + 1);
  }
  // The first 12 hex digits: how Docker shows ids.
  std::string_view short_hex() const { return hex().substr(0, 12); }
  bool empty() const { return text_.empty(); }
  bool is_sha256() const { return algorithm() == "sha256"; }

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace berth::oci
