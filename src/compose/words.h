// A command written as one string, split as a shell would: quotes and backslashes, no expansion of any kind.
//
// Source: POSIX.1-2017, Shell Command Language, 2.2 Quoting.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::compose {

// "sh -c 'a b'" -> {"sh", "-c", "a b"}. An open quote is `invalid`.
Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace berth::compose
