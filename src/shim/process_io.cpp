#include "shim/process_io.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>

#include "shim/scratch.h"

namespace berth::shim {

namespace {

// What may be taken from a terminal whose process has ended, if others go on writing to it.
constexpr std::size_t kMaxTerminalRest = 1 << 20;

Result<> make_pipe(std::uint32_t owner, Fd& read_end, Fd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "make a pipe");
  read_end = Fd(ends[0]);
  write_end = Fd(ends[1]);
  if (owner != 0 && fchown(ends[0], owner, owner) != 0) return fail(errno, "give a pipe to id ", owner);
  return {};
}

Result<> open_null(Fd& end) {
  end = Fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!end.valid()) return fail(errno, "open /dev/null");
  return {};
}

}  // namespace

void ProcessIo::configure(LogWriter* log, bool close_at_eof) {
  log_ = log;
  close_at_eof_ = close_at_eof;
}

Result<> ProcessIo::make_pipes(bool input, bool output, std::uint32_t owner, ChildEnds& ends) {
  if (input) {
    SHIM_TRY(make_pipe(owner, ends.fds[0], input_));
    set_nonblocking(input_);
  } else {
    SHIM_TRY(open_null(ends.fds[0]));
  }
  for (int i = 0; i < kOutputs; ++i) {
    if (output) {
      SHIM_TRY(make_pipe(owner, outputs_[i], ends.fds[1 + i]));
      set_nonblocking(outputs_[i]);
    } else {
      SHIM_TRY(open_null(ends.fds[1 + i]));
    }
  }
  return {};
}

Result<> ProcessIo::make_runtime_ends(ChildEnds& ends) {
  SHIM_TRY(open_null(ends.fds[0]));
  SHIM_TRY(open_null(ends.fds[1]));
  SHIM_TRY(make_pipe(0, complaint_, ends.fds[2]));
  set_nonblocking(complaint_);
  return {};
}

Buffer ProcessIo::take_complaint() {
  constexpr std::size_t kMost = 4 << 10;
  const Fd& from = complaint_.valid() ? complaint_ : outputs_[1];
  const ssize_t got = read(from.get(), scratch::data, kMost);
  return concat(std::string_view(scratch::data, got > 0 ? static_cast<std::size_t>(got) : 0));
}

