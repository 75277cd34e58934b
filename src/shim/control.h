// Control connections: SOCK_SEQPACKET sockets on which engines ask and are told (protocol.h). The first is inherited,
// later ones come through a listening socket, after a restart of the engine.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "shim/fd.h"
#include "shim/list.h"
#include "shim/poll_set.h"
#include "shim/protocol.h"
#include "shim/result.h"

namespace berth::shim {

struct ReceivedFds {
  Fd fds[kMaxDatagramFds];
  std::size_t count = 0;
};

// recvmsg(2) without waiting; descriptors beyond kMaxDatagramFds are closed. -1 with errno, EMSGSIZE for a cut message.
ssize_t receive_with_fds(int socket, char* place, std::size_t size, ReceivedFds& received);

// A non-blocking listening socket with mode 0600 at path, in place of what was there.
Result<Fd> listen_unix(Buffer path, int type);

// Who asked, for an answer that comes later: a connection, and the number of its request.
struct Requester {
  std::uint64_t connection = 0;
  std::uint64_t sequence = 0;
};

class Control {
 public:
  // Takes the inherited connection and opens the listening socket.
  Result<> open(Fd inherited, Buffer path);
  // Removes the listening socket's file.
  void close();

  class Handler {
   public:
    virtual void on_request(const Requester& requester, std::string_view message, ReceivedFds& fds) = 0;

   protected:
    ~Handler() = default;
  };

  void add_interest(PollSet& set);
  void handle(const PollSet& set, Handler& handler);
  bool is_connected() const { return !connections_.empty(); }

  // Never wait: a peer that leaves its socket full is dropped. fd goes with the message, -1 for none.
  void send(std::uint64_t connection, const Buffer& message, int fd = -1);
  void send_to_all(const Buffer& message);

 private:
  struct Connection {
    Fd socket;
    std::uint64_t number;
    bool broken = false;
    int place = PollSet::kNone;
    Connection* next = nullptr;
  };
  void add(Fd socket) { connections_.add(new Connection{std::move(socket), ++last_number_}); }
  void accept_one();
  void receive(Connection& connection, Handler& handler);

  Fd listener_;
  Buffer path_;
  int place_ = PollSet::kNone;
  std::uint64_t last_number_ = 0;
  List<Connection> connections_;
};

}  // namespace berth::shim
