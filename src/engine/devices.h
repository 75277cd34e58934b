// The device nodes of the host that a container is given: --device, --privileged.
#pragma once

#include <vector>

#include "engine/runtime_config.h"
#include "engine/spec.h"

namespace berth::engine {

// Directories stand for all device nodes below them. Docker's text for what is not there: `error gathering device
// information while adding custom device "/dev/x": no such file or directory`. Reads /dev; a privileged container gets
// everything there but terminals. Device requests other than for CDI (engine/cdi.h) find no driver: `could not select
// device driver "" with capabilities: [[gpu]]`.
Result<std::vector<RuntimeDevice>> find_devices(const ContainerSpec& spec);

}  // namespace berth::engine
