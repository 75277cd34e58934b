#include "http/exchange.h"

#include <ctime>

#include "http/detail/connection.h"

namespace berth::http {

namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7).
std::string http_date() {
  std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text, length);
}

bool bodiless(int status) { return status / 100 == 1 || status == 204 || status == 304; }

}  // namespace

const Peer& Exchange::peer() const { return connection_.peer_; }
async::Loop& Exchange::loop() const { return connection_.loop(); }

std::optional<std::uint64_t> Exchange::content_length() const {
  return connection_.parser_->head_done() ? connection_.parser_->content_length() : std::nullopt;
}

bool Exchange::has_body() const {
  return connection_.parser_->chunked() || connection_.parser_->content_length().value_or(0) > 0;
}

async::Task<Result<std::size_t>> Exchange::read_some(std::span<char> buffer) {
  return connection_.read_body_some(buffer);
}

async::Task<Result<std::string>> Exchange::read_body() {
  std::string body;
  std::string piece(64 << 10, '\0');
  for (;;) {
    CO_TRY(std::size_t got, co_await read_some(piece));
    if (got == 0) co_return body;
    body.append(piece, 0, got);
  }
}

async::Task<Result<json::Value>> Exchange::read_json() {
  CO_TRY(std::string body, co_await read_body());
  if (body.empty()) co_return json::Value(nullptr);
  co_return json::parse(body);
}

async::Task<Result<void>> Exchange::send_head(ResponseHead head, std::string body) {
  if (answered_) co_return fail(ErrorCode::internal, "the request has been answered before");
  answered_ = true;
  status_ = head.status;
  for (const Headers* extra : {&connection_.server_headers(), static_cast<const Headers*>(&extra_)})
    for (const auto& [name, value] : *extra)
      if (!head.headers.has(name)) head.headers.add(name, value);
  head.headers.set("Date", http_date());
  bool keep = connection_.parser_->head_done() && connection_.parser_->keep_alive() && request.head.version == 11;
  if (!keep && !head.headers.has("Connection")) head.headers.set("Connection", "close");
  co_return co_await connection_.send(print(head) + body);
}

async::Task<Result<void>> Exchange::respond(int status, std::string body, std::string type) {
  ResponseHead head{.status = status};
  if (!type.empty()) head.headers.set("Content-Type", std::move(type));
  if (!bodiless(status)) head.headers.set("Content-Length", std::to_string(body.size()));
  if (bodiless(status) || request.method() == "HEAD") body.clear();
  co_return co_await send_head(std::move(head), std::move(body));
}

async::Task<Result<void>> Exchange::respond_json(int status, json::Value value) {
  return respond(status, json::print(value) + "\n", "application/json");
}

async::Task<Result<void>> Exchange::respond_text(int status, std::string text) {
  return respond(status, std::move(text), "text/plain; charset=utf-8");
}

async::Task<Result<void>> Exchange::respond_empty(int status) { return respond(status, "", ""); }

async::Task<Result<void>> Exchange::respond_error(Error error) {
  int status = http_status(error.code());
  if (connection_.body_too_large_) status = 413;
  if (error.code() == ErrorCode::exhausted && !connection_.parser_->head_done()) status = 431;
  if (error.code() == ErrorCode::unsupported && error.message() == "method not allowed") status = 405;
  if (bodiless(status)) return respond_empty(status);
  json::Object object;
  object["message"] = error.text();
  return respond_json(status, std::move(object));
}

async::Task<Result<void>> Exchange::start_stream(int status, std::string type) {
  ResponseHead head{.status = status};
  if (!type.empty()) head.headers.set("Content-Type", std::move(type));
  streaming_ = true;
  chunked_ = request.head.version == 11;
  if (chunked_) head.headers.set("Transfer-Encoding", "chunked");
  co_return co_await send_head(std::move(head), "");
}

async::Task<Result<void>> Exchange::write(std::string_view bytes) {
  if (!streaming_ || finished_) co_return fail(ErrorCode::internal, "write outside a stream");
  if (connection_.gone_.is_set()) co_return fail(ErrorCode::cancelled, "the client has left");
  if (bytes.empty() || request.method() == "HEAD") co_return Result<void>();
  std::string out;
  if (!chunked_) {
    out = bytes;
  } else {
    out.reserve(bytes.size() + 20);
    fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
    out.append(bytes).append("\r\n");
  }
  co_return co_await connection_.send(std::move(out));
}

async::Task<Result<void>> Exchange::finish() {
  if (!streaming_ || finished_) co_return fail(ErrorCode::internal, "end of a stream that is none");
  finished_ = true;
  if (!chunked_ || request.method() == "HEAD") co_return Result<void>();
  co_return co_await connection_.send("0\r\n\r\n");
}

async::Task<Result<Hijacked>> Exchange::hijack(std::string type) {
  bool wanted = request.headers().has_token("Connection", "upgrade") && request.headers().has("Upgrade");
  ResponseHead head{.status = wanted ? 101 : 200, .reason = wanted ? "UPGRADED" : "OK"};
  head.headers.set("Content-Type", std::move(type));
  if (wanted) {
    head.headers.set("Connection", "Upgrade");
    head.headers.set("Upgrade", "tcp");
  } else {
    head.headers.set("Connection", "close");
  }
  return upgrade(std::move(head));
}

async::Task<Result<Hijacked>> Exchange::upgrade(ResponseHead head) {
  if (!connection_.parser_->done()) co_return fail(ErrorCode::invalid, "a request to upgrade must not have a body");
  co_await connection_.stop_watching();
  if (connection_.gone_.is_set()) co_return fail(ErrorCode::cancelled, "the client has left");
  CO_TRY_OK(co_await send_head(std::move(head), ""));
  connection_.hijacked_ = true;
  connection_.deadline_.clear();
  co_return Hijacked{connection_.fd_.release(), std::move(connection_.input_)};
}

bool Exchange::client_gone() const { return connection_.gone_.is_set(); }
async::Task<> Exchange::wait_gone() { return connection_.gone_.wait(); }

}  // namespace berth::http
