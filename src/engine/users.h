// Looking up "name", "uid", "name:group", "uid:gid" in a container's own passwd(5) and group(5), as Docker does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/runtime_config.h"

namespace berth::engine {

// passwd and group are the files' texts, empty when the image has none. A number need not be in them.
// "unable to find user X: no matching entries in passwd file". Pure.
Result<ProcessUser> resolve_user(std::string_view asked, const std::vector<std::string>& more_groups,
                                 std::string_view passwd, std::string_view group);

}  // namespace berth::engine
