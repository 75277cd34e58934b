// SHA-256 without a library: the berth command, which starts for every word typed, must not load OpenSSL for one hash
// of a few kilobytes. What hashes gigabytes uses fs/digest.h.
//
// Source: FIPS 180-4, sections 5 and 6.2.
#pragma once

#include <string>
#include <string_view>

namespace berth::compose {

// 64 lower-case hex digits.
std::string sha256_text(std::string_view bytes);

}  // namespace berth::compose
