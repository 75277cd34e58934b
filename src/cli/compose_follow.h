// The output of several containers at once, each line with the name of its container before it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cli/compose_project.h"
#include "cli/demux.h"

namespace berth::cli {

struct LinePrinterOptions {
  bool colour = false;
  bool prefix = true;
};

// Lines of several threads on stdout, whole ones only.
class LinePrinter {
 public:
  LinePrinter(const std::vector<std::string>& names, LinePrinterOptions options);

  // text is a whole line without its end.
  Result<void> line(const std::string& name, std::string_view text);
  // A sentence about a container: "web-1 exited with code 0".
  Result<void> say(std::string_view text);
  // A container that was not known at first.
  void add(const std::string& name);

 private:
  std::mutex mutex_;
  LinePrinterOptions options_;
  std::map<std::string, std::size_t> order_;
  std::size_t width_ = 0;
};

struct LogRequest {
  bool follow = false, timestamps = false;
  std::string since, until, tail;
};

// The log of one container, line by line, until it ends.
Result<void> print_log(const EngineClient& engine, const ComposeContainer& container, const std::string& name,
                       const LogRequest& request, LinePrinter& printer);

// Containers that are followed until they have ended for good: threads that hand each end to whoever waits.
class Followers {
 public:
  struct End {
    ComposeContainer container;
    int exit_code = 0;
  };

  Followers(const EngineClient& engine, std::string project, LinePrinter& printer, bool timestamps)
      : engine_(engine), project_(std::move(project)), printer_(printer), timestamps_(timestamps) {}
  // Waits for the threads: the containers must have ended, or end() be told.
  ~Followers();

  // since: as `GET logs` takes it; empty: from the beginning. silent: only its end matters.
  void follow(const ComposeContainer& container, std::string since, bool silent);
  // The next end, or nothing when all have ended. Waits at most this long; then it answers an empty End.
  struct Next {
    bool all_ended = false;
    std::optional<End> end;
  };
  Next next(std::chrono::milliseconds limit);

 private:
  void run(const ComposeContainer& container, std::string since, bool silent);

  const EngineClient& engine_;
  std::string project_;
  LinePrinter& printer_;
  bool timestamps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<End> ends_;
  std::size_t running_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace berth::cli
