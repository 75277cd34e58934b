// Reading an answer: what both clients share. Bytes go in as they arrive; the head, then pieces of the body come out.
//
// Thread: one at a time.
#pragma once

#include <span>
#include <string>

#include "http/client.h"
#include "http/detail/parser.h"

namespace berth::http::detail {

class ResponseReader {
 public:
  // bodiless: the answer to HEAD.
  explicit ResponseReader(bool bodiless);

  // Parses what has arrived; true when the head of the final answer is there (interim 1xx ones are skipped).
  Result<bool> head_ready();
  // Moves body bytes out; 0 with done() false means that more must arrive.
  Result<std::size_t> take_body(std::span<char> buffer);
  bool has_body_bytes() const { return body_read_ < body_.size() || !input_.empty(); }
  bool done() const { return parser_.done() && body_read_ == body_.size(); }
  ResponseHead& head() { return parser_.response(); }

  void arrived(std::string_view bytes) { input_.append(bytes); }
  // The connection has ended: an error when the answer had not.
  Result<void> ended();
  // What arrived after the head, for a connection that is taken over.
  std::string take_leftover();

 private:
  bool bodiless_;
  Parser parser_;
  std::string input_;
  std::string body_;
  std::size_t body_read_ = 0;
};

// The head on the wire. streamed: a chunked body follows.
std::string print_request(const ClientRequest& request, const Endpoint& endpoint, bool streamed);
// One chunk; an empty one ends the body.
std::string print_chunk(std::string_view bytes);

}  // namespace berth::http::detail
