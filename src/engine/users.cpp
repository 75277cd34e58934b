#include "engine/users.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace berth::engine {

namespace {

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view asked) {
  auto number = parse_number<std::uint32_t>(asked);
  std::optional<PasswdEntry> by_number;
  for (const std::string& line : split(passwd, '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 6) continue;
    auto uid = parse_number<std::uint32_t>(fields[2]), gid = parse_number<std::uint32_t>(fields[3]);
    if (!uid || !gid) continue;
    PasswdEntry entry{fields[0], *uid, *gid, fields[5]};
    if (entry.name == asked) return entry;
    if (number && *uid == *number && !by_number) by_number = entry;
  }
  return by_number;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view asked) {
  auto number = parse_number<std::uint32_t>(asked);
  for (const std::string& line : split(group, '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() < 3) continue;
    auto gid = parse_number<std::uint32_t>(fields[2]);
    if (gid && (fields[0] == asked || (number && *gid == *number))) return gid;
  }
  return number;
}

}  // namespace

Result<ProcessUser> resolve_user(std::string_view asked, const std::vector<std::string>& more_groups,
                                 std::string_view passwd, std::string_view group) {
  auto [user_part, group_part] = split_once(asked, ':');
  std::string_view name = user_part.empty() ? "0" : user_part;
  ProcessUser user;
  std::optional<PasswdEntry> entry = find_user(passwd, name);
  if (entry) {
    user.uid = entry->uid;
    user.gid = entry->gid;
    if (!entry->home.empty()) user.home = entry->home;
  } else {
    auto number = parse_number<std::uint32_t>(name);
    if (!number) return fail(ErrorCode::invalid, "unable to find user {}: no matching entries in passwd file", name);
    user.uid = *number;
    if (user.uid == 0) user.home = "/root";
  }
  if (group_part && !group_part->empty()) {
    auto gid = find_group(group, *group_part);
    if (!gid)
      return fail(ErrorCode::invalid, "unable to find group {}: no matching entries in group file", *group_part);
    user.gid = *gid;
  } else if (entry) {
    for (const std::string& line : split(group, '\n')) {
      std::vector<std::string> fields = split(line, ':');
      auto gid = fields.size() >= 4 ? parse_number<std::uint32_t>(fields[2]) : std::nullopt;
      if (!gid) continue;
      std::vector<std::string> members = split(fields[3], ',');
      if (std::find(members.begin(), members.end(), entry->name) != members.end()) user.groups.push_back(*gid);
    }
  }
  for (const std::string& extra : more_groups) {
    auto gid = find_group(group, extra);
    if (!gid) return fail(ErrorCode::invalid, "unable to find group {}: no matching entries in group file", extra);
    user.groups.push_back(*gid);
  }
  return user;
}

}  // namespace berth::engine
