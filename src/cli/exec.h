// A further command in a running container, for the verb of containers and for the one of Compose's services.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/container_config.h"
#include "cli/terminal.h"

namespace berth::cli {

struct ExecOptions {
  bool detach = false, interactive = false, tty = false, privileged = false;
  std::string user, workdir, detach_keys = std::string(kDefaultDetachKeys);
  Strings env, env_files;
};

// words: the container, then the command. The command's exit code.
Result<int> run_exec(Context& context, const ExecOptions& options, const Words& words);

}  // namespace berth::cli
