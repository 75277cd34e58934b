// The query and headers of POST /build as a build::BuildRequest. What this engine does not do is refused by its name.
//
// Beside Docker's, two headers of ours, since the classic build has no channel for what must not be in the context:
//   X-Berth-Build-Secrets   base64 of {"ID": "base64 of the bytes"}, for RUN --mount=type=secret
//   X-Berth-Build-Agents    base64 of {"ID": "/path/of/an/ssh/agent.sock"} on the engine's machine, for type=ssh
// Pure; errors are `invalid`.
#pragma once

#include "build/builder.h"
#include "http/exchange.h"

namespace berth::docker {

Result<build::BuildRequest> decode_build_request(const http::Request& request);

}  // namespace berth::docker
