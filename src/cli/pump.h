// The attached streams of run, start, attach and exec: stdin to the daemon, its output to stdout and stderr, signals
// and the size of the terminal to whoever takes them, until the output ends.
//
// One poll(2) loop over the connection, stdin and a signalfd(2): bytes pass in both directions whatever the other end
// does, and the terminal is put back however it ends.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/demux.h"
#include "cli/terminal.h"
#include "http/client.h"

namespace berth::cli {

struct PumpOptions {
  bool tty = false;         // bytes are not framed; stdin is raw when it is a terminal
  bool with_stdin = false;  // otherwise stdin is left alone
  bool with_output = true;  // false: ends when stdin has ended
  std::string detach_keys;  // bytes; empty: none
  bool forward_signals = false;
  std::function<void(int signal)> on_signal;    // for forward_signals
  std::function<void(TerminalSize)> on_resize;  // for tty
};

enum class PumpEnd {
  closed,    // the daemon ended the streams
  detached,  // by the detach keys
  killed     // by a signal that nobody forwards, after the terminal was put back; kill_signal() tells which
};

// Blocks the signals that are forwarded from now on, so that one that comes between the start of the container and the
// loop is not lost. Signals come back when it goes.
class SignalGuard {
 public:
  explicit SignalGuard(bool forward_signals);
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard();
  const sigset_t& signals() const { return signals_; }

 private:
  sigset_t signals_;
  sigset_t saved_;
};

class Pump {
 public:
  // guard must live as long as the pump.
  Pump(http::TakenConnection connection, PumpOptions options, const SignalGuard& guard);

  // An error is one of stdout, of the signalfd, or of broken frames.
  Result<PumpEnd> run();
  int kill_signal() const { return kill_signal_; }

 private:
  struct Output {
    int fd;
    std::string bytes;
  };
  Result<void> take_output(std::string_view bytes);
  Result<void> flush_output(bool all);
  void read_connection();
  void read_stdin();
  void flush_input();
  void end_input();
  void read_signals();
  void send_size();

  http::TakenConnection connection_;
  PumpOptions options_;
  const SignalGuard& guard_;
  DetachFilter detach_;
  Demux demux_;
  sys::UniqueFd signals_;
  std::string output_error_;
  std::vector<Output> output_;  // taken from the connection, not yet written; nothing more is read until it is
  std::string input_;           // taken from stdin, not yet sent
  bool stdin_open_ = false;
  bool half_closed_ = false;
  bool connection_open_ = true;
  int kill_signal_ = 0;
};

}  // namespace berth::cli
