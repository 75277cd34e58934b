// The TLS end of a daemon that listens on TCP: accepts, shakes hands, and hands the daemon one end of a socket pair for
// each client that has shown a good certificate. The daemon never sees TLS, and may pass that socket on (attach, exec).
//
// It is a process of its own, berth-tls, so that connections through it outlive the daemon, as others do. They talk
// over a SOCK_SEQPACKET socket; every message goes to the daemon:
//   "ready"              it listens
//   "failed TEXT"        it cannot: it ends
//   "client ADDRESS"     with the descriptor of the plain stream
// When that socket ends, nothing more is accepted; what runs, runs on.
//
// Renewed files are noticed at the next connection. Thread: the loop's.
#pragma once

#include <chrono>
#include <list>
#include <memory>

#include "async/event.h"
#include "async/task_group.h"
#include "tls/session.h"

namespace berth::tls {

struct ServerLimits {
  std::size_t connections = 4096;  // beyond it they wait in the kernel's queue
  // A stranger can only hold what has not shaken hands yet; beyond this number the oldest of those is dropped.
  std::size_t handshakes = 256;
  std::chrono::seconds handshake_time{10};
};

class Server {
 public:
  Server(async::Loop& loop, Files files, sys::UniqueFd listener, sys::UniqueFd control, ServerLimits limits = {});
  // Until the daemon has gone and the last connection has ended; an error when it could not begin.
  async::Task<Result<void>> run();

 private:
  async::Task<> accept_loop();
  async::Task<> watch_daemon();
  async::Task<> serve(sys::UniqueFd socket, std::string address);
  async::Task<bool> shake_hands(Session& session, const std::string& address);
  async::Task<Result<void>> introduce(sys::UniqueFd plain, const std::string& address);
  async::Task<> refresh();

  async::Loop& loop_;
  const Files files_;
  const ServerLimits limits_;
  Context context_;
  std::string stamp_;  // of the files that context_ was made from
  async::Fd listener_;
  async::Fd control_;
  std::list<int> shaking_;  // sockets, oldest first
  std::size_t connections_ = 0;
  async::Notifier departed_;
  async::TaskGroup accepting_;
  async::TaskGroup serving_;
};

}  // namespace berth::tls
