// Reading a container's json-file log, rotated files included: from a point in time or the last lines, and on as it
// grows. The shim writes it; this only reads.
//
// Thread: the loop's (reads are of page-cached files, in pieces).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/container.h"
#include "engine/log_scanner.h"

namespace berth::engine {

struct LogQuery {
  bool stdout_ = true;
  bool stderr_ = true;
  bool follow = false;
  Time since;                        // unset: from the beginning
  Time until;                        // unset: to the end
  std::optional<std::int64_t> tail;  // absent: all
};

// Where log lines go.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // In order; the views are good during the call.
  virtual void take(const LogLine& line) = 0;
  // After some lines, and before a wait for further ones. May wait until there is room, and ends the reading by an
  // error, for example when the client has gone.
  virtual async::Task<Result<void>> flush() = 0;
};

// With follow, returns when the container no longer runs and its log has been read to the end.
async::Task<Result<void>> read_logs(std::shared_ptr<Container> container, LogQuery query, LogSink& sink);

// The labels and environment variables that the log options "labels" and "env" choose, and the "tag", as `logs
// --details` shows them: "a=1,b=2".
std::string log_details(const ContainerSpec& spec);

}  // namespace berth::engine
