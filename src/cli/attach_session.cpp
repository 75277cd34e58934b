#include "cli/attach_session.h"

#include <unistd.h>

namespace berth::cli {

AttachSession::AttachSession(const EngineClient& engine, SessionOptions options, http::TakenConnection connection,
                             http::BlockingResponse wait, std::string keys)
    : engine_(&engine),
      options_(std::move(options)),
      connection_(std::move(connection)),
      wait_(std::move(wait)),
      keys_(std::move(keys)),
      guard_(std::make_unique<SignalGuard>(options_.forward_signals)) {}

Result<AttachSession> AttachSession::open(const EngineClient& engine, SessionOptions options) {
  TRY(std::string keys, parse_detach_keys(options.detach_keys));
  std::string path = "/containers/" + escape_path(options.container);
  auto flag = [](bool wanted) { return std::string(wanted ? "1" : ""); };
  std::string custom_keys = options.detach_keys == kDefaultDetachKeys ? "" : options.detach_keys;
  TRY(auto connection, engine.hijack(path + "/attach" +
                                     query({{"stream", "1"},
                                            {"stdin", flag(options.streams.in)},
                                            {"stdout", flag(options.streams.out)},
                                            {"stderr", flag(options.streams.err)},
                                            {"detachKeys", custom_keys}})));
  http::ClientRequest wait;
  wait.method = "POST";
  wait.target = path + "/wait" + query({{"condition", options.wait_condition}});
  TRY(auto waiting, engine.open_stream(std::move(wait)));
  return AttachSession(engine, std::move(options), std::move(connection), std::move(waiting), std::move(keys));
}

Result<int> AttachSession::wait_only() {
  TRY(std::string text, wait_.read_all());
  TRY(json::Value answer, json::parse(text));
  if (const json::Value* error = json::find(answer, "Error"))
    if (std::string message = json::string_or(*error, "Message"); !message.empty())
      return fail(ErrorCode::io, "{}", message);
  return static_cast<int>(json::int_or(answer, "StatusCode"));
}

Result<int> AttachSession::run() {
  std::string path = "/containers/" + escape_path(options_.container);
  PumpOptions pump_options;
  pump_options.tty = options_.tty;
  pump_options.with_stdin = options_.streams.in;
  pump_options.with_output = options_.streams.out || options_.streams.err;
  pump_options.detach_keys = keys_;
  pump_options.forward_signals = options_.forward_signals;
  // The container may have ended by the time a signal or a new size comes: nothing is lost then.
  pump_options.on_signal = [&](int signal) { (void)engine_->post(fmt::format("{}/kill?signal={}", path, signal)); };
  pump_options.on_resize = [&](TerminalSize size) {
    (void)engine_->post(fmt::format("{}/resize?h={}&w={}", path, size.rows, size.columns));
  };
  if (options_.tty && options_.redraw)
    if (auto size = terminal_size(STDOUT_FILENO)) pump_options.on_resize({size->rows + 1, size->columns + 1});
  Pump pump(std::move(connection_), std::move(pump_options), *guard_);
  TRY(PumpEnd end, pump.run());
  if (end == PumpEnd::killed) return 128 + pump.kill_signal();
  if (end == PumpEnd::detached) return kDetached;
  guard_.reset();
  return wait_only();
}

Result<void> check_stdin_is_terminal(bool tty, bool with_stdin) {
  if (tty && with_stdin && !is_terminal(STDIN_FILENO)) return fail(ErrorCode::invalid, "the input device is not a TTY");
  return {};
}

}  // namespace berth::cli
