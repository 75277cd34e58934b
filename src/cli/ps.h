// A container as a row of a list, for `ps` and `compose ps`.
#pragma once

#include "base/json.h"

namespace berth::cli {

// container: an element of GET /containers/json. The fields are those of `docker ps --format`.
json::Object container_row(const json::Value& container, bool no_trunc);

}  // namespace berth::cli
