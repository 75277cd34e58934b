#include "http/detail/response_reader.h"

#include <algorithm>

namespace berth::http::detail {

namespace {
constexpr std::size_t kHeaderLimit = 256 << 10;
}

ResponseReader::ResponseReader(bool bodiless)
    : bodiless_(bodiless), parser_(MessageKind::response, kHeaderLimit, bodiless) {}

Result<bool> ResponseReader::head_ready() {
  for (;;) {
    if (input_.empty()) return false;
    TRY(std::size_t used, parser_.feed(input_, body_));
    input_.erase(0, used);
    if (!parser_.head_done()) return false;
    int status = parser_.response().status;
    if (status / 100 != 1 || status == 101) return true;
    parser_ = Parser(MessageKind::response, kHeaderLimit, bodiless_);
  }
}

Result<std::size_t> ResponseReader::take_body(std::span<char> buffer) {
  while (body_read_ == body_.size() && !input_.empty() && !parser_.done()) {
    body_.clear();
    body_read_ = 0;
    TRY(std::size_t used, parser_.feed(input_, body_));
    input_.erase(0, used);
    if (used == 0) break;
  }
  std::size_t count = std::min(buffer.size(), body_.size() - body_read_);
  std::copy_n(body_.data() + body_read_, count, buffer.data());
  body_read_ += count;
  return count;
}

Result<void> ResponseReader::ended() { return parser_.feed_end(); }

std::string ResponseReader::take_leftover() {
  std::string leftover = body_.substr(body_read_) + input_;
  body_.clear();
  body_read_ = 0;
  input_.clear();
  return leftover;
}

std::string print_request(const ClientRequest& request, const Endpoint& endpoint, bool streamed) {
  RequestHead head{.method = request.method, .target = request.target, .headers = request.headers};
  if (!head.headers.has("Host")) head.headers.set("Host", endpoint.host_field());
  bool usually_has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (streamed)
    head.headers.set("Transfer-Encoding", "chunked");
  else if (!request.body.empty() || usually_has_body)
    head.headers.set("Content-Length", std::to_string(request.body.size()));
  if (request.upgrade) {
    head.headers.set("Connection", "Upgrade");
    head.headers.set("Upgrade", "tcp");
  } else if (!head.headers.has("Connection")) {
    head.headers.set("Connection", "close");
  }
  return print(head);
}

std::string print_chunk(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

}  // namespace berth::http::detail
