// What the portal may ask of the engine. The portal parses the network, so it must be taken for broken into some day;
// then it must not be root on the host. On its socket everything is denied that is not listed here: routes by a table,
// containers and volumes by who made them, create requests by what they would give.
//
// Pure. Denied is ErrorCode::denied with a text that names the reason; what belongs to others is not_found, exactly as
// what does not exist.
#pragma once

#include <string>
#include <string_view>

#include "docker/api.h"
#include "engine/spec.h"

namespace berth::docker {

// Marks volumes that were made through the portal's socket; clients of that socket cannot set or remove it.
inline constexpr std::string_view kPortalVolumeLabel = "io.berth.owner";

// route: "GET /containers/{id}/json", as the router tells it.
Result<void> check_route(Access access, std::string_view route);

bool sees(Access access, const engine::Container& container);
// not_found, in Docker's words, unless it sees it.
Result<void> check_sees(Access access, const engine::Container& container, std::string_view name);
bool sees(Access access, const volume::Volume& volume);

// Refuses what must not be had through the socket and marks what may as the portal's own. volumes: to look up owners.
Result<void> check_create(Access access, engine::ContainerSpec& spec, const volume::Volumes& volumes);
Result<void> check_exec(Access access, const engine::ProcessSpec& process);

}  // namespace berth::docker
