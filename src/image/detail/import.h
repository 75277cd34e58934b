// What import, import_directory and bootstrap have in common.
#pragma once

#include <functional>

#include "image/detail/layers.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"

namespace berth::image {

// Extracts the one layer. Runs on a thread of its own.
using MakeLayer = std::function<Result<StagedLayer>(const UnpackSettings&, Stage&, Reporter&)>;

// Thread: the loop's. The state and the reporter outlive the task.
async::Task<Result<ImagePtr>> import_layer(Store::State& state, ImportRequest request, MakeLayer make_layer,
                                           Reporter& reporter);

// Feeds a descriptor to its end into a new layer. Blocks.
Result<StagedLayer> unpack_stream(const UnpackSettings& settings, Stage& stage, int archive, Reporter& reporter);

}  // namespace berth::image
