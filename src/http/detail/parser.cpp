#include "http/detail/parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace berth::http::detail {

namespace beast = boost::beast;
using beast_error = beast::error_code;

// What both kinds of parser share, and the places that they fill.
struct Parser::Impl {
  virtual ~Impl() = default;
  virtual std::size_t put(std::string_view bytes, beast_error& error) = 0;
  virtual void put_eof(beast_error& error) = 0;
  virtual bool got_some() const = 0;
  virtual bool head_done() const = 0;
  virtual bool done() const = 0;
  virtual std::optional<std::uint64_t> content_length() const = 0;
  virtual bool chunked() const = 0;
  virtual bool keep_alive() const = 0;

  RequestHead request;
  ResponseHead response;
  std::string* body = nullptr;
  std::uint64_t body_bytes = 0;
  std::uint64_t body_limit = ~std::uint64_t{0};
  bool fields_done = false;
};

template <bool kIsRequest>
class Parser::BeastParser final : public Parser::Impl, private beast::http::basic_parser<kIsRequest> {
  using Base = beast::http::basic_parser<kIsRequest>;

 public:
  BeastParser(std::size_t header_limit, bool bodiless) {
    Base::header_limit(static_cast<std::uint32_t>(header_limit));
    Base::body_limit(boost::none);
    if (bodiless) Base::skip(true);
  }

  std::size_t put(std::string_view bytes, beast_error& error) override {
    return Base::put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  }
  void put_eof(beast_error& error) override { Base::put_eof(error); }
  bool got_some() const override { return Base::got_some(); }
  bool head_done() const override { return Base::is_header_done(); }
  bool done() const override { return Base::is_done(); }
  std::optional<std::uint64_t> content_length() const override {
    auto length = Base::content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }
  bool chunked() const override { return Base::chunked(); }
  bool keep_alive() const override { return Base::keep_alive(); }

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       beast_error&) override {
    request.method = std::string(method);
    request.target = std::string(target);
    request.version = version;
  }
  void on_response_impl(int status, beast::string_view reason, int version, beast_error&) override {
    response.status = status;
    response.reason = std::string(reason);
    response.version = version;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, beast_error&) override {
    if (fields_done) return;  // a trailer: nobody here wants one
    (kIsRequest ? request.headers : response.headers).add(std::string(name), std::string(value));
  }
  void on_header_impl(beast_error&) override { fields_done = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast_error&) override {}
  std::size_t on_body_impl(beast::string_view bytes, beast_error&) override { return take(bytes); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast_error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, beast_error&) override { return take(bytes); }
  void on_finish_impl(beast_error&) override {}

  std::size_t take(beast::string_view bytes) {
    body->append(bytes.data(), bytes.size());
    body_bytes += bytes.size();
    return bytes.size();
  }
};

Parser::Parser(MessageKind kind, std::size_t header_limit, bool bodiless) {
  if (kind == MessageKind::request)
    impl_ = std::make_unique<BeastParser<true>>(header_limit, bodiless);
  else
    impl_ = std::make_unique<BeastParser<false>>(header_limit, bodiless);
}

Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

Result<std::size_t> Parser::feed(std::string_view bytes, std::string& body) {
  impl_->body = &body;
  std::size_t used = 0;
  bool head_was_done = impl_->head_done();
  while (used < bytes.size() && !impl_->done() && impl_->head_done() == head_was_done) {
    beast_error error;
    used += impl_->put(bytes.substr(used), error);
    if (error == beast::http::error::need_more) break;
    if (error == beast::http::error::header_limit) return fail(ErrorCode::exhausted, "request header fields too large");
    if (error) return fail(ErrorCode::invalid, "malformed HTTP message: {}", error.message());
    bool announced_too_long = impl_->head_done() && impl_->content_length().value_or(0) > impl_->body_limit;
    if (announced_too_long || impl_->body_bytes > impl_->body_limit)
      return fail(ErrorCode::exhausted, "request body too large: at most {} bytes", impl_->body_limit);
  }
  return used;
}

Result<void> Parser::feed_end() {
  if (!impl_->got_some()) return fail(ErrorCode::io, "the connection was closed before an HTTP message came");
  if (impl_->done()) return {};
  beast_error error;
  impl_->put_eof(error);
  if (error) return fail(ErrorCode::io, "the connection was closed within an HTTP message");
  return {};
}

bool Parser::head_done() const { return impl_->head_done(); }
bool Parser::done() const { return impl_->done(); }
void Parser::set_body_limit(std::uint64_t bytes) { impl_->body_limit = bytes; }
std::optional<std::uint64_t> Parser::content_length() const { return impl_->content_length(); }
bool Parser::chunked() const { return impl_->chunked(); }
bool Parser::keep_alive() const { return impl_->keep_alive(); }
RequestHead& Parser::request() { return impl_->request; }
ResponseHead& Parser::response() { return impl_->response; }

}  // namespace berth::http::detail
