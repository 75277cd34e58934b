// Berth's other programs, as this one finds and becomes them.
#pragma once

#include <span>
#include <string>

#include "base/error.h"

namespace berth::cli {

// Beside this program's lib directory when it is installed, beside this program in a build tree; not_found otherwise.
Result<std::string> find_program(const std::string& name);

// Replaces this process; returns only with an error.
Result<int> become(const std::string& name, std::span<const std::string> arguments);

}  // namespace berth::cli
