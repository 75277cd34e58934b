// The progress messages of pull, push, load, import and bootstrap (Docker Engine API, "Create an image": one JSON
// object a line with status, id, progressDetail, stream, error), as people read them.
//
// On a terminal each id has a line of its own that is redrawn, with a bar while something is measured. Elsewhere each
// change of state is one line and measures are left out, so that a log stays readable.
#pragma once

#include <map>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "http/client.h"

namespace berth::cli {

class Progress {
 public:
  // fd is where it prints. columns is the terminal's width; 0: no terminal.
  Progress(int fd, unsigned columns) : fd_(fd), columns_(columns) {}
  // For the terminal, or the file, that fd is.
  static Progress on(int fd);

  // An error message ends the operation: it is returned as an `io` error.
  Result<void> show(const json::Value& message);
  // The text of one message, without moving the cursor.
  static std::string line_of(const json::Value& message, unsigned columns);

 private:
  Result<void> show_on_terminal(const std::string& id, const std::string& line);

  int fd_;
  unsigned columns_;
  std::map<std::string, std::size_t> lines_;  // id -> number of its line, from the first that can be redrawn
};

// Shows a whole answer; quiet only looks for errors.
Result<void> show_progress(http::BlockingResponse& response, int fd, bool quiet = false);

}  // namespace berth::cli
