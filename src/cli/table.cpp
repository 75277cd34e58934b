#include "cli/table.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace berth::cli {

namespace {

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_code_point));
}

}  // namespace

std::string align_columns(std::string_view text, TableShape shape) {
  std::vector<std::vector<std::string>> lines;
  std::size_t most = 0;
  for (const std::string& line : split(text, '\n')) {
    lines.push_back(split(line, '\t'));
    most = std::max(most, lines.back().size());
  }
  for (std::size_t column = 0; column + 1 < most; ++column) {
    auto has_cell = [column](const auto& line) { return column + 1 < line.size(); };
    for (auto run = std::ranges::find_if(lines, has_cell); run != lines.end();) {
      auto end = std::find_if_not(run, lines.end(), has_cell);
      std::size_t width = 0;
      for (auto line = run; line != end; ++line) width = std::max(width, count_code_points((*line)[column]));
      width = std::max(width + shape.padding, shape.min_width);
      for (auto line = run; line != end; ++line)
        (*line)[column].append(width - count_code_points((*line)[column]), ' ');
      run = std::find_if(end, lines.end(), has_cell);
    }
  }
  std::vector<std::string> whole;
  for (const auto& line : lines) whole.push_back(join(line, ""));
  return join(whole, "\n");
}

std::string ellipsis(std::string_view text, std::size_t n) {
  if (count_code_points(text) <= n) return std::string(text);
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end)
    if (starts_code_point(text[end]) && ++seen == n) break;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace berth::cli
