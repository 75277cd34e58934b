// Unix sockets: pairs, listeners, connections, and messages that carry descriptors (unix(7), SCM_RIGHTS).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::sys {

// type is SOCK_STREAM or SOCK_SEQPACKET; SOCK_CLOEXEC is added, SOCK_NONBLOCK may be.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair(int type);
// Replaces a stale socket file; the file gets mode before anybody can connect. A path over 107 bytes is bound through
// /proc/self/fd of its directory.
Result<UniqueFd> listen_unix(const std::string& path, int type, mode_t mode, int backlog = 128);
Result<UniqueFd> connect_unix(const std::string& path, int type);

struct Message {
  std::string bytes;
  std::vector<UniqueFd> fds;
};
constexpr std::size_t kMaxMessageFds = 8;
// One sendmsg(2); a short write of a stream socket is an error, so keep messages under 64 KiB.
Result<void> send_message(int socket, std::string_view bytes, const std::vector<int>& fds);
// One recvmsg(2) of at most limit bytes; empty bytes mean that the peer has closed. A cut message is an error.
Result<Message> receive_message(int socket, std::size_t limit = 64 << 10);

struct PeerCredentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};
Result<PeerCredentials> peer_credentials(int socket);

}  // namespace berth::sys
