#include "docker/filters.h"

#include <algorithm>
#include <regex>

#include "base/json.h"
#include "base/text.h"

namespace berth::docker {

namespace {

constexpr std::size_t kMaxPattern = 512;

// "^web$" and the like need no regular expression.
bool is_plain(std::string_view pattern) { return pattern.find_first_of("\\.[]{}()*+?|^$") == std::string_view::npos; }

}  // namespace

Result<std::optional<Time>> Filters::until() const {
  const auto& times = all("until");
  if (times.empty()) return std::nullopt;
  if (times.size() > 1) return fail(ErrorCode::invalid, "more than one until filter specified");
  return parse_moment(times.front());
}

Result<Time> parse_moment(std::string_view text) {
  constexpr std::int64_t kFarFuture = 9'000'000'000;  // seconds; what is more would not fit in nanoseconds
  auto [seconds, fraction] = split_once(text, '.');
  auto whole = parse_number<std::int64_t>(seconds);
  if (whole && *whole >= 0 && *whole < kFarFuture) {
    std::string digits = std::string(fraction.value_or("0")).substr(0, 9);
    digits.resize(9, '0');
    return Time{*whole * 1'000'000'000 + parse_number<std::int64_t>(digits).value_or(0)};
  }
  if (auto age = parse_duration(text)) return Time{now().nanoseconds - age->count()};
  constexpr std::string_view kDate = "2026-11-22", kSeconds = "2026-11-22T10:00:00";
  if (text.size() == kDate.size()) return parse_rfc3339(fmt::format("{}T00:00:00Z", text));
  if (text.size() == kSeconds.size()) return parse_rfc3339(fmt::format("{}Z", text));
  return parse_rfc3339(text);
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::string_view core = pattern;
  bool from_start = core.starts_with('^');
  if (from_start) core.remove_prefix(1);
  bool to_end = core.ends_with('$');
  if (to_end) core.remove_suffix(1);
  if (is_plain(core)) {
    if (from_start && to_end) return text == core;
    if (from_start) return text.starts_with(core);
    if (to_end) return text.ends_with(core);
    return text.find(core) != std::string_view::npos;
  }
  if (pattern.size() > kMaxPattern) return false;
  try {
    // __polynomial: without it libstdc++ backtracks, and a pattern from outside could keep the loop busy for ever.
    std::regex regex(pattern.begin(), pattern.end(), std::regex::ECMAScript | std::regex_constants::__polynomial);
    return std::regex_search(text.begin(), text.end(), regex);
  } catch (const std::regex_error&) {
    return text.find(pattern) != std::string_view::npos;
  }
}

Result<Filters> Filters::parse(const std::string& text, std::initializer_list<std::string_view> known) {
  Filters filters;
  if (text.empty()) return filters;
  auto value = json::parse(text);
  if (!value || !value->is_object()) return fail(ErrorCode::invalid, "invalid filter");
  for (const auto& member : value->get_object()) {
    std::vector<std::string>& values = filters.filters_[std::string(member.key())];
    if (member.value().is_array()) {
      for (const json::Value& item : member.value().get_array()) {
        if (!item.is_string()) return fail(ErrorCode::invalid, "invalid filter");
        values.emplace_back(item.get_string());
      }
    } else if (member.value().is_object()) {
      for (const auto& item : member.value().get_object())
        if (item.value().is_bool() && item.value().get_bool()) values.emplace_back(item.key());
    } else {
      return fail(ErrorCode::invalid, "invalid filter");
    }
    if (std::ranges::find(known, std::string_view(member.key())) == known.end())
      return fail(ErrorCode::invalid, "invalid filter '{}'", std::string_view(member.key()));
  }
  std::erase_if(filters.filters_, [](const auto& filter) { return filter.second.empty(); });
  return filters;
}

const std::vector<std::string>& Filters::all(std::string_view key) const {
  static const std::vector<std::string> kNone;
  auto found = filters_.find(key);
  return found == filters_.end() ? kNone : found->second;
}

bool Filters::exact(std::string_view key, std::string_view value) const {
  return !has(key) || std::ranges::find(all(key), value) != all(key).end();
}

bool Filters::match(std::string_view key, std::string_view value) const {
  return !has(key) || std::ranges::any_of(all(key), [value](const std::string& pattern) {
    return pattern == value || matches_pattern(pattern, value);
  });
}

bool Filters::labels(const std::map<std::string, std::string>& labels, std::string_view key) const {
  return std::ranges::all_of(all(key), [&labels](const std::string& wanted) {
    auto [name, value] = split_once(wanted, '=');
    auto label = labels.find(std::string(name));
    return label != labels.end() && (!value || label->second == *value);
  });
}

Result<bool> Filters::truth(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const std::vector<std::string>& values = all(key);
  bool yes = values.front() == "1" || values.front() == "true";
  bool no = values.front() == "0" || values.front() == "false";
  if (values.size() != 1 || (!yes && !no))
    return fail(ErrorCode::invalid, "invalid filter '{}=[{}]'", key, join(values, " "));
  return yes;
}

}  // namespace berth::docker
