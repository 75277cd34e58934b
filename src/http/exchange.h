// One request and its answer, as a handler sees them.
//
// A handler is a coroutine Task<Result<void>>(Exchange&). The server owns the Exchange and keeps it until the handler
// has ended, so the reference is good across every co_await. An error that a handler returns before it has answered
// becomes {"message": "..."} with the status of its code; afterwards it only ends the connection. A handler that
// returns success without an answer is a bug and gives 500.
//
// Thread: the loop's. One call at a time, except client_gone() and wait_gone().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "async/loop.h"
#include "base/json.h"
#include "http/message.h"
#include "sys/unique_fd.h"
#include "sys/unix_socket.h"

namespace berth::http {

class Connection;

// Who is at the other end, and what the listener stands for.
struct Peer {
  int access = 0;                                   // the listener's access class; the server gives it no meaning
  std::optional<sys::PeerCredentials> credentials;  // of a unix socket
  std::string address;                              // "203.0.113.5:40112", "[::1]:40112", "unix"
};

struct Request {
  RequestHead head;
  std::string path;                           // decoded, without the version prefix
  std::map<std::string, std::string> params;  // what the route's pattern caught, decoded
  Query query;
  std::string api_version;  // "1.43" of a /v1.43 prefix, or empty
  std::string route;        // the pattern of the route, "GET /containers/{id}/json"

  const std::string& method() const { return head.method; }
  const Headers& headers() const { return head.headers; }
  // A parameter that the pattern names: its absence is a bug.
  const std::string& param(const std::string& name) const { return params.at(name); }
};

// A connection that has left HTTP: the socket, blocking and the taker's to close, and what had been read from it
// beyond the request.
struct Hijacked {
  sys::UniqueFd fd;
  std::string leftover;
};

class Exchange {
 public:
  explicit Exchange(Connection& connection) : connection_(connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Request request;

  const Peer& peer() const;
  async::Loop& loop() const;

  // --- the body -------------------------------------------------------------------------------------------------
  // The announced length, if there is one.
  std::optional<std::uint64_t> content_length() const;
  // Whether the request has a body at all.
  bool has_body() const;
  // The next bytes of the body; 0 at its end. `exhausted` (answered as 413) beyond the route's limit, `cancelled` when
  // the client has gone.
  async::Task<Result<std::size_t>> read_some(std::span<char> buffer);
  // The whole body, which the route's limit bounds.
  async::Task<Result<std::string>> read_body();
  // The whole body as JSON; an empty body is null.
  async::Task<Result<json::Value>> read_json();

  // --- the answer: exactly one of these ------------------------------------------------------------------------
  // Added to whatever answer follows.
  void set_header(std::string_view name, std::string value) { extra_.set(name, std::move(value)); }
  // body with Content-Length; HEAD, 204 and 304 send none. type: Content-Type, none when empty.
  async::Task<Result<void>> respond(int status, std::string body, std::string type);
  // Compact JSON and a newline, as Docker's encoder writes it.
  async::Task<Result<void>> respond_json(int status, json::Value value);
  async::Task<Result<void>> respond_text(int status, std::string text);
  async::Task<Result<void>> respond_empty(int status);
  async::Task<Result<void>> respond_error(Error error);
  // Sends the head at once and leaves the body to write() (chunked; for an HTTP/1.0 client, until the connection ends).
  async::Task<Result<void>> start_stream(int status, std::string type);
  // Sends bytes now and returns when the kernel has taken them: this is the backpressure. bytes must live until then.
  // `cancelled` or `io` when the client has gone.
  async::Task<Result<void>> write(std::string_view bytes);
  // Ends the stream; done by the server when the handler returns success without it.
  async::Task<Result<void>> finish();
  // Leaves HTTP as Docker does for attach and exec: 101 UPGRADED with "Upgrade: tcp" when the client asked to upgrade,
  // else 200; then the connection is the caller's.
  async::Task<Result<Hijacked>> hijack(std::string type = "application/vnd.docker.raw-stream");
  // Leaves HTTP with a 101 of one's own making (WebSocket and the like).
  async::Task<Result<Hijacked>> upgrade(ResponseHead head);

  bool answered() const { return answered_; }
  int status() const { return status_; }

  // --- the client's going away ---------------------------------------------------------------------------------
  // Noticed while a handler runs, once the request's body has been read. A route with OnGone::cancel has its handler
  // cancelled by it.
  bool client_gone() const;
  // Returns when the client has gone, or when the waiting task is cancelled.
  async::Task<> wait_gone();

 private:
  friend class Connection;
  async::Task<Result<void>> send_head(ResponseHead head, std::string body);

  Connection& connection_;
  Headers extra_;
  bool answered_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool finished_ = false;
  int status_ = 0;
};

}  // namespace berth::http
