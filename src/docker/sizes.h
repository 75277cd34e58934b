// How much disk a container uses.
#pragma once

#include <memory>

#include "docker/inspect.h"

namespace berth::docker {

// Walks the container's writable layer on the blocking pool.
async::Task<Result<ContainerSize>> measure(Api& api, std::shared_ptr<engine::Container> container);

}  // namespace berth::docker
