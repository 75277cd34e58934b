// Netlink (netlink(7)): messages built in memory, sent as one batch, and their answers.
//
//   NetlinkBatch batch;
//   batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{}, "make bridge br0");
//   batch.put_string(IFLA_IFNAME, "br0");
//   { auto info = batch.nest(IFLA_LINKINFO); batch.put_string(IFLA_INFO_KIND, "bridge"); }
//   TRY_OK(socket.transact(batch));
//
// Attribute numbers and fixed headers are those of the kernel's uapi headers. Thread: values; a socket is used by one
// thread at a time.
#pragma once

#include <linux/netlink.h>
#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::sys {

class NetlinkBatch {
 public:
  // Ends an attribute that holds others when it goes, which must be before the batch is sent.
  class Nest {
   public:
    Nest(NetlinkBatch& batch, std::size_t at) : batch_(batch), at_(at) {}
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;
    ~Nest() { batch_.end_nest(at_); }

   private:
    NetlinkBatch& batch_;
    std::size_t at_;
  };

  // Starts a message; NLM_F_REQUEST is added. intent is what an error of this message is told with.
  template <class Header>
  void begin(int type, int flags, const Header& header, std::string intent) {
    static_assert(std::is_trivially_copyable_v<Header>);
    begin_message(type, flags, std::move(intent));
    put_raw({reinterpret_cast<const char*>(&header), sizeof header});
  }
  void put(int attribute, std::string_view bytes);
  // With the terminating NUL.
  void put_string(int attribute, const std::string& text);
  // In this machine's byte order.
  template <class T>
    requires std::is_integral_v<T>
  void put_number(int attribute, T value) {
    put(attribute, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  // A second fixed header inside an attribute, as VETH_INFO_PEER wants it.
  template <class Header>
  void put_header(const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header>);
    put_raw({reinterpret_cast<const char*>(&header), sizeof header});
  }
  [[nodiscard]] Nest nest(int attribute);

  bool empty() const { return starts_.empty(); }
  // The messages with their lengths filled in.
  const std::string& finish();
  // Of the message with this sequence number, which counts from 1.
  std::string_view intent_of(std::uint32_t sequence) const;

 private:
  void begin_message(int type, int flags, std::string intent);
  void put_raw(std::string_view bytes);
  void end_nest(std::size_t at);

  std::string bytes_;
  std::vector<std::size_t> starts_;
  std::vector<std::string> intents_;
  int open_nests_ = 0;
};

// The attributes of one level of a received message.
class NetlinkAttributes {
 public:
  // bytes must outlive this. Attributes that are cut off are left out.
  explicit NetlinkAttributes(std::string_view bytes);
  // Nothing when it is absent.
  std::optional<std::string_view> find(int attribute) const;
  // Up to the first NUL; empty when it is absent.
  std::string string(int attribute) const;
  template <class T>
    requires std::is_integral_v<T>
  std::optional<T> number(int attribute) const {
    auto bytes = find(attribute);
    if (!bytes || bytes->size() != sizeof(T)) return {};
    T value;
    __builtin_memcpy(&value, bytes->data(), sizeof value);
    return value;
  }
  NetlinkAttributes nested(int attribute) const { return NetlinkAttributes(find(attribute).value_or("")); }

 private:
  std::map<int, std::string_view> values_;
};

// One received message. The views are good while the callback runs.
struct NetlinkMessage {
  int type;
  std::string_view body;  // after the nlmsghdr

  // The fixed header, zeros when the body is shorter.
  template <class Header>
  Header header() const {
    static_assert(std::is_trivially_copyable_v<Header>);
    Header value{};
    if (body.size() >= sizeof value) __builtin_memcpy(&value, body.data(), sizeof value);
    return value;
  }
  template <class Header>
  NetlinkAttributes attributes() const {
    return NetlinkAttributes(body.size() > NLMSG_ALIGN(sizeof(Header)) ? body.substr(NLMSG_ALIGN(sizeof(Header))) : "");
  }
};

// Runs f on a thread that has entered the network namespace netns and ends with it; what f returns, a Result, is the
// answer. About 50 us. A socket stays in the namespace that it was made in.
template <class F>
std::invoke_result_t<F> in_network(int netns, F f) {
  std::invoke_result_t<F> result = fail(ErrorCode::internal, "enter the network namespace");
  std::thread([&] {
    if (::setns(netns, CLONE_NEWNET) < 0)
      result = fail_errno("enter the network namespace");
    else
      result = f();
  }).join();
  return result;
}

class NetlinkSocket {
 public:
  // protocol is NETLINK_ROUTE or NETLINK_NETFILTER. For the network namespace of the calling thread.
  static Result<NetlinkSocket> open(int protocol);
  // For the namespace of this descriptor.
  static Result<NetlinkSocket> open_in(int netns, int protocol);

  // Sends the batch as one datagram, under 64 KiB, and reports the first message that failed, with the kernel's own
  // explanation where it gives one. Messages of rtnetlink take effect one by one, also after one that failed; those of
  // an nftables batch all or none.
  Result<void> transact(NetlinkBatch& batch);
  // The same with a request, NLM_F_DUMP or not, and on_message for each message of the answer.
  Result<void> request(NetlinkBatch& batch, const std::function<void(const NetlinkMessage&)>& on_message);

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> send(NetlinkBatch& batch);

  UniqueFd fd_;
};

}  // namespace berth::sys
