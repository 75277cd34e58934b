#include "network/detail/firewall.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/text.h"
#include "network/detail/ruleset.h"
#include "sys/netlink.h"

namespace berth::network {

namespace {

using sys::NetlinkBatch;
using sys::NetlinkMessage;
using sys::NetlinkSocket;
using Part = Element::Part;
using Family = Element::Family;

std::string bytes_of(const void* data, std::size_t size) {
  std::string bytes(static_cast<const char*>(data), size);
  bytes.resize((size + 3) / 4 * 4);
  return bytes;
}

Part interface_part(const std::string& name) {
  std::string bytes = name;
  bytes.resize(IFNAMSIZ);
  return {bytes, '"' + name + '"'};
}

Part address_part(Ip address) { return {address.bytes(), address.text()}; }

Part subnet_part(const Subnet& subnet) {
  return {address_part(subnet.base()).bytes, subnet.text(), address_part(subnet.last()).bytes};
}

Part mac_part(const MacAddress& mac) { return {bytes_of(mac.bytes().data(), mac.bytes().size()), mac.text()}; }

Part protocol_part(const std::string& protocol) {
  std::uint8_t value = protocol == "udp" ? IPPROTO_UDP : IPPROTO_TCP;
  return {bytes_of(&value, sizeof value), protocol == "udp" ? "udp" : "tcp"};
}

Part port_part(std::uint16_t port) {
  std::uint16_t value = htons(port);
  return {bytes_of(&value, sizeof value), std::to_string(port)};
}

std::string joined_text(const std::vector<Part>& parts) {
  std::vector<std::string> texts;
  for (const Part& part : parts) texts.push_back(part.text);
  return join(texts, " . ");
}

std::string joined_bytes(const std::vector<Part>& parts) {
  std::string bytes;
  for (const Part& part : parts) bytes += part.bytes;
  return bytes;
}

// The end of a range; empty when no part is one.
std::string joined_ends(const std::vector<Part>& parts) {
  if (std::all_of(parts.begin(), parts.end(), [](const Part& part) { return part.end.empty(); })) return {};
  std::string bytes;
  for (const Part& part : parts) bytes += part.end.empty() ? part.bytes : part.end;
  return bytes;
}

const char* family_name(Family family) { return family == Family::inet ? "inet" : "bridge"; }

}  // namespace

std::vector<Element> elements_of(const Network& network, const std::vector<HostService>& services) {
  if (network.interface.empty()) return {};
  Part bridge = interface_part(network.interface);
  std::vector<Element> elements;
  auto add = [&](const char* set, std::vector<Part> key) {
    elements.push_back({Family::inet, set, std::move(key), {}});
  };
  add("bridges", {bridge});
  if (network.ipv4) add("subnets", {bridge, subnet_part(network.ipv4->subnet)});
  if (network.ipv6) {
    add("ipv6", {bridge});
    add("subnets6", {bridge, subnet_part(network.ipv6->subnet)});
  }
  if (network.isolated) add("isolated", {bridge});
  if (network.open_inside()) add("peers", {bridge, bridge});
  if (network.internal) add("internal", {bridge});
  if (!network.masquerades()) add("routed", {bridge});
  for (const HostService& service : services)
    if (service.network == network.name)
      add("services", {bridge, protocol_part(service.protocol), port_part(service.port)});
  return elements;
}

std::vector<Element> elements_of(const Network& network, const Endpoint& endpoint) {
  std::vector<Element> elements;
  if (network.isolated) {
    Part port = interface_part(endpoint.host_interface);
    elements.push_back({Family::bridge, "guarded", {port}, {}});
    elements.push_back({Family::bridge, "guests", {port, mac_part(endpoint.mac), address_part(endpoint.ip)}, {}});
  }
  for (const PublishedPort& port : endpoint.ports) {
    bool v6 = port.host_ip.is_v6();
    if (v6 && !endpoint.ip6) continue;
    std::vector<Part> key{protocol_part(port.protocol), port_part(port.host_port)};
    if (!port.host_ip.is_any()) key.insert(key.begin(), address_part(port.host_ip));
    elements.push_back({Family::inet,
                        std::string(port.host_ip.is_any() ? "published" : "published_at") + (v6 ? "6" : ""),
                        std::move(key),
                        {address_part(v6 ? *endpoint.ip6 : endpoint.ip), port_part(port.container_port)}});
  }
  return elements;
}

std::string ruleset_text(const std::string& table, const std::vector<Element>& elements) {
  constexpr std::string_view kPlaceholder = "@TABLE@";
  std::string text = kRuleset;
  for (std::size_t at; (at = text.find(kPlaceholder)) != std::string::npos;)
    text.replace(at, kPlaceholder.size(), table);
  for (const Element& element : elements)
    text += fmt::format("add element {} {} {} {{ {}{}{} }}\n", family_name(element.family), table, element.set,
                        joined_text(element.key), element.value.empty() ? "" : " : ", joined_text(element.value));
  return text;
}

namespace {

nfgenmsg netfilter_header(std::uint8_t family, std::uint16_t resource = 0) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  header.res_id = htons(resource);
  return header;
}

constexpr int nft_type(int message) { return NFNL_SUBSYS_NFTABLES << 8 | message; }

void put_value(NetlinkBatch& batch, int attribute, std::string_view bytes) {
  auto nest = batch.nest(attribute);
  batch.put(NFTA_DATA_VALUE, bytes);
}

void put_element(NetlinkBatch& batch, int message, const std::string& table, const Element& element) {
  std::uint8_t family = element.family == Family::inet ? NFPROTO_INET : NFPROTO_BRIDGE;
  bool adding = message == NFT_MSG_NEWSETELEM;
  batch.begin(
      nft_type(message), adding ? NLM_F_CREATE : 0, netfilter_header(family),
      fmt::format("{} {} in nftables set {}", adding ? "put" : "remove", joined_text(element.key), element.set));
  batch.put_string(NFTA_SET_ELEM_LIST_TABLE, table);
  batch.put_string(NFTA_SET_ELEM_LIST_SET, element.set);
  auto list = batch.nest(NFTA_SET_ELEM_LIST_ELEMENTS);
  auto item = batch.nest(NFTA_LIST_ELEM);
  put_value(batch, NFTA_SET_ELEM_KEY, joined_bytes(element.key));
  if (std::string end = joined_ends(element.key); !end.empty()) put_value(batch, NFTA_SET_ELEM_KEY_END, end);
  if (adding && !element.value.empty()) put_value(batch, NFTA_SET_ELEM_DATA, joined_bytes(element.value));
}

}  // namespace

