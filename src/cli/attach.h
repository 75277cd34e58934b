// Starting containers, for the verb of containers and for the one that first looks for a workspace.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/terminal.h"

namespace berth::cli {

struct StartOptions {
  bool attach = false, interactive = false;
  std::string detach_keys = std::string(kDefaultDetachKeys);
};
void declare_start(Flags& flags, StartOptions& options);
// Prints the names as they start, and the errors; stays attached to one when that is wanted.
Result<int> start_containers(Context& context, const StartOptions& options, const Words& words);

}  // namespace berth::cli
