// A stream between two that both block: one writes a pipe on a thread of its own while the other reads it.
#pragma once

#include <functional>

#include "base/error.h"

namespace berth::cli {

// The error of the consumer; that of the producer when it is not just that nobody reads any more.
Result<void> through_pipe(const std::function<Result<void>(int fd)>& produce,
                          const std::function<Result<void>(int fd)>& consume);

}  // namespace berth::cli
