#include "network/preflight.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "base/text.h"
#include "network/detail/firewall.h"
#include "network/detail/links.h"
#include "network/guest_files.h"
#include "sys/file.h"
#include "sys/netlink.h"

namespace berth::network {

namespace {

// What an engine does at its start and for a container, in small.
class Trial {
 public:
  Trial() {
    network_.name = "trial";
    network_.interface = "trial0";
    Subnet subnet(Ip::v4(0xc0000200), 24);  // 192.0.2.0/24, for documentation (RFC 5737)
    network_.ipv4 = Pool{subnet, subnet.base().plus(1), {}, {}};
    network_.isolated = true;
    endpoint_.host_interface = "trialv";
    endpoint_.guest_interface = "eth0";
    endpoint_.ip = subnet.base().plus(2);
    endpoint_.mac = MacAddress::from_address(endpoint_.ip);
    endpoint_.ports = {{"tcp", Ip(), 80, 80}};
  }

  // In a network namespace of its own, on the calling thread.
  std::vector<Problem> run() {
    if (::unshare(CLONE_NEWNET) < 0)
      return {{fail_errno("make a network namespace").error().text(), "run the engine as root"}};
    std::vector<Problem> problems;
    attempt(problems, ensure_bridge(network_), "modprobe bridge");
    attempt(problems, pair(), "modprobe veth");
    attempt(problems, rules(),
            "modprobe -a nf_tables nf_conntrack nft_ct nft_chain_nat nft_masq nft_fib_inet nft_reject_inet "
            "nf_tables_bridge");
    return problems;
  }

 private:
  static void attempt(std::vector<Problem>& problems, const Result<void>& result, std::string mend) {
    if (!result) problems.push_back({result.error().text(), std::move(mend)});
  }

  Result<void> pair() {
    TRY(sys::UniqueFd here, sys::open_file("/proc/thread-self/ns/net", O_RDONLY));
    return make_veth({network_, endpoint_, true}, here.get());
  }

  Result<void> rules() {
    TRY(auto firewall, Firewall::open("trial"));
    std::vector<Element> elements = elements_of(network_, std::vector<HostService>());
    TRY_OK(firewall->install(elements));
    return firewall->add(elements_of(network_, endpoint_));
  }

  Network network_;
  Endpoint endpoint_;
};

// Forward chains of others that would drop or reject what ours let pass. The one of iptables-nft is opened by the
// engine itself.
std::vector<Problem> foreign_firewalls(const Config& config) {
  std::vector<Problem> problems;
  auto socket = sys::NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return problems;
  sys::NetlinkBatch batch;
  nfgenmsg header{};
  batch.begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, header, "list nftables chains");
  auto listed = socket->request(batch, [&](const sys::NetlinkMessage& message) {
    auto chain = message.attributes<nfgenmsg>();
    std::string table = chain.string(NFTA_CHAIN_TABLE);
    std::string name = chain.string(NFTA_CHAIN_NAME);
    auto family = message.header<nfgenmsg>().nfgen_family;
    bool forward = chain.nested(NFTA_CHAIN_HOOK).number<std::uint32_t>(NFTA_HOOK_HOOKNUM) == htonl(NF_INET_FORWARD);
    bool opened = table == config.table || (table == "filter" && name == "FORWARD");
    bool drops = chain.number<std::uint32_t>(NFTA_CHAIN_POLICY) == htonl(NF_DROP);
    if (!forward || opened || (family != NFPROTO_INET && family != NFPROTO_IPV4)) return;
    if (table == "firewalld")
      problems.push_back({"firewalld rejects what goes to and from containers",
                          fmt::format("firewall-cmd --permanent --zone=trusted --add-interface={0}0 "
                                      "--add-interface={0}1 && firewall-cmd --reload",
                                      config.prefix),
                          false});
    else if (drops)
      problems.push_back({fmt::format("the nftables chain {} {} drops what it does not know", table, name),
                          fmt::format("nft 'add rule {0} {1} {2} iifname \"{3}*\" accept; add rule {0} {1} {2} oifname "
                                      "\"{3}*\" accept'",
                                      family == NFPROTO_INET ? "inet" : "ip", table, name, config.prefix),
                          false});
  });
  if (!listed) problems.push_back({listed.error().text(), "modprobe nf_tables", false});
  return problems;
}

std::vector<Problem> host_settings(const Config& config) {
  std::vector<Problem> problems;
  constexpr char kForward[] = "/proc/sys/net/ipv4/ip_forward";
  if (::access(kForward, W_OK) < 0)
    problems.push_back({fail_errno(fmt::format("write {}", kForward)).error().text(), "mount -o remount,rw /proc/sys"});
  if (sys::read_file("/proc/net/ip_tables_names").value_or("").find("filter") != std::string::npos)
    problems.push_back({"rules of iptables-legacy are in force; they may drop what goes to and from containers",
                        fmt::format("iptables-legacy -A FORWARD -i {0}+ -j ACCEPT; iptables-legacy -A FORWARD -o {0}+ "
                                    "-j ACCEPT",
                                    config.prefix),
                        false});
  std::string resolvers = resolv_conf(read_host_resolv_conf(), {});
  if (resolvers.starts_with("nameserver 169.254."))
    problems.push_back({"the host's resolver has a link-local address, which workspaces may not reach",
                        "name another resolver for workspaces with --dns", false});
  return problems;
}

}  // namespace

std::vector<Problem> preflight(const Config& config) {
  std::vector<Problem> problems;
  std::thread([&] { problems = Trial().run(); }).join();
  for (Problem& problem : foreign_firewalls(config)) problems.push_back(std::move(problem));
  for (Problem& problem : host_settings(config)) problems.push_back(std::move(problem));
  return problems;
}

}  // namespace berth::network
