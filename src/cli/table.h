// Columns as Docker's client prints them: Go's text/tabwriter with a least width of 10 and three blanks between.
#pragma once

#include <string>
#include <string_view>

namespace berth::cli {

struct TableShape {
  std::size_t min_width = 10;  // of a cell with its padding
  std::size_t padding = 3;
};

// Lines whose cells end in a tab become aligned columns; what follows the last tab of a line is not a cell. A column is
// as wide as its widest cell in a run of neighbouring lines that all have it. Widths count code points, not bytes.
std::string align_columns(std::string_view text, TableShape shape = {});

// The first n code points of text with "…" for the last where it was longer (Docker's Ellipsis); n >= 2.
std::string ellipsis(std::string_view text, std::size_t n);

}  // namespace berth::cli
