// HTTP/1.1 clients for Berth's own daemons: over a unix socket, TCP to a host and port, or a program that leads there
// (ssh, berth-tls). One connection serves one request; there are no redirects or proxies (what goes out to the world
// uses libcurl).
//
// BlockingClient is for the command line: plain descriptors, no loop, fast to start. AsyncClient is for the portal.
// Both give the answer's head first; the body is read by the caller or the connection taken over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "sys/unique_fd.h"

namespace berth::http {

// Where a daemon listens.
struct Endpoint {
  std::string unix_path;  // set: a unix socket
  std::string host;       // else TCP
  std::uint16_t port = 0;
  // Set: a program that leads to the daemon; each connection is one run of it with a socket as its standard input and
  // output (ssh, berth-tls). Its complaints go to this process's standard error.
  std::vector<std::string> command;

  // "unix:///run/berth/engine.sock", "tcp://127.0.0.1:2375", "http://127.0.0.1:8080"; a bare path is a unix socket.
  static Result<Endpoint> parse(std::string_view text);
  // What goes into the Host field.
  std::string host_field() const;
};

// A connected stream socket, blocking.
Result<sys::UniqueFd> connect(const Endpoint& endpoint);

// What to send. The clients add Host, Content-Length or Transfer-Encoding, and Connection.
struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, escaped
  Headers headers;
  std::string body;      // sent when it is not empty, or when the method is POST, PUT or PATCH and nothing is streamed
  bool upgrade = false;  // asks for "Upgrade: tcp", which attach and exec use
};

// What a streamed connection is after the answer's head: the socket (blocking) and the bytes already read.
struct TakenConnection {
  sys::UniqueFd fd;
  std::string leftover;
};

namespace detail {
class ResponseReader;
}

// An answer whose body is yet to be read. Closes the connection when it goes.
class BlockingResponse {
 public:
  BlockingResponse(BlockingResponse&&) noexcept;
  BlockingResponse& operator=(BlockingResponse&&) noexcept;
  ~BlockingResponse();

  ResponseHead head;
  int status() const { return head.status; }

  // The next bytes of the body as they arrive; 0 at its end. A connection cut within a body is an io error.
  Result<std::size_t> read_some(std::span<char> buffer);
  // The whole body; more than limit bytes is `exhausted`.
  Result<std::string> read_all(std::size_t limit = 64 << 20);
  // Passes the body on piece by piece until it ends or sink fails.
  Result<void> read_to(const std::function<Result<void>(std::string_view)>& sink);
  // Takes the connection over, after a 101, or a 200 to attach or exec.
  TakenConnection take();
  // For poll(2) beside other descriptors. Readable only tells of new bytes: see buffered() too.
  int fd() const;
  bool buffered() const;

 private:
  friend class BlockingClient;
  BlockingResponse(sys::UniqueFd fd, std::unique_ptr<detail::ResponseReader> reader);
  sys::UniqueFd fd_;
  std::unique_ptr<detail::ResponseReader> reader_;
};

// Fills the buffer with the next bytes of a request's body; 0 ends it.
using BodySource = std::function<Result<std::size_t>(std::span<char>)>;

// Thread: any; a call blocks. SIGPIPE is not raised.
class BlockingClient {
 public:
  explicit BlockingClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  // Sends and waits for the head of the answer. Any status is a success here. An endpoint that cannot be connected to
  // gives an error with the errno of connect(2).
  Result<BlockingResponse> request(const ClientRequest& request) const;
  // The same with a body from source, chunked. A server that answers before it has read everything is heard.
  Result<BlockingResponse> request(const ClientRequest& request, const BodySource& source) const;

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  Endpoint endpoint_;
};

// A body from a descriptor, to its end.
BodySource body_from_fd(int fd);

}  // namespace berth::http
