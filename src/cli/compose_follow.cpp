#include "cli/compose_follow.h"

#include <algorithm>

#include "base/time.h"
#include "cli/compose_wait.h"
#include "cli/output.h"

namespace berth::cli {

namespace {

// The colours that Docker Compose gives in turn.
constexpr std::string_view kColours[] = {"36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1"};
constexpr std::chrono::milliseconds kInterval{200};

bool is_terminal_container(const EngineClient& engine, const std::string& id) {
  auto container = engine.get(fmt::format("/containers/{}/json", escape_path(id)));
  const json::Value* config = container ? json::find(*container, "Config") : nullptr;
  return config != nullptr && json::bool_or(*config, "Tty");
}

// Cuts pieces into lines. A piece of a line is kept until its end comes, or the stream's.
class LineCutter {
 public:
  explicit LineCutter(std::function<Result<void>(std::string_view)> take) : take_(std::move(take)) {}

  Result<void> feed(std::string_view bytes) {
    constexpr std::size_t kLongest = 1 << 20;
    pending_ += bytes;
    std::size_t start = 0;
    for (std::size_t end; (end = pending_.find('\n', start)) != std::string::npos; start = end + 1) {
      std::string_view line = std::string_view(pending_).substr(start, end - start);
      if (line.ends_with('\r')) line.remove_suffix(1);
      TRY_OK(take_(line));
    }
    pending_.erase(0, start);
    return pending_.size() > kLongest ? finish() : Result<void>();
  }
  Result<void> finish() {
    if (pending_.empty()) return {};
    std::string rest = std::exchange(pending_, {});
    return take_(rest);
  }

 private:
  std::function<Result<void>(std::string_view)> take_;
  std::string pending_;
};

}  // namespace

LinePrinter::LinePrinter(const std::vector<std::string>& names, LinePrinterOptions options) : options_(options) {
  for (const std::string& name : names) add(name);
}

void LinePrinter::add(const std::string& name) {
  std::lock_guard lock(mutex_);
  order_.emplace(name, order_.size());
  width_ = std::max(width_, name.size());
}

Result<void> LinePrinter::line(const std::string& name, std::string_view text) {
  std::lock_guard lock(mutex_);
  if (!options_.prefix) return print_out(fmt::format("{}\n", text));
  std::string prefix = fmt::format("{:<{}}  | ", name, width_);
  if (options_.colour) prefix = fmt::format("\x1b[{}m{}\x1b[0m", kColours[order_[name] % std::size(kColours)], prefix);
  return print_out(fmt::format("{}{}\n", prefix, text));
}

Result<void> LinePrinter::say(std::string_view text) {
  std::lock_guard lock(mutex_);
  return print_out(fmt::format("{}\n", text));
}

Result<void> print_log(const EngineClient& engine, const ComposeContainer& container, const std::string& name,
                       const LogRequest& wanted, LinePrinter& printer) {
  auto flag = [](bool set) { return std::string(set ? "1" : ""); };
  http::ClientRequest request;
  request.target =
      fmt::format("/containers/{}/logs", escape_path(container.id)) + query({{"stdout", "1"},
                                                                             {"stderr", "1"},
                                                                             {"follow", flag(wanted.follow)},
                                                                             {"timestamps", flag(wanted.timestamps)},
                                                                             {"since", wanted.since},
                                                                             {"until", wanted.until},
                                                                             {"tail", wanted.tail}});
  bool tty = is_terminal_container(engine, container.id);
  TRY(auto response, engine.open_stream(std::move(request)));
  auto take = [&](std::string_view line) { return printer.line(name, line); };
  LineCutter out(take), err(take);
  Demux demux;
  TRY_OK(response.read_to([&](std::string_view bytes) -> Result<void> {
    if (tty) return out.feed(bytes);
    return demux.feed(bytes, [&](StreamKind kind, std::string_view payload) {
      return (kind == StreamKind::err ? err : out).feed(payload);
    });
  }));
  TRY_OK(out.finish());
  return err.finish();
}

Followers::~Followers() = default;

void Followers::follow(const ComposeContainer& container, std::string since, bool silent) {
  std::lock_guard lock(mutex_);
  ++running_;
  threads_.emplace_back([this, container, since = std::move(since), silent] { run(container, since, silent); });
}

void Followers::run(const ComposeContainer& container, std::string since, bool silent) {
  std::string name = container.short_name(project_);
  int exit_code = 0;
  // A container that its restart policy starts again is followed on; its end is told each time.
  while (true) {
    std::string from = std::exchange(since, fmt::format("{}", now().nanoseconds / 1'000'000'000));
    // Logs may be unreadable (another log driver): then only the end matters.
    if (!silent)
      (void)print_log(engine_, container, name, {.follow = true, .timestamps = timestamps_, .since = from}, printer_);
    auto code = wait_for_end(engine_, container.id);
    exit_code = code ? *code : 0;
    bool again = false;
    while (true) {
      auto look = engine_.get(fmt::format("/containers/{}/json", escape_path(container.id)));
      const json::Value* state = look ? json::find(*look, "State") : nullptr;
      if (state == nullptr) break;
      again = json::bool_or(*state, "Running") && !json::bool_or(*state, "Restarting");
      if (again || !json::bool_or(*state, "Restarting")) break;
      std::this_thread::sleep_for(kInterval);
    }
    if (!again) break;
    (void)printer_.say(fmt::format("{} exited with code {} (restarting)", name, exit_code));
  }
  std::lock_guard lock(mutex_);
  ends_.push_back({container, exit_code});
  --running_;
  changed_.notify_all();
}

Followers::Next Followers::next(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return !ends_.empty() || running_ == 0; });
  if (ends_.empty()) return {running_ == 0, {}};
  End end = std::move(ends_.front());
  ends_.erase(ends_.begin());
  return {false, std::move(end)};
}

}  // namespace berth::cli
