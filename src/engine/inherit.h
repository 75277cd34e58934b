// --volumes-from: the mounts of other containers as they are at the moment of create.
#pragma once

#include "base/error.h"
#include "engine/engine.h"

namespace berth::engine {

// Adds to spec.mounts what each "CONTAINER[:ro|rw]" of spec.volumes_from mounts, unless something is asked for at the
// same place. invalid for a container that is not there, and for a mode that is none.
Result<void> inherit_volumes(const Engine& engine, ContainerSpec& spec);

}  // namespace berth::engine
