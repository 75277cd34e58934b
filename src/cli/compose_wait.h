// Waiting for containers: until they are healthy, have ended well, or simply run.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/compose_project.h"

namespace berth::cli {

// Until all containers of the service fulfil the condition. A dependency that is not required and fails is a warning.
Result<void> wait_for_dependency(const EngineClient& engine, const std::string& project,
                                 const compose::Dependency& dependency);

// up --wait: healthy where there is a health check, else running. `timeout` when it takes longer.
Result<void> wait_until_ready(const EngineClient& engine, const std::vector<ComposeContainer>& containers,
                              std::optional<std::chrono::seconds> limit);

// The exit code of a container, after it has ended.
Result<int> wait_for_end(const EngineClient& engine, const std::string& id);

}  // namespace berth::cli
