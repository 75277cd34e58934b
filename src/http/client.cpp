#include "http/client.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "http/detail/response_reader.h"

namespace berth::http {

namespace {

Result<void> send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t put = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("send a request");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

// More bytes into the reader; false at the end of the stream.
Result<bool> receive_some(int socket, detail::ResponseReader& reader) {
  std::array<char, 32 << 10> buffer;
  ssize_t got;
  do got = ::recv(socket, buffer.data(), buffer.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("receive an answer");
  reader.arrived(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  return got > 0;
}

Result<void> receive_head(int socket, detail::ResponseReader& reader) {
  for (;;) {
    TRY(bool ready, reader.head_ready());
    if (ready) return {};
    TRY(bool more, receive_some(socket, reader));
    if (!more) return fail(ErrorCode::io, "the server closed the connection without an answer");
  }
}

Result<void> send_streamed(int socket, const BodySource& source) {
  std::array<char, 64 << 10> buffer;
  for (;;) {
    TRY(std::size_t got, source(buffer));
    TRY_OK(send_all(socket, detail::print_chunk(std::string_view(buffer.data(), got))));
    if (got == 0) return {};
  }
}

bool peer_closed(const Error& error) { return error.errno_value() == EPIPE || error.errno_value() == ECONNRESET; }

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view text) {
  Endpoint endpoint;
  if (text.starts_with("unix://") || text.starts_with('/')) {
    endpoint.unix_path = text.starts_with('/') ? text : text.substr(7);
    if (endpoint.unix_path.empty()) return fail(ErrorCode::invalid, "no path in the address {}", text);
    return endpoint;
  }
  std::string_view rest = text;
  for (std::string_view scheme : {"tcp://", "http://"})
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::size_t colon = rest.rfind(':');
  auto port = parse_number<std::uint16_t>(colon == std::string_view::npos ? "" : rest.substr(colon + 1));
  if (rest.find("//") != std::string_view::npos || !port || *port == 0 || colon == 0)
    return fail(ErrorCode::invalid, "not an address: {} (want unix://PATH or tcp://HOST:PORT)", text);
  rest = rest.substr(0, colon);
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  endpoint.host = rest;
  endpoint.port = *port;
  return endpoint;
}

std::string Endpoint::host_field() const {
  if (!unix_path.empty()) return "localhost";
  bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

BlockingResponse::BlockingResponse(sys::UniqueFd fd, std::unique_ptr<detail::ResponseReader> reader)
    : head(std::move(reader->head())), fd_(std::move(fd)), reader_(std::move(reader)) {}
BlockingResponse::BlockingResponse(BlockingResponse&&) noexcept = default;
BlockingResponse& BlockingResponse::operator=(BlockingResponse&&) noexcept = default;
BlockingResponse::~BlockingResponse() = default;

Result<std::size_t> BlockingResponse::read_some(std::span<char> buffer) {
  for (;;) {
    TRY(std::size_t got, reader_->take_body(buffer));
    if (got > 0 || reader_->done()) return got;
    TRY(bool more, receive_some(fd_.get(), *reader_));
    if (!more) TRY_OK(reader_->ended());
  }
}

Result<std::string> BlockingResponse::read_all(std::size_t limit) {
  std::string body;
  TRY_OK(read_to([&](std::string_view bytes) -> Result<void> {
    if (body.size() + bytes.size() > limit) return fail(ErrorCode::exhausted, "answer too large");
    body += bytes;
    return {};
  }));
  return body;
}

Result<void> BlockingResponse::read_to(const std::function<Result<void>(std::string_view)>& sink) {
  std::array<char, 64 << 10> buffer;
  for (;;) {
    TRY(std::size_t got, read_some(buffer));
    if (got == 0) return {};
    TRY_OK(sink(std::string_view(buffer.data(), got)));
  }
}

TakenConnection BlockingResponse::take() { return {std::move(fd_), reader_->take_leftover()}; }
int BlockingResponse::fd() const { return fd_.get(); }
bool BlockingResponse::buffered() const { return reader_->has_body_bytes(); }

Result<BlockingResponse> BlockingClient::request(const ClientRequest& request) const {
  TRY(sys::UniqueFd socket, connect(endpoint_));
  auto reader = std::make_unique<detail::ResponseReader>(request.method == "HEAD");
  auto sent = send_all(socket.get(), detail::print_request(request, endpoint_, false) + request.body);
  if (!sent && !peer_closed(sent.error())) return std::unexpected(std::move(sent).error());
  TRY_OK(receive_head(socket.get(), *reader));
  return BlockingResponse(std::move(socket), std::move(reader));
}

Result<BlockingResponse> BlockingClient::request(const ClientRequest& request, const BodySource& source) const {
  TRY(sys::UniqueFd socket, connect(endpoint_));
  auto reader = std::make_unique<detail::ResponseReader>(request.method == "HEAD");
  TRY_OK(send_all(socket.get(), detail::print_request(request, endpoint_, true)));
  // A server that refuses early answers and closes its side: what it said is still there to be read.
  auto sent = send_streamed(socket.get(), source);
  if (!sent && !peer_closed(sent.error())) return std::unexpected(std::move(sent).error());
  TRY_OK(receive_head(socket.get(), *reader));
  return BlockingResponse(std::move(socket), std::move(reader));
}

BodySource body_from_fd(int fd) {
  return [fd](std::span<char> buffer) -> Result<std::size_t> {
    ssize_t got;
    do got = ::read(fd, buffer.data(), buffer.size());
    while (got < 0 && errno == EINTR);
    if (got < 0) return fail_errno("read");
    return static_cast<std::size_t>(got);
  };
}

}  // namespace berth::http
