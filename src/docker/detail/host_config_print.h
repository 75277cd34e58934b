// HostConfig as inspect shows it: every field of the API, in Docker's order.
#pragma once

#include "base/json.h"
#include "docker/api.h"

namespace berth::docker::detail {

json::Value print_host_config(const Api& api, const engine::ContainerSpec& spec);

}  // namespace berth::docker::detail
