#include "http/async_client.h"

#include <array>

#include "async/deadline.h"
#include "http/detail/response_reader.h"

namespace berth::http {

namespace {

// More bytes into the reader; false at the end of the stream. The caller keeps fd and reader until this has ended.
async::Task<Result<bool>> receive_some(async::Fd& fd, detail::ResponseReader& reader) {
  std::string buffer(32 << 10, '\0');
  CO_TRY(std::size_t got, co_await fd.read_some(buffer));
  reader.arrived(std::string_view(buffer).substr(0, got));
  co_return got > 0;
}

async::Task<Result<void>> receive_head(async::Fd& fd, detail::ResponseReader& reader) {
  for (;;) {
    CO_TRY(bool ready, reader.head_ready());
    if (ready) co_return Result<void>();
    CO_TRY(bool more, co_await receive_some(fd, reader));
    if (!more) co_return fail(ErrorCode::io, "the server closed the connection without an answer");
  }
}

async::Task<Result<void>> send_streamed(async::Fd& fd, AsyncBodySource source) {
  std::string buffer(64 << 10, '\0');
  for (;;) {
    CO_TRY(std::size_t got, co_await source(buffer));
    std::string chunk = detail::print_chunk(std::string_view(buffer).substr(0, got));
    CO_TRY_OK(co_await fd.write_all(chunk));
    if (got == 0) co_return Result<void>();
  }
}

bool peer_closed(const Error& error) { return error.errno_value() == EPIPE || error.errno_value() == ECONNRESET; }

}  // namespace

AsyncResponse::AsyncResponse(async::Fd fd, std::unique_ptr<detail::ResponseReader> reader)
    : head(std::move(reader->head())), fd_(std::move(fd)), reader_(std::move(reader)) {}
AsyncResponse::AsyncResponse(AsyncResponse&&) noexcept = default;
AsyncResponse& AsyncResponse::operator=(AsyncResponse&&) noexcept = default;
AsyncResponse::~AsyncResponse() = default;

async::Task<Result<std::size_t>> AsyncResponse::read_some(std::span<char> buffer) {
  for (;;) {
    CO_TRY(std::size_t got, reader_->take_body(buffer));
    if (got > 0 || reader_->done()) co_return got;
    CO_TRY(bool more, co_await receive_some(fd_, *reader_));
    if (!more) CO_TRY_OK(reader_->ended());
  }
}

async::Task<Result<std::string>> AsyncResponse::read_all(std::size_t limit) {
  std::string body;
  std::string buffer(32 << 10, '\0');
  for (;;) {
    CO_TRY(std::size_t got, co_await read_some(buffer));
    if (got == 0) co_return body;
    if (body.size() + got > limit) co_return fail(ErrorCode::exhausted, "answer too large");
    body.append(buffer, 0, got);
  }
}

TakenConnection AsyncResponse::take() { return {fd_.release(), reader_->take_leftover()}; }

async::Task<Result<AsyncResponse>> AsyncClient::request(ClientRequest request) const {
  return exchange(std::move(request), {});
}

async::Task<Result<AsyncResponse>> AsyncClient::request(ClientRequest request, AsyncBodySource source) const {
  return exchange(std::move(request), std::move(source));
}

async::Task<Result<AsyncResponse>> AsyncClient::exchange(ClientRequest request, AsyncBodySource source) const {
  // Copies: the client itself may go while the request runs.
  async::Loop& loop = loop_;
  Endpoint endpoint = endpoint_;
  std::chrono::milliseconds timeout = timeout_;
  // connect(2) to a listening unix socket does not wait unless its queue is full; TCP may, and so may a name look-up.
  CO_TRY(sys::UniqueFd socket, co_await loop.blocking([endpoint] { return connect(endpoint); }));
  async::Fd fd(loop, std::move(socket));
  async::Deadline deadline(loop, fd.get());
  auto reader = std::make_unique<detail::ResponseReader>(request.method == "HEAD");
  bool streamed = source != nullptr;
  if (!streamed) deadline.set(timeout);
  std::string head = detail::print_request(request, endpoint, streamed) + (streamed ? "" : request.body);
  Result<void> sent = co_await fd.write_all(head);
  if (sent && streamed) sent = co_await send_streamed(fd, std::move(source));
  if (!sent && !peer_closed(sent.error())) co_return std::unexpected(std::move(sent).error());
  deadline.set(timeout);
  Result<void> answered = co_await receive_head(fd, *reader);
  deadline.clear();
  if (deadline.passed()) co_return fail(ErrorCode::timeout, "no answer from {} in time", endpoint.host_field());
  if (!answered) co_return std::unexpected(std::move(answered).error());
  co_return AsyncResponse(std::move(fd), std::move(reader));
}

}  // namespace berth::http
