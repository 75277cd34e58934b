#include "sys/netlink.h"

#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

namespace berth::sys {

namespace {

constexpr std::size_t kReceiveBuffer = 64 << 10;

// Netlink headers and attributes lie on 4-byte borders of a char buffer, so they are copied in and out.
template <class T>
T load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(char* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

void NetlinkBatch::begin_message(int type, int flags, std::string intent) {
  starts_.push_back(bytes_.size());
  intents_.push_back(std::move(intent));
  nlmsghdr header{};
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_seq = static_cast<std::uint32_t>(starts_.size());
  put_raw({reinterpret_cast<const char*>(&header), sizeof header});
}

void NetlinkBatch::put_raw(std::string_view bytes) {
  bytes_.append(bytes);
  bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

void NetlinkBatch::put(int attribute, std::string_view bytes) {
  nlattr header{};
  header.nla_len = static_cast<std::uint16_t>(sizeof header + bytes.size());
  header.nla_type = static_cast<std::uint16_t>(attribute);
  put_raw({reinterpret_cast<const char*>(&header), sizeof header});
  put_raw(bytes);
}

void NetlinkBatch::put_string(int attribute, const std::string& text) {
  put(attribute, {text.c_str(), text.size() + 1});
}

NetlinkBatch::Nest NetlinkBatch::nest(int attribute) {
  std::size_t at = bytes_.size();
  put(attribute | NLA_F_NESTED, "");
  ++open_nests_;
  return Nest(*this, at);
}

void NetlinkBatch::end_nest(std::size_t at) {
  auto header = load<nlattr>(&bytes_[at]);
  header.nla_len = static_cast<std::uint16_t>(bytes_.size() - at);
  store(&bytes_[at], header);
  --open_nests_;
}

const std::string& NetlinkBatch::finish() {
  if (open_nests_ != 0) std::abort();
  for (std::size_t i = 0; i < starts_.size(); ++i) {
    std::size_t end = i + 1 < starts_.size() ? starts_[i + 1] : bytes_.size();
    auto header = load<nlmsghdr>(&bytes_[starts_[i]]);
    header.nlmsg_len = static_cast<std::uint32_t>(end - starts_[i]);
    store(&bytes_[starts_[i]], header);
  }
  return bytes_;
}

std::string_view NetlinkBatch::intent_of(std::uint32_t sequence) const {
  return sequence >= 1 && sequence <= intents_.size() ? std::string_view(intents_[sequence - 1]) : "netlink";
}

NetlinkAttributes::NetlinkAttributes(std::string_view bytes) {
  while (bytes.size() >= sizeof(nlattr)) {
    auto header = load<nlattr>(bytes.data());
    if (header.nla_len < sizeof(nlattr) || header.nla_len > bytes.size()) return;
    values_[header.nla_type & NLA_TYPE_MASK] = bytes.substr(sizeof(nlattr), header.nla_len - sizeof(nlattr));
    bytes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
  }
}

std::optional<std::string_view> NetlinkAttributes::find(int attribute) const {
  auto found = values_.find(attribute);
  if (found == values_.end()) return {};
  return found->second;
}

std::string NetlinkAttributes::string(int attribute) const {
  std::string_view bytes = find(attribute).value_or("");
  return std::string(bytes.substr(0, bytes.find('\0')));
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return fail_errno("open a netlink socket");
  int on = 1;
  // Both only shape the error messages, so a kernel that lacks them will do.
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return NetlinkSocket(std::move(fd));
}

Result<NetlinkSocket> NetlinkSocket::open_in(int netns, int protocol) {
  return in_network(netns, [protocol] { return open(protocol); });
}

Result<void> NetlinkSocket::send(NetlinkBatch& batch) {
  const std::string& bytes = batch.finish();
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel) < 0)
    return fail_errno(std::string(batch.intent_of(1)));
  return {};
}

namespace {

// An nlmsgerr; after it, when flagged, attributes, of which NLMSGERR_ATTR_MSG is the kernel's explanation.
Result<void> check_error(const nlmsghdr& header, std::string_view body, const NetlinkBatch& batch) {
  if (body.size() < sizeof(nlmsgerr)) return fail(ErrorCode::io, "netlink: an answer is cut off");
  int error = -load<nlmsgerr>(body.data()).error;
  if (error == 0) return {};
  std::string intent(batch.intent_of(header.nlmsg_seq));
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
    std::string why = NetlinkAttributes(body.substr(sizeof(nlmsgerr))).string(NLMSGERR_ATTR_MSG);
    if (!why.empty()) intent += " (" + why + ")";
  }
  return fail_errno(error, std::move(intent));
}

}  // namespace

Result<void> NetlinkSocket::request(NetlinkBatch& batch, const std::function<void(const NetlinkMessage&)>& on_message) {
  TRY_OK(send(batch));
  Result<void> result;
  auto buffer = std::make_unique_for_overwrite<char[]>(kReceiveBuffer);
  while (true) {
    // The kernel does the work and queues its answers within sendto, and the next part of a dump within recv, so an
    // empty queue means that all has been said.
    ssize_t got = ::recv(fd_.get(), buffer.get(), kReceiveBuffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return result;
    if (got < 0) return fail_errno(std::string(batch.intent_of(1)));
    std::string_view bytes(buffer.get(), static_cast<std::size_t>(got));
    while (bytes.size() >= sizeof(nlmsghdr)) {
      auto header = load<nlmsghdr>(bytes.data());
      if (header.nlmsg_len < sizeof(nlmsghdr) || header.nlmsg_len > bytes.size()) break;
      std::string_view body = bytes.substr(sizeof(nlmsghdr), header.nlmsg_len - sizeof(nlmsghdr));
      if (header.nlmsg_type == NLMSG_ERROR) {
        if (result) result = check_error(header, body, batch);
      } else if (header.nlmsg_type >= NLMSG_MIN_TYPE && on_message) {
        on_message({header.nlmsg_type, body});
      }
      bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), bytes.size()));
    }
  }
}

Result<void> NetlinkSocket::transact(NetlinkBatch& batch) { return request(batch, {}); }

}  // namespace berth::sys