Result<std::shared_ptr<Firewall>> Firewall::open(std::string table) {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_NETFILTER));
  return std::shared_ptr<Firewall>(new Firewall(std::move(table), std::move(socket)));
}

Result<void> Firewall::change(int message, std::span<const Element> elements) {
  if (elements.empty()) return {};
  NetlinkBatch batch;
  auto frame = netfilter_header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  batch.begin(NFNL_MSG_BATCH_BEGIN, 0, frame, "begin a change of nftables");
  for (const Element& element : elements) put_element(batch, message, table_, element);
  batch.begin(NFNL_MSG_BATCH_END, 0, frame, "commit a change of nftables");
  std::lock_guard lock(mutex_);
  return socket_.transact(batch);
}

Result<void> Firewall::add(const std::vector<Element>& elements) { return change(NFT_MSG_NEWSETELEM, elements); }

Result<void> Firewall::remove(const std::vector<Element>& elements) {
  auto result = change(NFT_MSG_DELSETELEM, elements);
  if (result || result.error().errno_value() != ENOENT) return result;
  // One that is gone already fails the whole transaction, so each gets its own. (NFT_MSG_DESTROYSETELEM is of 6.3.)
  for (const Element& element : elements) {
    result = change(NFT_MSG_DELSETELEM, {&element, 1});
    if (!result && result.error().errno_value() != ENOENT) return result;
  }
  return {};
}

Result<void> Firewall::install(const std::vector<Element>& elements) {
  return run_nft(ruleset_text(table_, elements), "install the nftables tables " + table_);
}

Result<void> run_nft(const std::string& commands, const std::string& intent) {
  std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context(::nft_ctx_new(NFT_CTX_DEFAULT), ::nft_ctx_free);
  if (!context) return fail(ErrorCode::io, "{}: libnftables does not start", intent);
  ::nft_ctx_buffer_error(context.get());
  ::nft_ctx_buffer_output(context.get());
  if (::nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0) return {};
  return fail(ErrorCode::io, "{}: {}", intent, trim(::nft_ctx_get_error_buffer(context.get())));
}

Result<void> remove_tables(const std::string& table) {
  std::string commands;
  for (const char* family : {"inet", "bridge"})
    commands += fmt::format("table {0} {1}\ndelete table {0} {1}\n", family, table);
  return run_nft(commands, "remove the nftables tables " + table);
}

}  // namespace berth::network
