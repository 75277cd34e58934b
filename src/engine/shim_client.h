// The engine's side of a shim: requests with answers, and events, over one control connection (docs/design/shim.md).
//
// Thread: the loop's. The connection ends when the shim has left or died; closed() tells.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/event.h"
#include "async/fd.h"
#include "async/loop.h"
#include "engine/runtimes.h"
#include "sys/process.h"
#include "sys/unix_socket.h"

namespace berth::engine {

// One datagram: a verb and its fields, in order.
struct ShimMessage {
  std::string verb;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<sys::UniqueFd> fds;

  // The first field of the name, or nothing.
  std::string get(std::string_view name) const;
  std::int64_t number(std::string_view name, std::int64_t fallback = 0) const;
};

using ShimFields = std::vector<std::pair<std::string, std::string>>;

// NUL-terminated "key=value" fields, also the encoding of the shim's files.
std::string encode_shim_fields(const ShimFields& fields);
ShimFields decode_shim_fields(std::string_view bytes);

class ShimClient : public std::enable_shared_from_this<ShimClient> {
 public:
  // Starts a shim for a container of this runtime; it waits for requests.
  static Result<std::shared_ptr<ShimClient>> spawn(async::Loop& loop, const std::string& program,
                                                   const std::string& conf_file, const Runtime& runtime);
  // Connects to a shim of an earlier engine.
  static Result<std::shared_ptr<ShimClient>> connect(async::Loop& loop, const std::string& socket, sys::Process shim);

  // The answer's fields, or the shim's error: its message, as internal, with its errno in the text.
  async::Task<Result<ShimMessage>> request(std::string verb, ShimFields fields, std::vector<sys::UniqueFd> fds = {});
  // Reads until the connection ends; then the shim is reaped if it is a child. Run once, in the owner's task group.
  // handler is called for every event, on the loop.
  async::Task<> run(std::function<void(ShimMessage)> handler);

  const sys::Process& process() const { return process_; }
  bool closed() const { return closed_; }
  // Of a child that has ended: its wait status.
  std::optional<int> wait_status() const { return wait_status_; }

 private:
  ShimClient(async::Loop& loop, sys::UniqueFd socket, sys::Process process)
      : loop_(loop), socket_(loop, std::move(socket)), process_(std::move(process)) {}
  async::Task<Result<ShimMessage>> receive();
  async::Task<> reap();

  struct Pending {
    explicit Pending(async::Loop& loop) : done(loop) {}
    async::Event done;
    std::optional<ShimMessage> reply;
  };

  async::Loop& loop_;
  async::Fd socket_;
  sys::Process process_;
  bool closed_ = false;
  std::optional<int> wait_status_;
  std::uint64_t next_seq_ = 1;
  std::map<std::uint64_t, std::shared_ptr<Pending>> pending_;
};

}  // namespace berth::engine
