// The portal's few pages, made on the server: no scripts, one style sheet, light and dark, from 375 pixels on.
//
// Everything that is not ours is escaped here; callers pass it as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "workspace/workspaces.h"

namespace berth::portal {

// "<b>" -> "&lt;b&gt;": fit for text and for quoted attributes.
std::string escape_html(std::string_view text);

// What pages say about one workspace.
struct PageEntry {
  workspace::Status status;
  std::string ssh_command;
};

std::string home_page(const std::vector<PageEntry>& entries, std::string_view default_image);
std::string workspace_page(const PageEntry& entry);
std::string problem_page(const workspace::Problem& problem);
std::string removed_page(std::string_view name, bool with_data);
std::string_view style_sheet();

}  // namespace berth::portal
