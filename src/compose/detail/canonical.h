// The tree of one file, checked and written out: every key is known and done, every value has its form, no short form
// is left, every path is absolute.
//
// Keys that the specification does not know, and those that cannot be done, are errors that name the key, its file and
// its line.
#pragma once

#include "compose/detail/shape.h"

namespace berth::compose {

Result<Node> make_canonical(Node node, const Shape& shape, const Place& place);

// Texts of what may be a number or a size, which several keys share.
Result<std::int64_t> bytes_of(const Node& node, const Place& place);

}  // namespace berth::compose
