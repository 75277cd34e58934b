// The limits of HostConfig, which POST /containers/{id}/update takes too.
#pragma once

#include "base/json.h"
#include "docker/fields.h"
#include "engine/spec.h"

namespace berth::docker::detail {

Result<void> decode_resources(Fields& host, engine::ResourceSpec& resources);
Result<engine::RestartSpec> decode_restart(const json::Value& object);
// The whole body of an update.
Result<engine::UpdateRequest> decode_update(const json::Value& body);

void print_resources(const engine::ResourceSpec& resources, json::Object& host);

}  // namespace berth::docker::detail
