// What Docker's API shows of a container: GET /containers/{id}/json and the entries of GET /containers/json.
//
// Thread: the loop's; nothing here waits.
#pragma once

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "docker/api.h"

namespace berth::docker {

// Bytes on disk, when a client asked for them (size=1).
struct ContainerSize {
  std::uint64_t writable = 0;
  std::uint64_t root = 0;
};

json::Value print_inspect(const Api& api, const engine::Container& container, const std::optional<ContainerSize>& size);
json::Value print_summary(const Api& api, const engine::Container& container, const std::optional<ContainerSize>& size);

// The parts that both share.
json::Value print_networks(const Api& api, const engine::Container& container);
// Before API 1.45 the short id was among the aliases; since then it is among the DNSNames.
void add_old_aliases(const engine::Container& container, json::Value& inspected);
json::Value print_mounts(const Api& api, const engine::Container& container);
// "debian:bookworm", or the image's id when that name means another image by now.
std::string shown_image(const Api& api, const engine::ContainerSpec& spec);

}  // namespace berth::docker
