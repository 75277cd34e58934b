// Docker's multiplexed stream: frames of {kind, 0, 0, 0, length (big endian)} and that many bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth::docker {

enum class StreamKind : char { stdin_ = 0, stdout_ = 1, stderr_ = 2 };

inline std::string frame_header(StreamKind kind, std::size_t size) {
  auto byte = [size](int shift) { return static_cast<char>((size >> shift) & 0xff); };
  return {static_cast<char>(kind), 0, 0, 0, byte(24), byte(16), byte(8), byte(0)};
}

inline constexpr std::string_view stream_type(bool multiplexed) {
  return multiplexed ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";
}

}  // namespace berth::docker
