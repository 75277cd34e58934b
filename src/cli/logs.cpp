// logs: what a container has written.
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/demux.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

struct LogsOptions {
  bool follow = false, timestamps = false, details = false;
  std::string since, until, tail = "all";
};

void declare(Flags& flags, LogsOptions& options) {
  flags.add("follow,f", options.follow, "Go on as more is written");
  flags.add("timestamps,t", options.timestamps, "Begin each line with its time");
  flags.add("details", options.details, "Show the attributes that the log driver keeps");
  flags.add("since", options.since, "Only what was written after this: a time, or an age such as 42m");
  flags.add("until", options.until, "Only what was written before this: a time, or an age such as 42m");
  flags.add("tail,n", options.tail, "Only so many lines from the end").defaults_to("\"all\"");
}

Result<int> show_logs(Context& context, const LogsOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  std::string path = "/containers/" + escape_path(words[0]);
  TRY(std::string since, point_in_time(options.since, "since"));
  TRY(std::string until, point_in_time(options.until, "until"));
  // Whether the log is framed depends on the container's terminal.
  TRY(json::Value container, engine.get(path + "/json"));
  const json::Value* config = json::find(container, "Config");
  bool tty = config != nullptr && json::bool_or(*config, "Tty");
  auto flag = [](bool wanted) { return std::string(wanted ? "1" : ""); };
  http::ClientRequest request;
  request.target = path + "/logs" +
                   query({{"stdout", "1"},
                          {"stderr", "1"},
                          {"follow", flag(options.follow)},
                          {"timestamps", flag(options.timestamps)},
                          {"details", flag(options.details)},
                          {"since", since},
                          {"until", until},
                          {"tail", options.tail}});
  TRY(auto response, engine.open_stream(std::move(request)));
  Demux demux;
  TRY_OK(response.read_to([&](std::string_view bytes) -> Result<void> {
    if (tty) return sys::write_all(STDOUT_FILENO, bytes);
    return demux.feed(bytes, [](StreamKind kind, std::string_view payload) {
      return sys::write_all(kind == StreamKind::err ? STDERR_FILENO : STDOUT_FILENO, payload);
    });
  }));
  return 0;
}

}  // namespace

constexpr Command kLogs = command<declare, show_logs>({
    .usage = "[OPTIONS] CONTAINER",
    .summary = "Show what a container has written",
    .arity = kOneWord,
    .examples = "logs web\nlogs -f --tail 20 web\nlogs --since 10m -t web",
    .aliases = "container logs, logs",
});

}  // namespace berth::cli
