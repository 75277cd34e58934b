#include "http/detail/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"

namespace berth::http {

namespace {

constexpr std::size_t kReadSize = 64 << 10;
// What a client may send ahead while its request is handled; more stays in the kernel.
constexpr std::size_t kReadAhead = 64 << 10;
// How much of a body that no handler wanted is read for the sake of the next request on the connection.
constexpr std::size_t kDrainLimit = 256 << 10;
constexpr std::chrono::seconds kLingerTime{5};

}  // namespace

Connection::Connection(Server& server, sys::UniqueFd socket, Peer peer)
    : server_(server),
      fd_(server.loop_, std::move(socket)),
      peer_(std::move(peer)),
      deadline_(server.loop_, fd_.get()),
      gone_(server.loop_),
      serving_(server.loop_),
      watching_(server.loop_) {}

async::Task<> Connection::run() {
  serving_.spawn("http connection", serve());
  co_await serving_.join();
}

void Connection::abort() {
  aborted_ = true;
  gone_.set();
  if (!hijacked_) ::shutdown(fd_.get(), SHUT_RDWR);
  serving_.cancel();
}

void Connection::retire() {
  retired_ = true;
  if (hijacked_ || !handling_ || on_gone_ == OnGone::cancel) abort();
}

async::Task<> Connection::serve() {
  while (!aborted_ && !retired_ && co_await serve_one()) {
  }
  co_await stop_watching();
  deadline_.clear();
  if (!hijacked_) fd_.close();
}

// Whether the connection goes on.
async::Task<bool> Connection::serve_one() {
  parser_.emplace(detail::MessageKind::request, server_.limits_.max_header_bytes);
  body_.clear();
  body_read_ = 0;
  body_too_large_ = false;
  on_gone_ = OnGone::finish;
  Result<void> head = co_await read_head();
  if (!head && head.error().code() == ErrorCode::cancelled) co_return false;

  Exchange exchange(*this);
  Result<void> result = head;
  if (head) {
    exchange.request.head = std::move(parser_->request());
    expects_continue_ = exchange.request.headers().has_token("Expect", "100-continue");
    result = co_await dispatch(exchange);
  }
  bool answered = (co_await conclude(exchange, std::move(result))).has_value();
  co_await stop_watching();
  if (hijacked_ || aborted_ || gone_.is_set() || !answered) co_return false;
  bool reusable = head && parser_->keep_alive() && parser_->request().version == 11 && co_await drain();
  if (!reusable) co_await linger();
  co_return reusable;
}

// `cancelled` when there is no request to answer: the client has left or kept silent.
async::Task<Result<void>> Connection::read_head() {
  if (input_.empty()) {
    input_.shrink_to_fit();
    deadline_.set(server_.limits_.idle_timeout);
    CO_TRY_OK(co_await fd_.readable());
  }
  deadline_.set(server_.limits_.header_timeout);
  while (!parser_->head_done()) {
    if (!input_.empty()) {
      CO_TRY(std::size_t used, parser_->feed(input_, body_));
      input_.erase(0, used);
      if (parser_->head_done()) break;
    }
    auto got = co_await fill();
    if (!got || *got == 0) {
      bool late = deadline_.passed() && !input_.empty();
      if (late) log::debug("request head came too slowly", {{"peer", peer_.address}});
      co_return fail(ErrorCode::cancelled, "the client has left");
    }
  }
  deadline_.clear();
  const Headers& headers = parser_->request().headers;
  // Beast takes a body in an encoding other than chunked for none, which would make its bytes the next request.
  if (headers.has("Transfer-Encoding") && (!parser_->chunked() || parser_->request().version == 10))
    co_return fail(ErrorCode::invalid, "unsupported transfer encoding");
  co_return Result<void>();
}

async::Task<Result<void>> Connection::dispatch(Exchange& exchange) {
  CO_TRY(const Router::Route* route, server_.router_.match(exchange.request));
  CO_TRY_OK(server_.router_.admit(exchange));
  on_gone_ = route->options.on_gone;
  parser_->set_body_limit(route->options.body_limit);
  handling_ = true;
  if (parser_->done()) start_watching();
  co_return co_await call(*route, exchange);
}

async::Task<Result<void>> Connection::call(const Router::Route& route, Exchange& exchange) {
  std::string thrown;
  try {
    co_return co_await route.handler(exchange);
  } catch (const std::exception& exception) {
    thrown = exception.what();
  }
  log::error("request handler failed", {{"route", exchange.request.route}, {"error", thrown}});
  co_return fail(ErrorCode::internal, "internal error: {}", thrown);
}

// Sees to it that the request has a whole answer; an error means that the connection is of no further use.
async::Task<Result<void>> Connection::conclude(Exchange& exchange, Result<void> result) {
  if (hijacked_) co_return result;
  if (!exchange.answered()) {
    if (result) result = fail(ErrorCode::internal, "internal error: no answer to {}", exchange.request.route);
    co_return co_await exchange.respond_error(std::move(result).error());
  }
  if (!result) {
    log::debug("request ended early", {{"route", exchange.request.route}, {"error", result.error().text()}});
    co_return result;
  }
  if (exchange.streaming_ && !exchange.finished_) co_return co_await exchange.finish();
  co_return result;
}

// Reads what is left of the request's body; false when that is too much.
async::Task<bool> Connection::drain() {
  if (body_too_large_ || (expects_continue_ && !parser_->done())) co_return false;
  std::string sink(16 << 10, '\0');
  for (std::size_t total = 0; total < kDrainLimit;) {
    auto got = co_await read_body_some(sink);
    if (!got) co_return false;
    if (*got == 0) co_return true;
    total += *got;
  }
  co_return false;
}

// Closing a socket with unread input resets it and may take the answer along: so the client gets a while to read the
// answer and to close first.
async::Task<> Connection::linger() {
  ::shutdown(fd_.get(), SHUT_WR);
  deadline_.set(kLingerTime);
  for (;;) {
    input_.clear();
    auto got = co_await fill();
    if (!got || *got == 0) break;
  }
  deadline_.clear();
}

async::Task<Result<std::size_t>> Connection::fill() {
  std::size_t before = input_.size();
  if (before > server_.limits_.max_header_bytes + kReadAhead)
    co_return fail(ErrorCode::exhausted, "request framing too large");
  input_.resize(before + kReadSize);
  auto got = co_await fd_.read_some(std::span(input_).subspan(before));
  input_.resize(before + got.value_or(0));
  co_return got;
}

async::Task<Result<std::size_t>> Connection::read_body_some(std::span<char> buffer) {
  if (expects_continue_ && !parser_->done()) {
    expects_continue_ = false;
    CO_TRY_OK(co_await send("HTTP/1.1 100 Continue\r\n\r\n"));
  }
  while (body_read_ == body_.size() && !parser_->done()) {
    body_.clear();
    body_read_ = 0;
    if (!input_.empty()) {
      auto used = parser_->feed(input_, body_);
      if (!used) {
        body_too_large_ = used.error().code() == ErrorCode::exhausted;
        co_return std::unexpected(std::move(used).error());
      }
      input_.erase(0, *used);
      if (*used > 0) continue;
    }
    deadline_.set(server_.limits_.body_timeout);
    auto got = co_await fill();
    deadline_.clear();
    if (!got) co_return got;
    if (*got == 0) {
      gone_.set();
      co_return fail(ErrorCode::cancelled, "the client has left within its request");
    }
  }
  if (parser_->done()) start_watching();
  std::size_t count = std::min(buffer.size(), body_.size() - body_read_);
  std::copy_n(body_.data() + body_read_, count, buffer.data());
  body_read_ += count;
  co_return count;
}

async::Task<Result<void>> Connection::send(std::string bytes) {
  if (server_.limits_.write_timeout.count() > 0) deadline_.set(server_.limits_.write_timeout);
  auto sent = co_await fd_.write_all(bytes);
  if (server_.limits_.write_timeout.count() > 0) deadline_.clear();
  co_return sent;
}

void Connection::start_watching() {
  if (handling_ && watching_.size() == 0 && !gone_.is_set()) watching_.spawn("http watch", watch());
}

async::Task<> Connection::stop_watching() {
  handling_ = false;
  watching_.cancel();
  co_await watching_.join();
}

// Notices that the client has left. What it sends ahead meanwhile is kept for the next request, within bounds.
async::Task<> Connection::watch() {
  while (input_.size() < kReadAhead) {
    if (auto ready = co_await fd_.readable(); !ready) co_return;
    std::size_t before = input_.size();
    input_.resize(before + 4096);
    ssize_t got = ::recv(fd_.get(), input_.data() + before, 4096, MSG_DONTWAIT);
    int error = errno;
    input_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0 || (got < 0 && (error == EAGAIN || error == EINTR))) continue;
    gone_.set();
    if (on_gone_ == OnGone::cancel) serving_.cancel();
    co_return;
  }
}

}  // namespace berth::http
