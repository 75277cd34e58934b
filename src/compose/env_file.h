// Files of variables: .env, --env-file and a service's env_file.
//
//   # comment
//   export A=plain   # comment
//   B='literal $A'
//   C="with $A and \n"        may go over several lines
//   D                         takes its value from the environment
//
// Source: Compose specification, "Env_file format".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "compose/interpolate.h"

namespace berth::compose {

// A name without '=' has no value.
using EnvLines = std::vector<std::pair<std::string, std::optional<std::string>>>;

// file is the name for errors. Variables are looked up among the lines above first, then in `outer`.
Result<EnvLines> parse_env_file(std::string_view text, const std::string& file, const Variables& outer);
// format: raw. Everything after the first '=' is the value.
Result<EnvLines> parse_raw_env_file(std::string_view text, const std::string& file);

}  // namespace berth::compose
