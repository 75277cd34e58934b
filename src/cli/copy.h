// Files between a container and this machine, for the verb of containers and for the one of Compose's services.
#pragma once

#include "base/error.h"
#include "cli/command.h"
#include "cli/flags.h"

namespace berth::cli {

struct CopyOptions {
  bool archive = false, follow_link = false, quiet = false;
};
void declare_copy(Flags& flags, CopyOptions& options);

// words: source and target, one of them CONTAINER:PATH.
Result<int> copy(Context& context, const CopyOptions& options, const Words& words);

}  // namespace berth::cli
