// Reading one file of a container that does not run, without mounting its overlay: unmounting one costs milliseconds
// (the kernel waits for a grace period), which every start would pay to look up its user.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::engine {

// The text of the regular file DIRECTORY/NAME as the overlay of upper over layers (base first) shows it; empty when
// there is none. Whiteouts and opaque directories count. Where a symlink or anything else unusual is in the way, the
// overlay is mounted after all. Thread: any.
Result<std::string> read_layered_file(const std::vector<std::string>& layers, const std::string& upper_dir,
                                      const std::string& directory, const std::string& name);

}  // namespace berth::engine
