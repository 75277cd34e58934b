// One TLS connection (1.2 or 1.3) over a socket on the loop, where each side has shown the other a certificate.
//
// Thread: the loop's. One reader and one writer at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "async/fd.h"
#include "base/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace berth::tls {

// PEM files. authority: what the other side's certificate must be signed by.
struct Files {
  std::string authority;
  std::string certificate;
  std::string key;
};

enum class Side { server, client };

// What the sessions of one side share. A value.
class Context {
 public:
  // `invalid` or `io`, naming the file, when one cannot be used. Blocks on the disk.
  static Result<Context> make(Side side, const Files& files);

 private:
  friend class Session;
  Side side_ = Side::server;
  std::shared_ptr<ssl_ctx_st> context_;
};

class Session {
 public:
  // host: for a client, the name or address that the server's certificate must be for.
  Session(async::Loop& loop, const Context& context, sys::UniqueFd socket, const std::string& host = {});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // To be called once, first. `denied` when a certificate is missing or not to be trusted.
  async::Task<Result<void>> handshake();
  // At least one byte; 0 when the other side has ended its direction (close_notify). A connection that is cut without
  // that is an error.
  async::Task<Result<std::size_t>> read_some(std::span<char> buffer);
  async::Task<Result<void>> write_all(std::string_view bytes);
  // Ends this direction; reading goes on.
  async::Task<Result<void>> close_write();
  // After the end of the other side's direction: returns when its socket has gone too.
  async::Task<> wait_gone();
  // The common name of the other side's certificate.
  std::string peer_name() const;
  int socket() const { return fd_.get(); }

 private:
  // Until the socket is ready for what OpenSSL wants.
  async::Task<Result<void>> wait_for(int ssl_error);

  async::Fd fd_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
};

}  // namespace berth::tls
