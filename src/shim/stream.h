// An attached stream: the socket of somebody who sees the output of a process, and may feed its input.
#pragma once

#include <cstddef>
#include <string_view>

#include "shim/buffer.h"
#include "shim/fd.h"
#include "shim/log_writer.h"
#include "shim/poll_set.h"

namespace berth::shim {

struct StreamWishes {
  bool input = false;
  bool outputs[kOutputs] = {false, false};
  bool framed = false;  // each piece with Docker's 8-byte header
  Buffer detach_keys;   // typed one after the other they end the attachment; empty: nothing does
};

class Stream {
 public:
  // socket is a unix stream socket; its file flags are left as they are.
  Stream(Fd socket, StreamWishes wishes) : socket_(std::move(socket)), wishes_(std::move(wishes)) {}
  // Takes what the peer has still sent and nobody wants: a close with unread bytes would reach the peer as a reset,
  // before the last of the output.
  ~Stream();

  // Only closes it at the end, so that whoever else holds the socket can still say why nothing came of it.
  void leave_to_others() { left_to_others_ = true; }

  // Sends what the peer takes now and keeps the rest, as long as the peer asked for this output.
  void send(Output output, std::string_view data);
  // Tries again with the kept rest.
  void resume();
  bool has_rest() const { return !rest_.empty(); }
  bool blocks(Output output) const { return has_rest() && wishes_.outputs[static_cast<int>(output)]; }

  bool gives_input() const { return wishes_.input; }
  // Reads input: above 0 a number of bytes in scratch::data, 0 at its end (said once), -1 when there is none now.
  int read_input();

  bool watches_keys() const { return !wishes_.detach_keys.empty(); }
  // What of typed input goes on to the process: keys that may be the beginning of those that detach are held back.
  Buffer without_keys(std::string_view typed);
  bool detached() const { return detached_; }

  // The peer has left for good and has no more input for us, or has been let go.
  bool is_gone() const { return detached_ || (peer_left_ && !wishes_.input); }

  void add_interest(PollSet& set, bool take_input);
  short ready(const PollSet& set) const { return set.ready(place_); }
  // Notes from what poll(2) said whether the peer is still there.
  void note_hangup(short events);
  void forget_place() { place_ = PollSet::kNone; }

  Stream* next = nullptr;

 private:
  void peer_left();

  Fd socket_;
  StreamWishes wishes_;
  Buffer rest_;
  bool left_to_others_ = false;
  bool peer_left_ = false;  // nothing can be sent any more
  bool detached_ = false;
  std::size_t keys_typed_ = 0;  // how many of the keys that detach came last
  int place_ = PollSet::kNone;
};

}  // namespace berth::shim
