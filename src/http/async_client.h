// The HTTP client on the loop: the portal's way to its engine.
//
// Thread: the loop's. Every wait may be cancelled with its task (ErrorCode::cancelled).
#pragma once

#include <chrono>

#include "async/fd.h"
#include "http/client.h"

namespace berth::http {

// An answer whose body is yet to be read. Closes the connection when it goes.
class AsyncResponse {
 public:
  AsyncResponse(AsyncResponse&&) noexcept;
  AsyncResponse& operator=(AsyncResponse&&) noexcept;
  ~AsyncResponse();

  ResponseHead head;
  int status() const { return head.status; }

  // As BlockingResponse's.
  async::Task<Result<std::size_t>> read_some(std::span<char> buffer);
  async::Task<Result<std::string>> read_all(std::size_t limit = 64 << 20);
  TakenConnection take();

 private:
  friend class AsyncClient;
  AsyncResponse(async::Fd fd, std::unique_ptr<detail::ResponseReader> reader);
  async::Fd fd_;
  std::unique_ptr<detail::ResponseReader> reader_;
};

// Fills the buffer with the next bytes of a request's body; 0 ends it.
using AsyncBodySource = std::function<async::Task<Result<std::size_t>>(std::span<char>)>;

class AsyncClient {
 public:
  // timeout bounds connecting, sending a plain body, and waiting for the head of the answer; 0: none.
  AsyncClient(async::Loop& loop, Endpoint endpoint, std::chrono::milliseconds timeout = std::chrono::seconds(60))
      : loop_(loop), endpoint_(std::move(endpoint)), timeout_(timeout) {}

  // Sends and waits for the head of the answer. Any status is a success here.
  async::Task<Result<AsyncResponse>> request(ClientRequest request) const;
  // The same with a body from source, chunked; the timeout then counts from the end of the body.
  async::Task<Result<AsyncResponse>> request(ClientRequest request, AsyncBodySource source) const;

 private:
  async::Task<Result<AsyncResponse>> exchange(ClientRequest request, AsyncBodySource source) const;

  async::Loop& loop_;
  Endpoint endpoint_;
  std::chrono::milliseconds timeout_;
};

}  // namespace berth::http
