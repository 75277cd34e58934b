// TCP with mutual TLS for a Server: runs berth-tls, which accepts and shakes hands, and serves the plain streams that
// it hands over (tls/server.h has the protocol). The engine so never parses TLS, connections through it outlive the
// engine, and a hijacked stream can be passed on like any other socket.
//
// Thread: the loop's. stop() must be awaited before it goes.
#pragma once

#include <memory>
#include <string>

#include "async/event.h"
#include "http/server.h"
#include "sys/process.h"

namespace berth::http {

struct TlsOptions {
  std::string program;  // berth-tls
  std::string address;  // numeric
  std::uint16_t port = 0;
  std::string authority, certificate, key;  // PEM files
  ListenerOptions listener;
};

class TlsListener {
 public:
  TlsListener(async::Loop& loop, Server& server, TlsOptions options);
  TlsListener(const TlsListener&) = delete;
  TlsListener& operator=(const TlsListener&) = delete;

  // Returns when it listens, or with why it cannot. A berth-tls that dies later is started anew.
  async::Task<Result<void>> start();
  // Accepts no more. What has been handed over goes on.
  async::Task<> stop();

 private:
  async::Task<Result<void>> listen();
  Result<void> spawn();
  async::Task<Result<sys::Message>> receive();
  async::Task<> run();

  async::Loop& loop_;
  Server& server_;
  const TlsOptions options_;
  sys::UniqueFd socket_;
  sys::Process process_;
  std::unique_ptr<async::Fd> control_;
  async::TaskGroup tasks_;
};

}  // namespace berth::http
