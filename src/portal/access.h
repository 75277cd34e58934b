// Who may talk to the portal. Until it has accounts, only this machine: the unix socket, and connections from loopback
// addresses that no proxy has passed on.
//
// A browser on this machine also visits strangers' pages. So a request must name a host that is ours (against DNS
// rebinding), and one that changes something must come from our own pages (Origin, Sec-Fetch-Site).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "workspace/problem.h"

namespace berth::portal {

// forbidden, with what to do; or nothing.
workspace::Outcome<> admit(const http::Peer& peer, const http::RequestHead& head,
                           const std::vector<std::string>& own_hosts);

// "127.0.0.1:40112", "[::1]:40112" and the like, as Peer::address has them.
bool is_loopback(std::string_view address);

// "name:8080" -> "name", "[::1]:8080" -> "[::1]"; empty when it is no host of letters, digits, '-', '.', or an address
// in brackets.
std::string host_of_field(std::string_view field);

// The host that the client called us by, for addresses in answers; "localhost" when it gave none.
std::string host_of(const http::RequestHead& head);

}  // namespace berth::portal
