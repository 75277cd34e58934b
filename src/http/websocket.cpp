#include "http/websocket.h"

#include <boost/beast/core/detail/sha1.hpp>

#include <array>
#include <memory>

#include "async/event.h"
#include "async/task_group.h"
#include "base/text.h"

namespace berth::http {

namespace {

constexpr std::uint8_t kClose = 8, kPing = 9, kPong = 10, kBinary = 2;

// Both directions of one connection; writes of either direction go through it one after the other.
struct Relay {
  Relay(async::Loop& loop, sys::UniqueFd client_fd, sys::UniqueFd stream_fd)
      : client(loop, std::move(client_fd)), stream(loop, std::move(stream_fd)), writing(loop), ended(loop) {}

  async::Fd client;
  async::Fd stream;
  async::Mutex writing;
  async::Event ended;
  WebSocketParser parser;
};

async::Task<Result<void>> send(std::shared_ptr<Relay> relay, std::uint8_t opcode, std::string payload) {
  auto turn = co_await relay->writing.lock();
  std::string frame = websocket_frame(opcode, payload);
  co_return co_await relay->client.write_all(frame);
}

async::Task<> to_client(std::shared_ptr<Relay> relay) {
  std::array<char, 32 << 10> buffer;
  while (true) {
    auto got = co_await relay->stream.read_some(buffer);
    if (!got || *got == 0) break;
    auto sent = co_await send(relay, kBinary, std::string(buffer.data(), *got));
    if (!sent) break;
  }
  // 1000: the purpose has been fulfilled.
  (void)co_await send(relay, kClose, std::string("\x03\xe8", 2));
  relay->ended.set();
}

// Whether the connection goes on.
async::Task<bool> take_frames(std::shared_ptr<Relay> relay) {
  while (true) {
    auto frame = relay->parser.next();
    if (!frame) co_return false;
    if (!*frame) co_return true;
    WebSocketParser::Frame& each = **frame;
    if (each.opcode == kClose) co_return false;
    if (each.opcode == kPing) {
      auto sent = co_await send(relay, kPong, std::move(each.payload));
      if (!sent) co_return false;
    } else if (each.opcode < kClose && !each.payload.empty()) {
      auto written = co_await relay->stream.write_all(each.payload);
      if (!written) co_return false;
    }
  }
}

async::Task<> from_client(std::shared_ptr<Relay> relay) {
  std::array<char, 32 << 10> buffer;
  while (co_await take_frames(relay)) {
    auto got = co_await relay->client.read_some(buffer);
    if (!got || *got == 0) break;
    relay->parser.feed(std::string_view(buffer.data(), *got));
  }
  relay->ended.set();
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  constexpr std::string_view kConstant = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  boost::beast::detail::sha1_context context;
  boost::beast::detail::init(context);
  boost::beast::detail::update(context, key.data(), key.size());
  boost::beast::detail::update(context, kConstant.data(), kConstant.size());
  std::array<char, boost::beast::detail::sha1_context::digest_size> digest;
  boost::beast::detail::finish(context, digest.data());
  return base64_encode(std::string_view(digest.data(), digest.size()));
}

std::string websocket_frame(std::uint8_t opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80 | opcode));
  auto put_length = [&](int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift);
  };
  if (payload.size() < 126) {
    put_length(1);
  } else if (payload.size() < 65536) {
    frame += static_cast<char>(126);
    put_length(2);
  } else {
    frame += static_cast<char>(127);
    put_length(8);
  }
  return frame.append(payload);
}

Result<std::optional<WebSocketParser::Frame>> WebSocketParser::next() {
  auto byte = [this](std::size_t index) { return static_cast<std::uint8_t>(input_[index]); };
  if (input_.size() < 2) return std::nullopt;
  Frame frame;
  frame.opcode = byte(0) & 0x0f;
  bool known = frame.opcode <= 2 || (frame.opcode >= kClose && frame.opcode <= kPong);
  if ((byte(0) & 0x70) != 0 || !known) return fail(ErrorCode::invalid, "websocket: a reserved bit or opcode");
  if ((byte(1) & 0x80) == 0) return fail(ErrorCode::invalid, "websocket: a client's frame must be masked");
  std::uint64_t length = byte(1) & 0x7f;
  std::size_t head = 2, extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (input_.size() < head + extended) return std::nullopt;
  if (extended != 0) length = 0;
  for (std::size_t i = 0; i < extended; ++i) length = length << 8 | byte(head + i);
  head += extended;
  if (length > kLargestFrame) return fail(ErrorCode::exhausted, "websocket: a frame of {} bytes", length);
  if (input_.size() < head + 4 + length) return std::nullopt;
  frame.payload = input_.substr(head + 4, length);
  for (std::size_t i = 0; i < length; ++i)
    frame.payload[i] = static_cast<char>(frame.payload[i] ^ input_[head + i % 4]);
  input_.erase(0, head + 4 + length);
  return frame;
}

async::Task<Result<Hijacked>> accept_websocket(Exchange& exchange) {
  const Headers& headers = exchange.request.headers();
  std::string key(headers.get("Sec-WebSocket-Key"));
  if (!headers.has_token("Upgrade", "websocket") || key.empty())
    co_return fail(ErrorCode::invalid, "this is for WebSocket clients: the request lacks its handshake");
  ResponseHead head{.status = 101, .reason = "Switching Protocols"};
  head.headers.set("Upgrade", "websocket");
  head.headers.set("Connection", "Upgrade");
  head.headers.set("Sec-WebSocket-Accept", websocket_accept(key));
  co_return co_await exchange.upgrade(std::move(head));
}

async::Task<> relay_websocket(async::Loop& loop, Hijacked client, sys::UniqueFd stream) {
  auto relay = std::make_shared<Relay>(loop, std::move(client.fd), std::move(stream));
  relay->parser.feed(client.leftover);
  async::TaskGroup directions(loop);
  directions.spawn("websocket to client", to_client(relay));
  directions.spawn("websocket from client", from_client(relay));
  co_await relay->ended.wait();
  relay->stream.close();
  relay->client.close();
  directions.cancel();
  co_await directions.join();
}

}  // namespace berth::http
