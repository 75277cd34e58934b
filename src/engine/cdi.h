// Devices by the Container Device Interface: names such as "nvidia.com/gpu=0", and what a vendor's files say a
// container needs for them (github.com/cncf-tags/container-device-interface, SPEC.md).
//
// Thread: any; reads the JSON files of the given directories. Their writers are root and trusted like the engine.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "engine/runtime_config.h"

namespace berth::engine {

struct CdiMount {
  std::string source;  // on the host
  std::string target;  // in the container
  bool read_only = false;
};

// What the devices together add to a container.
struct CdiEdits {
  std::vector<std::string> env;
  std::vector<RuntimeDevice> devices;
  std::vector<CdiMount> mounts;
  json::Object hooks;  // as the OCI runtime specification has them: by kind, lists of {"path", "args", ...}
};

// "vendor.com/class=name".
bool is_cdi_name(std::string_view name);
// `CDI device injection failed: unresolvable CDI devices a/b=c` for names that no file defines.
Result<CdiEdits> find_cdi_devices(const std::vector<std::string>& names,
                                  const std::vector<std::string>& directories = {"/etc/cdi", "/var/run/cdi"});

}  // namespace berth::engine
