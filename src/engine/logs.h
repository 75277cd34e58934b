// Reading a container's json-file log, rotated files included: from a point in time or the last lines, and on as it
// grows. The shim writes it; this only reads.
//
// Thread: the loop's (reads are of page-cached files, in pieces).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/container.h"

namespace berth::engine {

struct LogQuery {
  bool stdout_ = true;
  bool stderr_ = true;
  bool follow = false;
  Time since;                        // unset: from the beginning
  Time until;                        // unset: to the end
  std::optional<std::int64_t> tail;  // absent: all
};

struct LogEntry {
  bool stderr_ = false;
  Time time;
  std::string text;  // with its newline, unless it is a piece of a longer line
};

// Calls deliver for each entry in order; it may wait (backpressure) and ends the reading by an error, for example when
// the client has gone. With follow, returns when the container no longer runs and its log has been read to the end.
async::Task<Result<void>> read_logs(std::shared_ptr<Container> container, LogQuery query,
                                    std::function<async::Task<Result<void>>(const LogEntry&)> deliver);

}  // namespace berth::engine
