// The static rules, in nft(8)'s language. @TABLE@ stands for the table's name.
#pragma once

namespace berth::network {

// Names of interfaces are enough everywhere, so bridges may come later than the rules.
//
// The sets:
//   bridges        every bridge of ours
//   isolated       those whose containers reach neither each other nor other networks of the host
//   internal       those whose containers reach nothing outside
//   peers          pairs (bridge . the same bridge) on which containers reach each other
//   routed         those whose packets leave with the containers' own addresses
//   ipv6           those with IPv6; from and to others no IPv6 is forwarded
//   subnets        bridge . its addresses; subnets6 those of IPv6
//   services       what the host offers to containers: bridge . protocol . port
//   published      protocol . host port : container address . port, on every address of the host
//   published_at   the same on one address; published6 and published6_at those of IPv6
//   guarded        ports of isolated bridges
//   guests         port . MAC . address: who may send in whose name
inline constexpr char kRuleset[] = R"(
table inet @TABLE@
delete table inet @TABLE@
table inet @TABLE@ {
  set bridges { type ifname; }
  set isolated { type ifname; }
  set internal { type ifname; }
  set peers { type ifname . ifname; }
  set routed { type ifname; }
  set ipv6 { type ifname; }
  set subnets { type ifname . ipv4_addr; flags interval; }
  set subnets6 { type ifname . ipv6_addr; flags interval; }
  set services { type ifname . inet_proto . inet_service; }
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map published_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map published6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
  map published6_at { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }

  # The bridges route loopback addresses (route_localnet), for ports published on 127.0.0.1. Only the host itself may
  # use that: nothing that comes from a bridge has such an address.
  chain loopback_guard {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip saddr 127.0.0.0/8 drop
  }

  # From elsewhere to a published port. 127.0.0.0/8 in a packet that came by a wire is forged: the kernel would drop it
  # after this hook, and must get it unchanged.
  chain prerouting {
    type nat hook prerouting priority -101; policy accept;
    iifname @isolated accept
    ip daddr 127.0.0.0/8 accept
    fib daddr type local jump publish
  }
  # From the host itself.
  chain output {
    type nat hook output priority -101; policy accept;
    fib daddr type local jump publish
  }
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @published_at
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published6
  }

  chain postrouting {
    type nat hook postrouting priority 99; policy accept;
    oifname @bridges goto to_guests
    iifname @routed accept
    iifname @bridges masquerade
  }
  # A container cannot answer 127.0.0.1, nor a neighbour that called it by the host's address, except through the host.
  # (Where bridge-nf-call-iptables is on, such a packet is bridged and has no input interface here; hence addresses.)
  chain to_guests {
    ip saddr 127.0.0.0/8 masquerade
    oifname . ip saddr @subnets ct status dnat masquerade
    ip6 saddr ::1 masquerade
    oifname . ip6 saddr @subnets6 ct status dnat masquerade
  }

  chain forward {
    type filter hook forward priority -1; policy accept;
    iifname . oifname @peers accept
    oifname @bridges goto inbound
    iifname @bridges goto outbound
  }
  chain inbound {
    ct state established,related accept
    iifname @isolated reject with icmpx admin-prohibited
    iifname @internal reject with icmpx admin-prohibited
    oifname @internal reject with icmpx admin-prohibited
    oifname != @ipv6 meta nfproto ipv6 reject with icmpx admin-prohibited
    ct status dnat accept
    reject with icmpx admin-prohibited
  }
  # Bridges of other engines hold containers whose ports were not published to ours.
  chain outbound {
    ct state established,related accept
    iifname @internal reject with icmpx admin-prohibited
    iifname @isolated ip daddr 169.254.0.0/16 reject with icmpx admin-prohibited
    iifname != @ipv6 meta nfproto ipv6 reject with icmpx admin-prohibited
    oifname { "docker*", "br-*", "podman*", "cni*", "virbr*", "lxcbr*", "lxdbr*", "incusbr*" } ct status dnat accept
    oifname { "docker*", "br-*", "podman*", "cni*", "virbr*", "lxcbr*", "lxdbr*", "incusbr*" } reject with icmpx admin-prohibited
  }

  # The host's own services are not for containers.
  chain input {
    type filter hook input priority -1; policy accept;
    iifname @bridges goto host
  }
  chain host {
    ct state established,related accept
    icmp type echo-request accept
    icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
    iifname . meta l4proto . th dport @services accept
    reject with icmpx admin-prohibited
  }
}

table bridge @TABLE@
delete table bridge @TABLE@
table bridge @TABLE@ {
  set guarded { type ifname; }
  set guests { type ifname . ether_addr . ipv4_addr; }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname @guarded goto sender
  }
  chain sender {
    ether type ip iifname . ether saddr . ip saddr @guests accept
    ether type arp iifname . ether saddr . arp saddr ip @guests accept
    drop
  }
}
)";

}  // namespace berth::network
