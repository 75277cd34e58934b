#include "cli/copy_paths.h"

#include <sys/stat.h>

#include <filesystem>

namespace berth::cli {

namespace {

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// The last component of a path; of "/", "." and "dir/." that of the directory meant.
std::string base_name(const std::string& path) {
  std::string whole = without_slashes(std::filesystem::path(path).lexically_normal().string());
  std::string name = std::filesystem::path(whole).filename().string();
  return name.empty() || name == "." || name == ".." ? "." : name;
}

std::string parent_of(const std::string& path) {
  std::string parent = std::filesystem::path(without_slashes(path)).parent_path().string();
  if (!parent.empty()) return parent;
  return path.starts_with('/') ? "/" : ".";
}

}  // namespace

CopyPlace parse_place(const std::string& text) {
  std::size_t colon = text.find(':');
  // A path that begins with '/' or '.' is local, whatever follows.
  if (colon == std::string::npos || colon == 0 || text.starts_with('/') || text.starts_with('.')) return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool copies_contents(const std::string& path) { return path == "." || path.ends_with("/."); }

Result<Landing> plan_landing(bool source_is_directory, const std::string& source, const std::string& target,
                             std::optional<bool> target_is_directory) {
  if (target_is_directory && *target_is_directory) {
    if (source_is_directory && copies_contents(source)) return Landing{target, "."};
    return Landing{target, base_name(source)};
  }
  if (target_is_directory && source_is_directory) return fail(ErrorCode::invalid, "cannot copy directory");
  if (!target_is_directory && !source_is_directory && target.ends_with('/'))
    return fail(ErrorCode::not_found, "no such directory");
  return Landing{parent_of(target), base_name(target)};
}

Result<void> check_local(const std::string& target) {
  struct stat info{};
  std::string parent = parent_of(target);
  if (::stat(target.c_str(), &info) == 0 || (::stat(parent.c_str(), &info) == 0 && S_ISDIR(info.st_mode))) return {};
  return fail(ErrorCode::not_found, "invalid output path: directory \"{}\" does not exist", parent);
}

Result<Landing> plan_local(bool source_is_directory, const std::string& source, const std::string& target) {
  struct stat info{};
  std::optional<bool> is_directory;
  if (::stat(target.c_str(), &info) == 0) is_directory = S_ISDIR(info.st_mode);
  return plan_landing(source_is_directory, source, target, is_directory);
}

std::string rename_first(const std::string& path, const std::string& name) {
  std::size_t slash = path.find('/');
  return slash == std::string::npos ? name : name + path.substr(slash);
}

}  // namespace berth::cli
