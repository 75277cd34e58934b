// Completing a create request: the image's defaults under what was asked, Docker's defaults under both, and the checks
// that need nothing but the request. Pure.
#pragma once

#include "base/error.h"
#include "engine/spec.h"
#include "oci/image_config.h"

namespace berth::engine {

// Fills spec.process, entrypoint, cmd, hostname, labels, exposed ports, volumes, masked paths. Fails with `invalid` and
// Docker's texts ("no command specified", "Minimum memory limit allowed is 6MB", ...).
Result<void> complete(CreateRequest& request, const oci::ImageConfig& image);

// `invalid` with Docker's texts; create and update ask.
Result<void> check_resources(const ResourceSpec& resources);
Result<void> check_restart(const RestartSpec& restart);

}  // namespace berth::engine
