// Two canonical trees as one: later files over earlier ones, a service over the one it extends.
//
// Source: Compose specification, 13-merge: mappings by key, sequences appended, but ports, volumes, configs, secrets
// and devices by what they are about; command, entrypoint and a health check's test replaced; !reset and !override.
#pragma once

#include "compose/detail/shape.h"

namespace berth::compose {

Node merge(Node base, Node over, const Shape& shape);
// Takes away what !reset left in a tree that nothing is merged over any more.
void drop_resets(Node& node);

}  // namespace berth::compose
