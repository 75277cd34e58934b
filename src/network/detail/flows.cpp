#include "network/detail/flows.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <cerrno>
#include <string>
#include <vector>

#include "sys/netlink.h"

namespace berth::network {

namespace {

constexpr int conntrack_type(int message) { return NFNL_SUBSYS_CTNETLINK << 8 | message; }

nfgenmsg header_for(Ip address) {
  nfgenmsg header{};
  header.nfgen_family = address.is_v6() ? AF_INET6 : AF_INET;
  header.version = NFNETLINK_V0;
  return header;
}

}  // namespace

Result<void> forget_flows(Ip guest) {
  TRY(auto socket, sys::NetlinkSocket::open(NETLINK_NETFILTER));
  sys::NetlinkBatch list;
  list.begin(conntrack_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, header_for(guest), "list connections");
  // The tuple of the first direction names a connection; the source of the other one is who answers it.
  std::vector<std::string> tuples;
  int source = guest.is_v6() ? CTA_IP_V6_SRC : CTA_IP_V4_SRC;
  std::string address = guest.bytes();
  TRY_OK(socket.request(list, [&](const sys::NetlinkMessage& message) {
    auto flow = message.attributes<nfgenmsg>();
    auto answerer = flow.nested(CTA_TUPLE_REPLY).nested(CTA_TUPLE_IP).find(source);
    if (answerer == address) tuples.emplace_back(flow.find(CTA_TUPLE_ORIG).value_or(""));
  }));
  for (const std::string& tuple : tuples) {
    sys::NetlinkBatch removal;
    removal.begin(conntrack_type(IPCTNL_MSG_CT_DELETE), 0, header_for(guest), "forget a connection to " + guest.text());
    removal.put(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple);
    // It may have ended meanwhile.
    if (auto removed = socket.transact(removal); !removed && removed.error().errno_value() != ENOENT) return removed;
  }
  return {};
}

}  // namespace berth::network
