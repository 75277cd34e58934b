#include "cli/pump.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/file.h"

namespace berth::cli {

namespace {

constexpr std::size_t kChunk = 64 << 10;
// A pipe that poll(2) calls writable takes this much without blocking (pipe(7), PIPE_BUF).
constexpr std::size_t kPipeRoom = 4096;

// What Docker's client forwards: all but those that tell of the client itself or of its own faults.
constexpr int kForwarded[] = {SIGHUP,  SIGINT,    SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
                              SIGCONT, SIGVTALRM, SIGPROF, SIGTSTP, SIGIO,   SIGPWR};
// What ends a command that forwards nothing, and must not leave a raw terminal behind.
constexpr int kEnding[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

}  // namespace

SignalGuard::SignalGuard(bool forward_signals) {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGWINCH);
  if (forward_signals) {
    for (int signal : kForwarded) ::sigaddset(&signals_, signal);
  } else {
    for (int signal : kEnding) ::sigaddset(&signals_, signal);
  }
  ::sigprocmask(SIG_BLOCK, &signals_, &saved_);
}

SignalGuard::~SignalGuard() { ::sigprocmask(SIG_SETMASK, &saved_, nullptr); }

Pump::Pump(http::TakenConnection connection, PumpOptions options, const SignalGuard& guard)
    : connection_(std::move(connection)), options_(std::move(options)), guard_(guard), detach_(options_.detach_keys) {}

void Pump::send_size() {
  if (!options_.tty || !options_.on_resize) return;
  if (auto size = terminal_size(STDOUT_FILENO)) options_.on_resize(*size);
}

Result<void> Pump::take_output(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (options_.tty) {
    output_.push_back({STDOUT_FILENO, std::string(bytes)});
    return {};
  }
  return demux_.feed(bytes, [this](StreamKind kind, std::string_view payload) -> Result<void> {
    output_.push_back({kind == StreamKind::err ? STDERR_FILENO : STDOUT_FILENO, std::string(payload)});
    return {};
  });
}

// Writes what is there: all of it, or, while stdin is open, only what cannot block, so that a peer that writes to us
// before it reads from us is not held up.
Result<void> Pump::flush_output(bool all) {
  while (!output_.empty()) {
    Output& first = output_.front();
    std::size_t size = all ? first.bytes.size() : std::min(first.bytes.size(), kPipeRoom);
    TRY_OK(annotate(sys::write_all(first.fd, std::string_view(first.bytes).substr(0, size)), "write the output"));
    first.bytes.erase(0, size);
    if (first.bytes.empty()) output_.erase(output_.begin());
    if (!all) break;
  }
  return {};
}

void Pump::read_connection() {
  std::array<char, kChunk> buffer;
  ssize_t size = ::read(connection_.fd.get(), buffer.data(), buffer.size());
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (size <= 0) {
    connection_open_ = false;
    return;
  }
  if (!options_.with_output) return;
  if (auto taken = take_output(std::string_view(buffer.data(), static_cast<std::size_t>(size))); !taken)
    output_error_ = taken.error().text();
}

void Pump::end_input() {
  stdin_open_ = false;
  if (half_closed_ || !input_.empty()) return;
  half_closed_ = true;
  ::shutdown(connection_.fd.get(), SHUT_WR);
}

void Pump::read_stdin() {
  std::array<char, kChunk> buffer;
  ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (size <= 0) return end_input();
  std::string_view typed(buffer.data(), static_cast<std::size_t>(size));
  input_ = options_.tty ? detach_.feed(typed) : std::string(typed);
}

void Pump::flush_input() {
  ssize_t sent = ::send(connection_.fd.get(), input_.data(), input_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (sent < 0) {
    // The other end takes no more; its output may still come.
    input_.clear();
    stdin_open_ = false;
    half_closed_ = true;
    return;
  }
  input_.erase(0, static_cast<std::size_t>(sent));
  if (input_.empty() && !stdin_open_) end_input();
}

void Pump::read_signals() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGWINCH)
    send_size();
  else if (options_.forward_signals)
    options_.on_signal(signal);
  else
    kill_signal_ = signal;
}

Result<PumpEnd> Pump::run() {
  signals_.reset(::signalfd(-1, &guard_.signals(), SFD_CLOEXEC));
  if (!signals_) return fail_errno("signalfd");
  std::optional<RawMode> raw;
  if (options_.tty && options_.with_stdin) raw.emplace(STDIN_FILENO);
  stdin_open_ = options_.with_stdin;
  send_size();
  if (options_.with_output) TRY_OK(take_output(connection_.leftover));
  if (!options_.with_stdin && !options_.with_output) return PumpEnd::closed;

  while (connection_open_ || !output_.empty()) {
    bool all = !stdin_open_ && input_.empty();
    if (all) TRY_OK(flush_output(true));
    bool read_more = connection_open_ && output_.empty();
    bool take_stdin = stdin_open_ && input_.empty() && connection_open_;
    short socket_events = static_cast<short>((read_more ? POLLIN : 0) | (input_.empty() ? 0 : POLLOUT));
    std::array<pollfd, 4> polled{{
        {socket_events != 0 ? connection_.fd.get() : -1, socket_events, 0},
        {take_stdin ? STDIN_FILENO : -1, POLLIN, 0},
        {signals_.get(), POLLIN, 0},
        {output_.empty() ? -1 : output_.front().fd, POLLOUT, 0},
    }};
    if (!connection_open_ && output_.empty()) break;
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (polled[2].revents != 0) read_signals();
    if (kill_signal_ != 0) return PumpEnd::killed;
    if (polled[3].revents != 0) TRY_OK(flush_output(false));
    if (!input_.empty() && (polled[0].revents & (POLLOUT | POLLERR | POLLHUP)) != 0) flush_input();
    if (polled[1].revents != 0) read_stdin();
    if (detach_.detached()) return PumpEnd::detached;
    if (read_more && (polled[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0) read_connection();
    if (!output_error_.empty()) return fail(ErrorCode::io, "{}", output_error_);
    if (!options_.with_output && !stdin_open_ && input_.empty()) break;
  }
  return PumpEnd::closed;
}

}  // namespace berth::cli
