// Incremental parsing of HTTP/1.1 messages over Beast's parser, without any I/O: bytes go in, the head and pieces of
// the body come out.
//
// Thread: one at a time; no shared state.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace berth::http::detail {

enum class MessageKind { request, response };

// One message. It is fed from a buffer that the caller keeps: what was not consumed comes again, longer.
class Parser {
 public:
  // header_limit in bytes. bodiless: there is no body whatever the fields say (the answer to HEAD).
  Parser(MessageKind kind, std::size_t header_limit, bool bodiless = false);
  ~Parser();
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;

  // Consumes what it can and returns how many bytes that were; body bytes are appended to body. Stops after the head
  // and at the end of the message, so bytes of the next message are never consumed. `invalid` for a malformed message,
  // `exhausted` when a limit is passed.
  Result<std::size_t> feed(std::string_view bytes, std::string& body);
  // The stream has ended. An error when the message has not.
  Result<void> feed_end();

  bool head_done() const;
  bool done() const;
  // Beyond it feed() answers `exhausted`. Counts from the start of the body.
  void set_body_limit(std::uint64_t bytes);
  std::optional<std::uint64_t> content_length() const;
  bool chunked() const;
  bool keep_alive() const;

  // Meaningful when head_done().
  RequestHead& request();
  ResponseHead& response();

 private:
  struct Impl;
  template <bool kIsRequest>
  class BeastParser;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::http::detail
