// An HTTP/1.1 server on the loop: keep-alive, pipelining, chunked streams, hijacked connections, and limits that keep
// a hostile client from holding more than its share.
//
// A Server is made with a Router, given its listening sockets, and runs until stop(). It ignores SIGPIPE for the whole
// process, as writes to sockets need.
//
// Thread: the loop's. The Server outlives the loop's run, or stop() has been awaited.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <string>

#include "async/event.h"
#include "async/fd.h"
#include "async/task_group.h"
#include "http/router.h"

namespace berth::http {

struct ServerLimits {
  std::size_t max_connections = 4096;  // beyond it a connection waits in the kernel's queue
  std::size_t max_header_bytes = 64 << 10;
  std::chrono::seconds header_timeout{10};  // from the first byte of a request to the end of its head
  std::chrono::seconds idle_timeout{300};   // between requests, and before the first
  std::chrono::seconds body_timeout{60};    // without any byte of a body that a handler reads
  std::chrono::seconds write_timeout{0};    // without any byte of an answer taken; 0: none (a paused `logs -f` is fine)
};

struct ListenerOptions {
  int access = 0;    // told to handlers as Peer::access
  std::string name;  // for the log
};

constexpr std::chrono::milliseconds kStopGrace{2000};

class Server {
 public:
  Server(async::Loop& loop, Router router, ServerLimits limits = {}, Headers headers = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Accepts from a listening stream socket (unix or TCP) from now on.
  void listen(sys::UniqueFd socket, ListenerOptions options);
  // Serves a connection that somebody else accepted.
  void serve(sys::UniqueFd socket, Peer peer);
  // Stops accepting and closes what is idle or only waits (OnGone::cancel); handlers that have something to finish get
  // the grace for it, and are cancelled after that. Returns when the last one has ended.
  async::Task<> stop(std::chrono::milliseconds grace = kStopGrace);

  std::size_t connections() const { return connections_.size(); }

 private:
  friend class Connection;
  async::Task<> accept_loop(std::shared_ptr<async::Fd> listener, ListenerOptions options);
  async::Task<> run(std::shared_ptr<Connection> connection);

  async::Loop& loop_;
  const Router router_;
  const ServerLimits limits_;
  const Headers headers_;  // sent with every answer
  std::list<std::shared_ptr<Connection>> connections_;
  async::Notifier departed_;
  async::TaskGroup accepting_;
  async::TaskGroup serving_;
};

// A listening TCP socket on a numeric address ("127.0.0.1", "::") and port; port 0 lets the kernel choose.
Result<sys::UniqueFd> listen_tcp(const std::string& address, std::uint16_t port, int backlog = 512);
// The port that a socket is bound to.
Result<std::uint16_t> local_port(int socket);

}  // namespace berth::http
