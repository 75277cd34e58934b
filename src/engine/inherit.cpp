#include "engine/inherit.h"

#include <algorithm>

#include "base/text.h"
#include "fs/root_dir.h"

namespace berth::engine {

namespace {

bool is_mounted(const ContainerSpec& spec, const std::string& target) {
  std::string clean = fs::clean_path(target);
  return std::ranges::any_of(spec.mounts, [&](const MountSpec& each) { return fs::clean_path(each.target) == clean; });
}

}  // namespace

Result<void> inherit_volumes(const Engine& engine, ContainerSpec& spec) {
  for (const std::string& text : spec.volumes_from) {
    auto [name, mode] = split_once(text, ':');
    if (name.empty()) return fail(ErrorCode::invalid, "malformed volumes-from specification: {}", text);
    if (mode && *mode != "ro" && *mode != "rw" && *mode != "z" && *mode != "Z")
      return fail(ErrorCode::invalid, "invalid mode for volumes-from: {}", *mode);
    // Not as not_found, which a client of create takes for a missing image.
    auto found = engine.find(name);
    if (!found) return std::unexpected(std::move(found).error().as(ErrorCode::invalid));
    const auto& other = *found;
    for (MountSpec mount : other->spec().mounts) {
      if (is_mounted(spec, mount.target)) continue;
      mount.inherited = true;
      mount.copy_up = false;
      if (mode == "ro") mount.read_only = true;
      spec.mounts.push_back(std::move(mount));
    }
  }
  return {};
}

}  // namespace berth::engine
