#include "network/detail/foreign_forward.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstdint>
#include <vector>

#include "network/detail/firewall.h"
#include "sys/netlink.h"

namespace berth::network {

namespace {

using sys::NetlinkBatch;
using sys::NetlinkMessage;
using sys::NetlinkSocket;

constexpr char kTable[] = "filter";
constexpr char kChain[] = "FORWARD";

std::string comment_of(const std::string& table) { return "berth:" + table; }

nfgenmsg ipv4_header() {
  nfgenmsg header{};
  header.nfgen_family = NFPROTO_IPV4;
  header.version = NFNETLINK_V0;
  return header;
}

Result<bool> forward_policy_is_drop(NetlinkSocket& socket) {
  NetlinkBatch batch;
  batch.begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, ipv4_header(), "list nftables chains");
  bool drop = false;
  TRY_OK(socket.request(batch, [&](const NetlinkMessage& message) {
    auto chain = message.attributes<nfgenmsg>();
    if (chain.string(NFTA_CHAIN_TABLE) != kTable || chain.string(NFTA_CHAIN_NAME) != kChain) return;
    drop = chain.number<std::uint32_t>(NFTA_CHAIN_POLICY) == htonl(NF_DROP);
  }));
  return drop;
}

// Handles of the rules with our comment. In a rule's user data a comment is type 0, length, text with its NUL: nft(8)
// and iptables-nft write and read it so.
Result<std::vector<std::uint64_t>> find_rules(NetlinkSocket& socket, const std::string& comment) {
  std::string wanted{'\0', static_cast<char>(comment.size() + 1)};
  wanted += comment + '\0';
  NetlinkBatch batch;
  batch.begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, NLM_F_DUMP, ipv4_header(), "list nftables rules");
  batch.put_string(NFTA_RULE_TABLE, kTable);
  batch.put_string(NFTA_RULE_CHAIN, kChain);
  std::vector<std::uint64_t> handles;
  TRY_OK(socket.request(batch, [&](const NetlinkMessage& message) {
    auto rule = message.attributes<nfgenmsg>();
    auto handle = rule.number<std::uint64_t>(NFTA_RULE_HANDLE);
    bool ours = rule.string(NFTA_RULE_CHAIN) == kChain &&
                rule.find(NFTA_RULE_USERDATA).value_or("").find(wanted) != std::string_view::npos;
    if (ours && handle) handles.push_back(be64toh(*handle));
  }));
  return handles;
}

}  // namespace

Result<void> ensure_forward_accepted(const std::string& prefix, const std::string& table) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_NETFILTER));
  TRY(bool drop, forward_policy_is_drop(socket));
  if (!drop) return {};
  TRY(auto handles, find_rules(socket, comment_of(table)));
  if (handles.size() == 2) return {};
  std::string commands;
  for (std::uint64_t handle : handles)
    commands += fmt::format("delete rule ip {} {} handle {}\n", kTable, kChain, handle);
  for (const char* direction : {"iifname", "oifname"})
    commands += fmt::format("add rule ip {} {} {} \"{}*\" counter accept comment \"{}\"\n", kTable, kChain, direction,
                            prefix, comment_of(table));
  return run_nft(commands, "accept Berth's bridges in the FORWARD chain");
}

Result<void> remove_forward_accepted(const std::string& table) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_NETFILTER));
  TRY(auto handles, find_rules(socket, comment_of(table)));
  std::string commands;
  for (std::uint64_t handle : handles)
    commands += fmt::format("delete rule ip {} {} handle {}\n", kTable, kChain, handle);
  if (commands.empty()) return {};
  return run_nft(commands, "remove Berth's rules from the FORWARD chain");
}

}  // namespace berth::network
