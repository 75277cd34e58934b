// Docker's frames of several streams in one: eight bytes (stream, 0, 0, 0, length as big-endian 32 bits), then the
// bytes. Attach and logs use them when the container has no terminal (Docker Engine API, "Attach to a container").
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::cli {

enum class StreamKind : std::uint8_t { in = 0, out = 1, err = 2, system_error = 3 };

class Demux {
 public:
  using Sink = std::function<Result<void>(StreamKind, std::string_view)>;

  // Takes the next bytes, cut anywhere, and passes on what is payload, as it comes. An unknown stream is an `io` error;
  // so is a message of the daemon itself (system_error), whose text it has.
  Result<void> feed(std::string_view bytes, const Sink& sink);
  // False within a frame: then the connection was cut.
  bool at_boundary() const { return have_ == 0 && left_ == 0; }

 private:
  std::array<unsigned char, 8> head_{};
  std::size_t have_ = 0;  // bytes of the head that are there
  std::size_t left_ = 0;  // bytes of the payload that are to come
  std::string daemon_text_;
};

}  // namespace berth::cli
