// Attach, logs and resize.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>

#include "async/fd.h"
#include "base/text.h"
#include "docker/api.h"
#include "docker/detach_keys.h"
#include "docker/frame.h"
#include "docker/output_queue.h"
#include "engine/logs.h"
#include "http/websocket.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Result<std::pair<int, int>> size_of(const Exchange& exchange) {
  auto rows = parse_number<int>(exchange.request.query.get("h"));
  auto columns = parse_number<int>(exchange.request.query.get("w"));
  if (!rows || !columns || *rows < 0 || *columns < 0 || *rows > 65535 || *columns > 65535)
    return fail(ErrorCode::invalid, "invalid terminal size: h=\"{}\" w=\"{}\"", exchange.request.query.get("h"),
                exchange.request.query.get("w"));
  return std::pair(*rows, *columns);
}

Task<Result<void>> resize(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(auto size, size_of(exchange));
  CO_TRY_OK(co_await container->resize(size.first, size.second));
  co_return co_await exchange.respond_empty(200);
}

// Seconds with an optional fraction since the epoch, or RFC 3339.
Result<Time> parse_log_time(const std::string& text) {
  if (text.empty() || text == "0") return Time{};
  auto [seconds, fraction] = split_once(text, '.');
  auto whole = parse_number<std::int64_t>(seconds);
  if (!whole) return parse_rfc3339(text);
  std::string digits = std::string(fraction.value_or("0")).substr(0, 9);
  digits.resize(9, '0');
  auto rest = parse_number<std::int64_t>(digits);
  if (!rest || *whole < 0 || *whole > 9'000'000'000) return fail(ErrorCode::invalid, "invalid time: {}", text);
  return Time{*whole * 1'000'000'000 + *rest};
}

Result<engine::LogQuery> log_query_of(const Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  engine::LogQuery wanted;
  wanted.stdout_ = query.truth("stdout");
  wanted.stderr_ = query.truth("stderr");
  wanted.follow = query.truth("follow");
  if (!wanted.stdout_ && !wanted.stderr_)
    return fail(ErrorCode::invalid, "Bad parameters: you must choose at least one stream");
  TRY(wanted.since, parse_log_time(query.get("since")));
  TRY(wanted.until, parse_log_time(query.get("until")));
  // "all", nothing, a negative number or no number at all: everything.
  if (auto tail = parse_number<std::int64_t>(query.get("tail")); tail && *tail >= 0) wanted.tail = *tail;
  return wanted;
}

// How one container's log goes to one client: lines of one stream that come together share a frame.
class LogWriter : public engine::LogSink {
 public:
  struct Shape {
    bool framed = true;
    bool timestamps = false;
    std::string details;  // before each line; empty: none
  };
  explicit LogWriter(Shape shape) : shape_(std::move(shape)) {}

  void take(const engine::LogLine& line) override {
    StreamKind kind = line.stderr_ ? StreamKind::stderr_ : StreamKind::stdout_;
    if (shape_.framed && (frame_ == kNone || kind != kind_ || bytes_.size() - frame_ > kFrame)) {
      end_frame();
      kind_ = kind;
      frame_ = bytes_.size();
      bytes_.append(8, '\0');
    }
    if (shape_.timestamps) bytes_.append(line.time).push_back(' ');
    if (!shape_.details.empty()) bytes_.append(shape_.details).push_back(' ');
    bytes_.append(line.text);
  }

 protected:
  // What has been taken since the last call.
  std::string take_bytes() {
    end_frame();
    return std::exchange(bytes_, {});
  }

 private:
  static constexpr std::size_t kNone = std::string::npos;
  static constexpr std::size_t kFrame = 32 << 10;

  void end_frame() {
    if (frame_ == kNone) return;
    std::string header = frame_header(kind_, bytes_.size() - frame_ - 8);
    bytes_.replace(frame_, header.size(), header);
    frame_ = kNone;
  }

  Shape shape_;
  std::string bytes_;
  std::size_t frame_ = kNone;  // where the open one begins
  StreamKind kind_ = StreamKind::stdout_;
};

class QueuedLog : public LogWriter {
 public:
  QueuedLog(OutputQueue& queue, Shape shape) : LogWriter(std::move(shape)), queue_(queue) {}
  Task<Result<void>> flush() override {
    if (std::string bytes = take_bytes(); !bytes.empty()) queue_.push(bytes);
    return queue_.room();
  }

 private:
  OutputQueue& queue_;
};

class DirectLog : public LogWriter {
 public:
  DirectLog(async::Fd& stream, Shape shape) : LogWriter(std::move(shape)), stream_(stream) {}
  Task<Result<void>> flush() override {
    std::string bytes = take_bytes();
    co_return co_await stream_.write_all(bytes);
  }

 private:
  async::Fd& stream_;
};

Task<Result<void>> logs(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(engine::LogQuery query, log_query_of(exchange));
  bool tty = container->spec().process.tty;
  OutputQueue queue(exchange, std::string(stream_type(!tty && speaks(exchange, "1.42"))));
  LogWriter::Shape shape{!tty, exchange.request.query.truth("timestamps"), ""};
  if (exchange.request.query.truth("details")) shape.details = engine::log_details(container->spec());
  QueuedLog sink(queue, std::move(shape));
  if (query.follow) queue.open();
  auto read = co_await engine::read_logs(container, query, sink);
  if (read) queue.open();
  auto closed = queue.begun() ? co_await queue.close() : Result<void>();
  if (!read) co_return read;
  co_return closed;
}

// What the log holds, in front of what attach brings from now on.
Task<Result<void>> replay_log(std::shared_ptr<engine::Container> container, engine::AttachOptions options,
                              async::Fd& stream) {
  engine::LogQuery query{.stdout_ = options.stdout_, .stderr_ = options.stderr_};
  LogWriter::Shape shape{!container->spec().process.tty, false, ""};
  DirectLog sink(stream, std::move(shape));
  co_return co_await engine::read_logs(container, query, sink);
}

// docker-py reads the answer's head through a buffer, which it then forgets with whatever else is in it. So nothing
// follows the head before the client has read it; one that takes its time must not hold the log up.
Task<> let_head_be_read(int socket) {
  for (int tries = 0; tries < 50; ++tries) {
    int unread = 0;
    if (::ioctl(socket, SIOCOUTQ, &unread) < 0 || unread == 0) co_return;
    co_await async::sleep_for(std::chrono::milliseconds(1));
  }
}

Task<Result<void>> attach(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  CO_TRY(auto container, find_container(api, exchange));
  if (container->status().state == engine::State::paused)
    co_return fail(ErrorCode::conflict, "container {} is paused, unpause the container before attach",
                   exchange.request.param("id"));
  engine::AttachOptions options{.stdin_ = query.truth("stdin") && container->spec().open_stdin,
                                .stdout_ = query.truth("stdout"),
                                .stderr_ = query.truth("stderr"),
                                .plain = false,
                                .detach_keys = {}};
  CO_TRY(options.detach_keys, parse_detach_keys(query.get("detachKeys")));
  bool framed = !container->spec().process.tty;
  std::string type(stream_type(framed && speaks(exchange, "1.42") && exchange.request.headers().has("Upgrade")));
  bool stream = query.truth("stream"), replay = query.truth("logs");
  // Docker takes no body here, but dockerode sends its options as one.
  if (exchange.content_length()) CO_TRY_OK(co_await exchange.read_body());
  CO_TRY(http::Hijacked taken, co_await exchange.hijack(std::move(type)));
  if (replay) {
    co_await let_head_be_read(taken.fd.get());
    async::Fd fd(api.loop(), std::move(taken.fd));
    CO_TRY_OK(co_await replay_log(container, options, fd));
    taken.fd = fd.release();
  }
  if (!stream) co_return Result<void>();
  co_return co_await container->attach(std::move(taken.fd), std::move(taken.leftover), options);
}

// The same for browsers: bytes in WebSocket messages, never framed. The engine carries them between the client and the
// container, for only it speaks the protocol.
Task<Result<void>> attach_websocket(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  CO_TRY(auto container, find_container(api, exchange));
  engine::AttachOptions options{.stdin_ = query.truth("stdin") && container->spec().open_stdin,
                                .stdout_ = query.truth("stdout"),
                                .stderr_ = query.truth("stderr"),
                                .plain = true,
                                .detach_keys = {}};
  CO_TRY(options.detach_keys, parse_detach_keys(query.get("detachKeys")));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) co_return fail_errno("make a socket pair");
  sys::UniqueFd ours(ends[0]), theirs(ends[1]);
  CO_TRY(http::Hijacked client, co_await http::accept_websocket(exchange));
  if (query.truth("stream")) {
    CO_TRY_OK(co_await container->attach(std::move(theirs), "", options));
  } else {
    theirs.reset();
  }
  co_await http::relay_websocket(api.loop(), std::move(client), std::move(ours));
  co_return Result<void>();
}

}  // namespace

void add_container_stream_routes(http::Router& router, Api& api) {
  add_route(router, api, "POST /containers/{id}/resize", resize);
  add_route(router, api, "GET /containers/{id}/logs", logs, {.on_gone = http::OnGone::cancel});
  add_route(router, api, "POST /containers/{id}/attach", attach);
  add_route(router, api, "GET /containers/{id}/attach/ws", attach_websocket);
}

}  // namespace berth::docker
