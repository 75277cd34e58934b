// A container whose streams are attached to this process: what run, start -a and attach share.
//
// The order is that of Docker's client, and each step matters: attach before the start, so that no output is lost; wait
// before the start, so that no end is missed; then start.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "cli/container_config.h"
#include "cli/engine_client.h"
#include "cli/pump.h"

namespace berth::cli {

struct SessionOptions {
  std::string container;  // id or name
  bool tty = false;
  Attached streams;
  std::string detach_keys = std::string(kDefaultDetachKeys);
  bool forward_signals = true;
  std::string wait_condition;  // "next-exit", "removed", or empty: until it is not running
  bool redraw = false;         // what draws on the terminal is made to draw anew, by a change of its size
};

// Not an exit code of a container.
constexpr int kDetached = -1;
// attach and exec end so when they have been detached from; run and start end with 0, saying nothing.
inline std::unexpected<Error> detached_error() { return fail(ErrorCode::cancelled, "read escape sequence"); }

class AttachSession {
 public:
  // Attaches and begins to wait. engine must live as long as the session.
  static Result<AttachSession> open(const EngineClient& engine, SessionOptions options);

  // Passes bytes until the streams end, then the container's exit code. Detached: kDetached. Killed by a signal that is
  // not forwarded: 128 + its number.
  Result<int> run();
  // Waits for the end without passing anything: after a start that failed, until the container has been removed.
  Result<int> wait_only();

 private:
  AttachSession(const EngineClient& engine, SessionOptions options, http::TakenConnection connection,
                http::BlockingResponse wait, std::string keys);

  const EngineClient* engine_;
  SessionOptions options_;
  http::TakenConnection connection_;
  http::BlockingResponse wait_;
  std::string keys_;
  std::unique_ptr<SignalGuard> guard_;
};

// -it with something else than a terminal on stdin is refused before anything is made.
Result<void> check_stdin_is_terminal(bool tty, bool with_stdin);

}  // namespace berth::cli
