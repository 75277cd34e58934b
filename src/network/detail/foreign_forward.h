// The one thing of others that Berth touches: the FORWARD chain of iptables-nft when its policy is drop.
//
// Docker, and hosts that do not mean to be routers, set that policy, and a drop in one base chain beats every accept in
// others. So two rules at the end of the chain, where the administrator's own rules have had their say, accept what
// goes to or comes from the bridges named PREFIX*; `inet TABLE` has decided about it already. The rules carry the
// comment "berth:TABLE", by which they are found again.
#pragma once

#include <string>

#include "base/error.h"

namespace berth::network {

// Does nothing when there is no such chain, its policy is another, or the rules are there. Blocks a few ms.
Result<void> ensure_forward_accepted(const std::string& prefix, const std::string& table);
Result<void> remove_forward_accepted(const std::string& table);

}  // namespace berth::network
