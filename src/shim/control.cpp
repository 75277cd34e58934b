#include "shim/control.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "shim/scratch.h"

namespace berth::shim {

namespace {

constexpr int kBacklog = 8;

ssize_t send_with_fd(int socket, std::string_view bytes, int fd) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = ancillary;
    message.msg_controllen = sizeof ancillary;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void take_fds(const cmsghdr* head, ReceivedFds& received) {
  const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count; ++i) {
    int number;
    memcpy(&number, CMSG_DATA(head) + i * sizeof number, sizeof number);
    Fd fd(number);
    if (received.count < kMaxDatagramFds) received.fds[received.count++] = std::move(fd);
  }
}

}  // namespace

ssize_t receive_with_fds(int socket, char* place, std::size_t size, ReceivedFds& received) {
  iovec part{place, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int) * kMaxDatagramFds)] = {};
  message.msg_control = ancillary;
  message.msg_controllen = sizeof ancillary;
  const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) take_fds(head, received);
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) {
    errno = EMSGSIZE;
    return -1;
  }
  return got;
}

Result<Fd> listen_unix(Buffer path, int type) {
  // A path may be longer than an address holds; through a descriptor of its directory it is short.
  const std::size_t slash = path.view().rfind('/');
  Buffer directory_path = concat(path.view().substr(0, slash + 1), ".");
  const Fd directory(::open(directory_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return fail(errno, "open ", directory_path);
  Buffer name = concat(path.view().substr(slash + 1));
  const Buffer near = concat("/proc/self/fd/", directory.get(), "/", name);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (near.size() >= sizeof address.sun_path) return fail(ENAMETOOLONG, "listen on ", path);
  memcpy(address.sun_path, near.view().data(), near.size());
  unlinkat(directory.get(), name.c_str(), 0);
  Fd listener(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return fail(errno, "make a socket");
  // The file takes its mode from the socket's at bind(2), less the umask, so nobody else ever gets in.
  if (fchmod(listener.get(), 0600) != 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    return fail(errno, "listen on ", path);
  }
  return listener;
}

Result<> Control::open(Fd inherited, Buffer path) {
  Result<Fd> listener = listen_unix(concat(path), SOCK_SEQPACKET);
  if (!listener) return std::unexpected(std::move(listener).error());
  listener_ = std::move(*listener);
  path_ = std::move(path);
  add(std::move(inherited));
  return {};
}

void Control::close() {
  if (listener_.valid()) unlink(path_.c_str());
  listener_.close();
}

void Control::add_interest(PollSet& set) {
  place_ = set.add(listener_.get(), POLLIN);
  for (Connection& connection : connections_) connection.place = set.add(connection.socket.get(), POLLIN);
}

void Control::handle(const PollSet& set, Handler& handler) {
  for (Connection& connection : connections_) {
    if (set.ready(connection.place) != 0) receive(connection, handler);
    connection.place = PollSet::kNone;
  }
  if (set.ready(place_) != 0) accept_one();
  connections_.remove_if([](const Connection& connection) { return connection.broken; });
}

void Control::accept_one() {
  Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid()) {
    add(std::move(socket));
  }
}

void Control::receive(Connection& connection, Handler& handler) {
  ReceivedFds fds;
  const ssize_t got = receive_with_fds(connection.socket.get(), scratch::datagram, sizeof scratch::datagram, fds);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    connection.broken = true;
    return;
  }
  const std::string_view message(scratch::datagram, static_cast<std::size_t>(got));
  handler.on_request({connection.number, to_number(find_value(message, "seq"))}, message, fds);
}

void Control::send(std::uint64_t number, const Buffer& message, int fd) {
  Connection* connection = connections_.find_if([&](const Connection& one) { return one.number == number; });
  if (connection == nullptr || connection->broken) return;
  if (send_with_fd(connection->socket.get(), message.view(), fd) < 0) connection->broken = true;
}

void Control::send_to_all(const Buffer& message) {
  for (Connection& connection : connections_) {
    if (!connection.broken && send_with_fd(connection.socket.get(), message.view(), -1) < 0) connection.broken = true;
  }
}

}  // namespace berth::shim
