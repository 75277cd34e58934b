#include "oci/digest.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"

namespace berth::oci {

namespace {

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  auto [algorithm, hex] = split_once(text, ':');
  if (!hex) return fail(ErrorCode::invalid, "invalid checksum digest format");
  std::size_t digits = algorithm == "sha256" ? 64 : algorithm == "sha512" ? 128 : 0;
  if (digits == 0) return fail(ErrorCode::invalid, "unsupported digest algorithm");
  if (hex->size() != digits) return fail(ErrorCode::invalid, "invalid checksum digest length");
  if (!is_lower_hex(*hex)) return fail(ErrorCode::invalid, "invalid checksum digest format");
  return Digest(std::string(text));
}

Digest Digest::sha256(std::string_view hex) {
  if (hex.size() != 64 || !is_lower_hex(hex)) std::abort();
  return Digest("sha256:" + std::string(hex));
}

}  // namespace berth::oci
