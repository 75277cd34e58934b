// Attach, logs and resize.
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <chrono>

#include "async/fd.h"
#include "base/text.h"
#include "docker/api.h"
#include "docker/frame.h"
#include "docker/output_queue.h"
#include "engine/logs.h"

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

// How one container's log goes to one client.
struct LogWriter {
  OutputQueue& queue;
  bool framed;
  bool timestamps;

  Task<Result<void>> deliver(const engine::LogEntry& entry) {
    std::string text = timestamps ? format_rfc3339_fixed(entry.time) + " " : std::string();
    text += entry.text;
    if (framed) queue.push(frame_header(entry.stderr_ ? StreamKind::stderr_ : StreamKind::stdout_, text.size()));
    queue.push(text);
    return queue.room();
  }
};

Task<Result<void>> logs(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(engine::LogQuery query, log_query_of(exchange));
  bool tty = container->spec().process.tty;
  OutputQueue queue(exchange, std::string(stream_type(!tty && speaks(exchange, "1.42"))));
  LogWriter writer{queue, !tty, exchange.request.query.truth("timestamps")};
  if (query.follow) queue.open();
  auto read = co_await engine::read_logs(container, query,
                                         [&writer](const engine::LogEntry& entry) { return writer.deliver(entry); });
  if (read) queue.open();
  auto closed = queue.begun() ? co_await queue.close() : Result<void>();
  if (!read) co_return read;
  co_return closed;
}

// What the log holds, in front of what attach brings from now on.
Task<Result<void>> replay_log(std::shared_ptr<engine::Container> container, engine::AttachOptions options,
                              async::Fd& stream) {
  engine::LogQuery query{.stdout_ = options.stdout_, .stderr_ = options.stderr_};
  bool framed = !container->spec().process.tty;
  std::string pending;
  auto deliver = [&](const engine::LogEntry& entry) {
    pending = framed ? frame_header(entry.stderr_ ? StreamKind::stderr_ : StreamKind::stdout_, entry.text.size()) : "";
    pending += entry.text;
    return stream.write_all(pending);
  };
  co_return co_await engine::read_logs(container, query, deliver);
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
                                .stderr_ = query.truth("stderr")};
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

}  // namespace

void add_container_stream_routes(http::Router& router, Api& api) {
  add_route(router, api, "POST /containers/{id}/resize", resize);
  add_route(router, api, "GET /containers/{id}/logs", logs, {.on_gone = http::OnGone::cancel});
  add_route(router, api, "POST /containers/{id}/attach", attach);
}

}  // namespace berth::docker
