// Stopping and removing one container, for the verbs of containers and for those that first look for a workspace.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "cli/engine_client.h"
#include "cli/flags.h"

namespace berth::cli {

struct StopOptions {
  std::string signal;
  std::optional<std::int64_t> seconds;
};
void declare_stop(Flags& flags, StopOptions& options);
// The name; that it was stopped already is fine.
Result<std::string> stop_container(const EngineClient& engine, const std::string& name, const StopOptions& options);

struct RemoveOptions {
  bool force = false, link = false, volumes = false;
};
void declare_remove(Flags& flags, RemoveOptions& options);
// The name, or nothing when it was forced and there was none, which is said on stderr.
Result<std::string> remove_container(const EngineClient& engine, const std::string& name, const RemoveOptions& options);

}  // namespace berth::cli
