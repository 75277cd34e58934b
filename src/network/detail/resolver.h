// The resolver of one container: what answers at 127.0.0.11 inside its network namespace.
//
// Its two sockets, UDP and TCP, are opened in the container's namespace on ports that the kernel chooses, and a rule of
// that namespace sends what is addressed to port 53 of 127.0.0.11 there; so a name server of the container's own may
// bind port 53 of every address. Names of the container's networks are answered at once; all else is asked of the
// upstream servers, UDP by UDP and TCP by TCP, from a new socket and under a new id each time, so that an answer
// cannot be guessed.
//
// Thread: the loop's. Held by shared_ptr; its tasks hold it until close() has ended them.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/fd.h"
#include "async/loop.h"
#include "async/task_group.h"
#include "network/dns.h"
#include "sys/unique_fd.h"

namespace berth::network {

// Who knows the names of a container's networks.
class Names {
 public:
  struct Addresses {
    bool ours = false;          // nobody else is asked; without addresses there is no such name
    std::vector<Ip> addresses;  // of both families
  };
  struct Name {
    bool ours = false;
    std::string name;  // "web.team"
  };
  virtual ~Names() = default;
  virtual Addresses addresses_of(std::string_view container, std::string_view name) const = 0;
  virtual Name name_of(std::string_view container, Ip address) const = 0;
  // Whether other names may be asked of the outside: not from internal networks alone.
  virtual bool asks_outside(std::string_view container) const = 0;
};

struct Upstream {
  Ip address;
  bool from_guest = false;  // asked from the container's namespace, not from the host's
  std::uint16_t port = 53;
};

class Resolver : public std::enable_shared_from_this<Resolver> {
 public:
  static constexpr std::size_t kMaxOutstanding = 128;  // questions to the outside, a container
  static constexpr std::size_t kMaxInAll = 1024;       // and of all containers together
  static constexpr std::size_t kMaxConnections = 16;   // TCP

  struct Settings {
    std::string container;
    std::vector<Upstream> upstreams;
    std::shared_ptr<std::size_t> in_all;  // shared by all resolvers
  };
  // names outlives close(). netns is copied. reopening: an earlier engine may have left its rule there. Some ms, on the
  // blocking pool.
  static async::Task<Result<std::shared_ptr<Resolver>>> open(async::Loop& loop, const Names& names, Settings settings,
                                                             int netns, bool reopening);
  // Ends what is under way. Idempotent.
  async::Task<> close();

 private:
  struct Sockets {
    sys::UniqueFd udp, tcp;
  };
  Resolver(async::Loop& loop, const Names& names, Settings settings, Sockets sockets, sys::UniqueFd netns);
  static Result<Sockets> open_sockets(bool reopening);

  async::Task<> serve_udp();
  async::Task<> serve_tcp();
  async::Task<> serve_connection(std::shared_ptr<async::Fd> connection);
  // The answer from our own names, or nothing.
  std::optional<dns::Answer> answer_of_ours(const dns::Query& query);
  void take_datagram(std::string packet, const sockaddr_in& from);
  async::Task<> forward_datagram(std::string packet, dns::Query query, sockaddr_in from);
  // The whole answer to a packet that came by TCP; empty: none is due.
  async::Task<std::string> reply_to(std::string packet);
  async::Task<std::string> forward(std::string packet, dns::Query query, bool tcp);
  async::Task<Result<std::string>> ask(Upstream server, std::string packet, dns::Query query, bool tcp);
  async::Task<Result<sys::UniqueFd>> connect(Upstream server, bool tcp);

  async::Loop& loop_;
  const Names& names_;
  Settings settings_;
  async::Fd udp_, tcp_;
  sys::UniqueFd netns_;
  std::size_t outstanding_ = 0;
  std::size_t connections_ = 0;
  async::TaskGroup tasks_;
};

}  // namespace berth::network
