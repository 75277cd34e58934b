// One connection of a Server: reads requests one after the other, runs their handlers, and watches the client while a
// handler runs.
//
// Thread: the loop's. Owned by the server's list while it serves.
#pragma once

#include <optional>
#include <string>

#include "async/event.h"
#include "async/fd.h"
#include "async/task_group.h"
#include "http/detail/deadline.h"
#include "http/detail/parser.h"
#include "http/exchange.h"
#include "http/server.h"

namespace berth::http {

class Connection {
 public:
  Connection(Server& server, sys::UniqueFd socket, Peer peer);

  // Serves until the client leaves, an error, a hijack or abort().
  async::Task<> run();
  // Cancels what runs and shuts the socket down.
  void abort();
  // The same, unless a request that must come to its end (OnGone::finish) is being handled: then after its answer.
  void retire();

 private:
  friend class Exchange;

  async::Task<> serve();
  async::Task<bool> serve_one();
  async::Task<Result<void>> read_head();
  async::Task<Result<void>> dispatch(Exchange& exchange);
  async::Task<Result<void>> call(const Router::Route& route, Exchange& exchange);
  async::Task<Result<void>> conclude(Exchange& exchange, Result<void> result);
  async::Task<bool> drain();
  async::Task<> linger();
  async::Task<> watch();

  async::Loop& loop() const { return server_.loop_; }
  const Headers& server_headers() const { return server_.headers_; }
  // More bytes into input_; 0 when the client has closed.
  async::Task<Result<std::size_t>> fill();
  async::Task<Result<std::size_t>> read_body_some(std::span<char> buffer);
  async::Task<Result<void>> send(std::string bytes);
  // Watches from now on, if a handler runs. Watching reads from the socket: nobody else may until it has stopped.
  void start_watching();
  async::Task<> stop_watching();

  Server& server_;
  async::Fd fd_;
  Peer peer_;
  detail::Deadline deadline_;
  std::optional<detail::Parser> parser_;
  std::string input_;          // received, not yet parsed
  std::string body_;           // of the current request, parsed and not yet read
  std::size_t body_read_ = 0;  // how much of body_ has been read
  bool expects_continue_ = false;
  bool body_too_large_ = false;
  bool handling_ = false;
  bool hijacked_ = false;
  bool aborted_ = false;
  bool retired_ = false;
  OnGone on_gone_ = OnGone::finish;
  async::Event gone_;
  async::TaskGroup serving_;
  async::TaskGroup watching_;
};

}  // namespace berth::http
