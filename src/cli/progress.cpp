#include "cli/progress.h"

#include <algorithm>

#include "base/text.h"
#include "cli/engine_client.h"
#include "cli/terminal.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

constexpr std::size_t kBarCells = 50;
constexpr unsigned kColumnsForBar = 110;  // below this only the figures are shown

std::string measure_of(const json::Value& detail, unsigned columns) {
  auto current = static_cast<double>(json::int_or(detail, "current"));
  auto total = static_cast<double>(json::int_or(detail, "total"));
  if (current <= 0 && total <= 0) return "";
  std::string figures = human_size(current);
  bool counts = json::string_or(detail, "units") != "";
  if (counts) figures = fmt::format("{}", current);
  if (total <= 0 || current > total) return figures;
  figures += "/" + (counts ? fmt::format("{}", total) : human_size(total));
  if (columns < kColumnsForBar) return figures;
  auto done = static_cast<std::size_t>(current / total * static_cast<double>(kBarCells));
  std::string bar(done, '=');
  if (done < kBarCells) bar += '>';
  bar.resize(kBarCells, ' ');
  return fmt::format("[{}]  {}", bar, figures);
}

}  // namespace

Progress Progress::on(int fd) {
  auto size = terminal_size(fd);
  return {fd, is_terminal(fd) ? (size ? size->columns : 80) : 0};
}

std::string Progress::line_of(const json::Value& message, unsigned columns) {
  std::string line;
  if (std::string id = json::string_or(message, "id"); !id.empty()) line = id + ": ";
  if (std::string from = json::string_or(message, "from"); !from.empty()) line += fmt::format("(from {}) ", from);
  line += json::string_or(message, "status");
  if (columns == 0) return line;
  const json::Value* detail = json::find(message, "progressDetail");
  std::string measure = detail == nullptr ? "" : measure_of(*detail, columns);
  if (measure.empty()) measure = json::string_or(message, "progress");
  if (!measure.empty()) line += " " + measure;
  // A line that wraps would spoil the counting of lines.
  if (columns > 1 && line.size() >= columns) line.resize(columns - 1);
  return line;
}

Result<void> Progress::show_on_terminal(const std::string& id, const std::string& line) {
  if (id.empty()) {
    lines_.clear();
    return sys::write_all(fd_, line + "\n");
  }
  auto [place, is_new] = lines_.try_emplace(id, lines_.size());
  if (is_new) return sys::write_all(fd_, line + "\n");
  std::size_t up = lines_.size() - place->second;
  // Up to the line, to its beginning, clear it, write, and back down.
  return sys::write_all(fd_, fmt::format("\x1b[{}A\r\x1b[2K{}\r\x1b[{}B", up, line, up));
}

Result<void> Progress::show(const json::Value& message) {
  if (const json::Value* detail = json::find(message, "errorDetail"))
    if (std::string text = json::string_or(*detail, "message"); !text.empty()) return fail(ErrorCode::io, "{}", text);
  if (std::string text = json::string_or(message, "error"); !text.empty()) return fail(ErrorCode::io, "{}", text);
  if (std::string text = json::string_or(message, "stream"); !text.empty()) {
    lines_.clear();
    return sys::write_all(fd_, text);
  }
  if (json::string_or(message, "status").empty()) return {};
  if (columns_ > 0) return show_on_terminal(json::string_or(message, "id"), line_of(message, columns_));
  const json::Value* detail = json::find(message, "progressDetail");
  if (detail != nullptr && !measure_of(*detail, 0).empty()) return {};
  return sys::write_all(fd_, line_of(message, 0) + "\n");
}

Result<void> show_progress(http::BlockingResponse& response, int fd, bool quiet) {
  Progress progress = Progress::on(fd);
  return read_json_lines(response, [&](const json::Value& message) -> Result<void> {
    if (quiet && json::find(message, "error") == nullptr && json::find(message, "errorDetail") == nullptr) return {};
    return progress.show(message);
  });
}

}  // namespace berth::cli
