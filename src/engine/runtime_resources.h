// The parts of the OCI runtime configuration that limit a container and open devices to it (runtime-spec
// config-linux.md, "Control groups" and "Devices"). Reads device numbers from the host; otherwise pure.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "engine/runtime_config.h"
#include "engine/spec.h"

namespace berth::engine {

json::Value runtime_resources(const ContainerSpec& spec, const std::vector<RuntimeDevice>& devices);
json::Value runtime_devices(const std::vector<RuntimeDevice>& devices);

// "c 1:3 rwm": `invalid device cgroup rule format: '...'`.
Result<void> check_device_rule(const std::string& rule);

}  // namespace berth::engine
