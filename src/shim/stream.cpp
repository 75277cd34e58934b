#include "shim/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "shim/protocol.h"
#include "shim/scratch.h"

namespace berth::shim {

Stream::~Stream() {
  if (left_to_others_) return;
  shutdown(socket_.get(), SHUT_RDWR);
  while (recv(socket_.get(), scratch::data, sizeof scratch::data, MSG_DONTWAIT) > 0) {
  }
}

void Stream::send(Output output, std::string_view data) {
  if (peer_left_ || !wishes_.outputs[static_cast<int>(output)]) return;
  const auto length = static_cast<std::uint32_t>(data.size());
  const char header[kFrameHeaderSize] = {static_cast<char>(1 + static_cast<int>(output)),
                                         0,
                                         0,
                                         0,
                                         static_cast<char>(length >> 24),
                                         static_cast<char>(length >> 16),
                                         static_cast<char>(length >> 8),
                                         static_cast<char>(length)};
  const std::string_view head(header, wishes_.framed ? sizeof header : 0);
  std::size_t sent = 0;
  if (rest_.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(data.data()), data.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t taken = sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) return peer_left();
    if (taken > 0) sent = static_cast<std::size_t>(taken);
  }
  if (sent < head.size()) rest_.append(head.substr(sent));
  const std::size_t sent_data = sent > head.size() ? sent - head.size() : 0;
  if (sent_data < data.size()) rest_.append(data.substr(sent_data));
}

void Stream::resume() {
  if (rest_.empty()) return;
  const ssize_t taken = ::send(socket_.get(), rest_.view().data(), rest_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (taken > 0) rest_.consume(static_cast<std::size_t>(taken));
  if (taken < 0 && errno != EAGAIN && errno != EINTR) peer_left();
}

int Stream::read_input() {
  const ssize_t got = recv(socket_.get(), scratch::data, sizeof scratch::data, MSG_DONTWAIT);
  if (got > 0) return static_cast<int>(got);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return -1;
  wishes_.input = false;
  return 0;
}

Buffer Stream::without_keys(std::string_view typed) {
  const std::string_view keys = wishes_.detach_keys.view();
  Buffer rest;
  for (std::size_t i = 0; i < typed.size() && !detached_; ++i) {
    if (typed[i] != keys[keys_typed_]) {
      rest.append(keys.substr(0, keys_typed_));
      keys_typed_ = 0;
    }
    if (typed[i] != keys[keys_typed_])
      rest.append(typed.substr(i, 1));
    else
      detached_ = ++keys_typed_ == keys.size();
  }
  return rest;
}

void Stream::add_interest(PollSet& set, bool take_input) {
  short events = 0;
  if (wishes_.input && take_input) events |= POLLIN;
  if (has_rest()) events |= POLLOUT;
  // A peer that has left reports its hang-up at every turn; until its input can be taken it must not be asked.
  place_ = peer_left_ && (events & POLLIN) == 0 ? PollSet::kNone : set.add(socket_.get(), events);
}

void Stream::note_hangup(short events) {
  if ((events & (POLLHUP | POLLERR | POLLNVAL)) != 0) peer_left();
}

void Stream::peer_left() {
  peer_left_ = true;
  rest_.clear();
}

}  // namespace berth::shim
