// The host ports of workspaces: number n owns base + 10n to base + 10n + 9. +0 is ssh; the others are kept for the
// workspace's web apps and plain TCP.
#pragma once

#include <cstdint>
#include <functional>
#include <set>

#include "workspace/problem.h"

namespace berth::workspace {

inline constexpr std::uint16_t kDefaultPortBase = 2000;
inline constexpr int kPortsPerWorkspace = 10;

// How many numbers fit under 65536; numbers are 1 to this.
int max_number(std::uint16_t base);
std::uint16_t ssh_port(std::uint16_t base, int number);

// The lowest number that no workspace has and whose ssh port is free on the host; a port that somebody else listens on
// is skipped. exhausted (no_free_port) when none is left.
Outcome<int> choose_number(std::uint16_t base, const std::set<int>& taken,
                           const std::function<bool(std::uint16_t)>& is_port_free);

// Whether nobody listens on the TCP port at this address ("0.0.0.0", "::"), found out by binding it for a moment.
bool is_port_free(const std::string& address, std::uint16_t port);

}  // namespace berth::workspace
