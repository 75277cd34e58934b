// WebSocket (RFC 6455), the server's side: the handshake, and frames between a socket and a plain stream.
//
// Only what a byte stream in both directions needs: no extension, no subprotocol; text and binary messages of the
// client are bytes alike, and what goes to the client are binary messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/fd.h"
#include "base/error.h"
#include "http/exchange.h"

namespace berth::http {

// The answer to the client's key: base64(SHA-1(key + the RFC's constant)).
std::string websocket_accept(std::string_view key);

// A frame for the client. opcode: 2 binary, 8 close, 10 pong.
std::string websocket_frame(std::uint8_t opcode, std::string_view payload);

// Takes the client's frames apart. Pure; a frame of over kLargestFrame bytes, one that is not masked, and reserved bits
// or opcodes are `invalid`.
class WebSocketParser {
 public:
  static constexpr std::size_t kLargestFrame = 1 << 20;

  struct Frame {
    std::uint8_t opcode = 0;  // 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong
    std::string payload;
  };

  void feed(std::string_view bytes) { input_ += bytes; }
  // The next whole frame, or nothing yet.
  Result<std::optional<Frame>> next();

 private:
  std::string input_;
};

// Answers the handshake; `invalid` for a request that is none. From then on the connection is the caller's.
async::Task<Result<Hijacked>> accept_websocket(Exchange& exchange);

// Carries bytes between the client and a stream until either ends. leftover: what was read from the client already.
async::Task<> relay_websocket(async::Loop& loop, Hijacked client, sys::UniqueFd stream);

}  // namespace berth::http