void ProcessIo::use_terminal(Fd master) {
  terminal_ = true;
  outputs_[0] = std::move(master);
  set_nonblocking(outputs_[0]);
  // While any process has the terminal open its master does not hang up. A system's init opens and closes its console
  // for every message, which must not end the output: so the shim is such a process until the held one has ended.
  held_slave_ = Fd(ioctl(outputs_[0].get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  set_window();
}

void ProcessIo::resize(std::uint16_t rows, std::uint16_t cols) {
  rows_ = rows;
  cols_ = cols;
  set_window();
}

void ProcessIo::set_window() {
  if (!terminal_ || !outputs_[0].valid() || (rows_ == 0 && cols_ == 0)) return;
  const winsize size{rows_, cols_, 0, 0};
  ioctl(outputs_[0].get(), TIOCSWINSZ, &size);
}

void ProcessIo::leave_streams() {
  for (Stream& stream : streams_) stream.leave_to_others();
}

void ProcessIo::close_input() {
  if (terminal_) return;  // it has no end; another stream may type on
  close_input_asked_ = true;
  if (input_rest_.empty()) input_.close();
}

bool ProcessIo::is_blocked(Output output) const {
  return streams_.find_if([&](const Stream& stream) { return stream.blocks(output); }) != nullptr;
}

void ProcessIo::add_interest(PollSet& set, bool live) {
  if (live) complaint_.close();
  for (int i = 0; i < kOutputs; ++i) {
    const bool wanted = live && outputs_[i].valid() && !is_blocked(static_cast<Output>(i));
    output_places_[i] = wanted ? set.add(outputs_[i].get(), POLLIN) : PollSet::kNone;
  }
  input_place_ = input_rest_.empty() ? PollSet::kNone : set.add(input_fd(), POLLOUT);
  for (Stream& stream : streams_) stream.add_interest(set, live && input_rest_.empty());
}

void ProcessIo::handle(const PollSet& set) {
  for (int i = 0; i < kOutputs; ++i) {
    std::size_t took = 0;
    if (set.ready(output_places_[i]) != 0) relay_output(static_cast<Output>(i), sizeof scratch::data, took);
  }
  if (set.ready(input_place_) != 0) resume_input();
  for (Stream& stream : streams_) {
    const short ready = stream.ready(set);
    if ((ready & POLLOUT) != 0) stream.resume();
    stream.note_hangup(ready);
    if ((ready & POLLIN) != 0 && stream.gives_input() && input_rest_.empty()) relay_input(stream);
    stream.forget_place();
  }
  streams_.remove_if([](const Stream& stream) { return stream.is_gone(); });
}

bool ProcessIo::relay_output(Output output, std::size_t limit, std::size_t& took) {
  Fd& fd = outputs_[static_cast<int>(output)];
  const ssize_t got = read(fd.get(), scratch::data, std::min(limit, sizeof scratch::data));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {  // EIO: a terminal that nobody holds open
    fd.close();
    return false;
  }
  took = static_cast<std::size_t>(got);
  const std::string_view data(scratch::data, took);
  if (log_ != nullptr) log_->append(output, data);
  for (Stream& stream : streams_) stream.send(output, data);
  return true;
}

void ProcessIo::drain(Output output) {
  Fd& fd = outputs_[static_cast<int>(output)];
  // Of a pipe exactly what is in it now: another process that holds it might fill it for ever.
  std::size_t left = kMaxTerminalRest;
  int queued = 0;
  if (!terminal_ && ioctl(fd.get(), FIONREAD, &queued) == 0) left = static_cast<std::size_t>(queued);
  while (left > 0 && fd.valid()) {
    std::size_t took = 0;
    if (!relay_output(output, left, took)) break;
    left -= took;
  }
  fd.close();
}

void ProcessIo::end() {
  held_slave_.close();
  input_rest_.clear();
  close_input_asked_ = true;
  input_.close();
  for (int i = 0; i < kOutputs; ++i) {
    if (outputs_[i].valid()) drain(static_cast<Output>(i));
  }
}

bool ProcessIo::drop_flushed() {
  streams_.remove_if([](const Stream& stream) { return !stream.has_rest(); });
  return streams_.empty();
}

void ProcessIo::relay_input(Stream& stream) {
  const int got = stream.read_input();
  if (got > 0 && terminal_ && stream.watches_keys()) {
    const Buffer typed = stream.without_keys({scratch::data, static_cast<std::size_t>(got)});
    if (!typed.empty()) write_input(typed.view());
    if (stream.detached()) ++detached_;
  } else if (got > 0) {
    write_input({scratch::data, static_cast<std::size_t>(got)});
  } else if (got == 0 && close_at_eof_) {
    close_input();
  }
}

void ProcessIo::write_input(std::string_view data) {
  // Without an open input the bytes go nowhere: their sender must not wait for ever.
  if (input_fd() < 0 || close_input_asked_) return;
  const ssize_t taken = write(input_fd(), data.data(), data.size());
  if (taken < 0 && errno != EAGAIN && errno != EINTR) return close_input();
  if (taken > 0) data.remove_prefix(static_cast<std::size_t>(taken));
  input_rest_.append(data);
}

void ProcessIo::resume_input() {
  const ssize_t taken = write(input_fd(), input_rest_.view().data(), input_rest_.size());
  if (taken > 0) input_rest_.consume(static_cast<std::size_t>(taken));
  if (taken < 0 && errno != EAGAIN && errno != EINTR) {
    input_rest_.clear();
    close_input_asked_ = true;
  }
  if (close_input_asked_ && input_rest_.empty()) input_.close();
}

}  // namespace berth::shim
