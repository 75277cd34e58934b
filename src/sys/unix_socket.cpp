#include "sys/unix_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "sys/file.h"

namespace berth::sys {

namespace {

struct Address {
  sockaddr_un value{};
  UniqueFd directory;  // held while the address names it through /proc/self/fd
};

Result<Address> address_of(const std::string& path) {
  Address address;
  address.value.sun_family = AF_UNIX;
  std::string name = path;
  if (name.size() >= sizeof address.value.sun_path) {
    std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return fail_errno(ENAMETOOLONG, "socket " + path);
    TRY(address.directory, open_file(path.substr(0, slash + 1), O_PATH | O_DIRECTORY));
    name = fmt::format("/proc/self/fd/{}/{}", address.directory.get(), path.substr(slash + 1));
    if (name.size() >= sizeof address.value.sun_path) return fail_errno(ENAMETOOLONG, "socket " + path);
  }
  std::memcpy(address.value.sun_path, name.c_str(), name.size() + 1);
  return address;
}

Result<UniqueFd> new_socket(int type) {
  int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno("make a unix socket");
  return UniqueFd(fd);
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0) return fail_errno("make a socket pair");
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

Result<UniqueFd> listen_unix(const std::string& path, int type, mode_t mode, int backlog) {
  TRY(Address address, address_of(path));
  TRY(UniqueFd socket, new_socket(type));
  TRY_OK(remove_file(path));
  // Nobody can connect before listen(2), so the mode is in force from the first connection on.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.value), sizeof address.value) < 0)
    return fail_errno("bind " + path);
  if (::chmod(path.c_str(), mode) < 0) return fail_errno("chmod " + path);
  if (::listen(socket.get(), backlog) < 0) return fail_errno("listen on " + path);
  return socket;
}

Result<UniqueFd> connect_unix(const std::string& path, int type) {
  TRY(Address address, address_of(path));
  TRY(UniqueFd socket, new_socket(type));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.value), sizeof address.value) < 0)
    return fail_errno("connect to " + path);
  return socket;
}

Result<void> send_message(int socket, std::string_view bytes, const std::vector<int>& fds) {
  if (fds.size() > kMaxMessageFds) return fail(ErrorCode::internal, "too many descriptors in one message");
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxMessageFds)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t put;
  do put = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  if (put < 0) return fail_errno("send a message");
  if (static_cast<std::size_t>(put) != bytes.size()) return fail(ErrorCode::io, "send a message: cut short");
  return {};
}

Result<Message> receive_message(int socket, std::size_t limit) {
  Message result;
  result.bytes.resize(limit);
  iovec part{result.bytes.data(), limit};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxMessageFds)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("receive a message");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      result.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return fail(ErrorCode::io, "receive a message: cut short");
  result.bytes.resize(static_cast<std::size_t>(got));
  return result;
}

Result<PeerCredentials> peer_credentials(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return fail_errno("SO_PEERCRED");
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace berth::sys
