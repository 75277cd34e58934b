// The standard streams of one process: pipes or a terminal on its side, the log and the attached streams on ours.
//
// Memory is bounded: while an attached stream has not taken a piece, no further output is read, so the process waits
// like behind any full pipe; input is read from a stream only when the process has taken what came before.
#pragma once

#include <cstdint>
#include <string_view>

#include "shim/fd.h"
#include "shim/list.h"
#include "shim/log_writer.h"
#include "shim/poll_set.h"
#include "shim/result.h"
#include "shim/stream.h"

namespace berth::shim {

class ProcessIo {
 public:
  // log may be nullptr. close_at_eof: the end of an attached input is the end of the process's input.
  void configure(LogWriter* log, bool close_at_eof);

  struct ChildEnds {
    Fd fds[3];
  };
  // Makes pipes for a process without a terminal; owner (uid and gid) may open them anew, as /dev/stdout does.
  // Without input, or when nobody will ever see the output, the end is /dev/null.
  Result<> make_pipes(bool input, bool output, std::uint32_t owner, ChildEnds& ends);
  // For a process with a terminal: what its runtime gets as standard streams, which only its complaints go through.
  Result<> make_runtime_ends(ChildEnds& ends);
  // What has been written to stderr so far, at most a few KiB: the complaint of a runtime that failed.
  Buffer take_complaint();
  // The process has a terminal, and this is its master.
  void use_terminal(Fd master);

  void add_stream(Fd socket, StreamWishes wishes) { streams_.add(new Stream(std::move(socket), std::move(wishes))); }
  // Goes to the process before anything that streams send from now on; also before it runs.
  void put_input(std::string_view bytes) { input_rest_.append(bytes); }
  // How many streams have detached since it was asked last.
  int take_detached() { return std::exchange(detached_, 0); }
  // The process never came to be: its streams are left to who else holds them.
  void leave_streams();
  // Remembered until there is a terminal.
  void resize(std::uint16_t rows, std::uint16_t cols);
  // After what has been read so far is written.
  void close_input();

  // live: the process runs. Before that nothing is read from either side.
  void add_interest(PollSet& set, bool live);
  void handle(const PollSet& set);

  // The process has ended: hands on what it has left in its pipes, whatever the streams take, and closes them.
  void end();
  // After end(): drops the streams that have got everything; true when none is left.
  bool drop_flushed();

 private:
  bool is_blocked(Output output) const;
  // False when there was nothing to read; took is the number of bytes.
  bool relay_output(Output output, std::size_t limit, std::size_t& took);
  void drain(Output output);
  void relay_input(Stream& stream);
  void write_input(std::string_view data);
  void resume_input();
  int input_fd() const { return terminal_ ? outputs_[0].get() : input_.get(); }
  void set_window();

  LogWriter* log_ = nullptr;
  bool close_at_eof_ = false;
  bool terminal_ = false;
  int detached_ = 0;
  std::uint16_t rows_ = 0;
  std::uint16_t cols_ = 0;

  Fd input_;
  Fd outputs_[kOutputs];  // a terminal's master is the first
  Fd held_slave_;
  Fd complaint_;  // stays open as long as the runtime runs, which would die of writing into a closed pipe
  Buffer input_rest_;
  bool close_input_asked_ = false;
  int input_place_ = PollSet::kNone;
  int output_places_[kOutputs] = {PollSet::kNone, PollSet::kNone};
  List<Stream> streams_;
};

}  // namespace berth::shim
