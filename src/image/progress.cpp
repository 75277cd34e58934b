#include "image/progress.h"

#include <algorithm>

#include "base/text.h"
#include "image/detail/reporter.h"

namespace berth::image {

namespace {

// "[======>       ]  1.2MB/3.4MB" as Docker draws it: clients without a terminal of their own show it as it is.
std::string bar(std::int64_t current, std::int64_t total) {
  if (total <= 0) return current > 0 ? fmt::format("{:>8}", human_size(static_cast<double>(current))) : "";
  constexpr int kWidth = 50;
  int filled = static_cast<int>(std::clamp<std::int64_t>(current * 100 / total / 2, 0, kWidth));
  std::string line = "[" + std::string(static_cast<std::size_t>(filled), '=');
  if (filled < kWidth) line += ">" + std::string(static_cast<std::size_t>(kWidth - filled), ' ');
  return fmt::format("{}] {:>8}/{}", line + (filled == kWidth ? ">" : ""), human_size(static_cast<double>(current)),
                     human_size(static_cast<double>(total)));
}

}  // namespace

json::Value to_json(const ProgressEvent& event) {
  json::Object message;
  if (!event.stream.empty()) {
    message["stream"] = event.stream;
    return message;
  }
  if (!event.aux.is_null()) {
    message["progressDetail"] = json::Object();
    message["aux"] = event.aux;
    return message;
  }
  message["status"] = event.status;
  if (event.has_detail) {
    json::Object detail;
    if (event.current > 0) detail["current"] = event.current;
    if (event.total > 0) detail["total"] = event.total;
    message["progressDetail"] = std::move(detail);
    if (std::string text = bar(event.current, event.total); !text.empty()) message["progress"] = text;
  } else if (!event.id.empty()) {
    message["progressDetail"] = json::Object();
  }
  if (!event.id.empty()) message["id"] = event.id;
  return message;
}

void Reporter::send(ProgressEvent event) {
  loop_.post([progress = progress_, event = std::move(event)] {
    if (*progress) (*progress)(event);
  });
}

void Reporter::status(std::string text, std::string id) { send({.status = std::move(text), .id = std::move(id)}); }
void Reporter::stream(std::string text) { send({.stream = std::move(text)}); }
void Reporter::aux(json::Value value) { send({.aux = std::move(value)}); }

void Reporter::amount(std::string_view text, const std::string& id, std::int64_t current, std::int64_t total) {
  constexpr std::chrono::milliseconds kPause(100);
  auto time = std::chrono::steady_clock::now();
  {
    std::lock_guard lock(mutex_);
    Last& last = last_[id];
    if (last.status == text && time - last.at < kPause && (total == 0 || current < total)) return;
    last = {std::string(text), time};
  }
  send({.status = std::string(text), .id = id, .current = current, .total = total, .has_detail = true});
}

}  // namespace berth::image
