// Names for containers that were given none: two words of the harbour, "steady_pilot".
#pragma once

#include <string>

namespace berth::engine {

// round > 0 appends a digit: the caller counts how often the name was taken.
std::string random_name(int round);

}  // namespace berth::engine
