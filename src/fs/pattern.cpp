#include "fs/pattern.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "fs/root_dir.h"

namespace berth::fs {

namespace {

// One element of a pattern other than '*': what it is, and where the next begins.
struct Element {
  bool matches = false;
  std::size_t next = 0;
};

// A set from pattern[at] = '[' on; nothing when it is not closed.
std::optional<Element> match_set(std::string_view pattern, std::size_t at, char c) {
  std::size_t i = at + 1;
  bool negated = i < pattern.size() && (pattern[i] == '^' || pattern[i] == '!');
  if (negated) ++i;
  bool inside = false;
  for (bool first = true;; first = false) {
    if (i >= pattern.size()) return {};
    if (pattern[i] == ']' && !first) break;
    auto take = [&]() -> std::optional<char> {
      // As Go has it, these two stand for themselves only when they are escaped.
      if (i < pattern.size() && (pattern[i] == '-' || pattern[i] == ']')) return {};
      if (i < pattern.size() && pattern[i] == '\\') ++i;
      if (i >= pattern.size()) return {};
      return pattern[i++];
    };
    auto low = take();
    auto high = low;
    if (low && i < pattern.size() && pattern[i] == '-') {
      ++i;
      high = take();
    }
    if (!low || !high) return {};
    inside |= *low <= c && c <= *high;
  }
  return Element{inside != negated, i + 1};
}

std::optional<Element> match_one(std::string_view pattern, std::size_t at, char c, bool slashes) {
  switch (pattern[at]) {
    case '?':
      return Element{!slashes || c != '/', at + 1};
    case '[': {
      auto set = match_set(pattern, at, c);
      if (set && slashes && c == '/') set->matches = false;
      return set;
    }
    case '\\':
      if (at + 1 >= pattern.size()) return {};
      return Element{pattern[at + 1] == c, at + 2};
    default:
      return Element{pattern[at] == c, at + 1};
  }
}

// With one '*' to come back to, since a later one makes earlier choices moot. Nothing when the pattern is broken.
std::optional<bool> glob(std::string_view pattern, std::string_view name, bool slashes) {
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, star_name = 0;
  while (n < name.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_name = n;
      continue;
    }
    if (p < pattern.size() && n < name.size()) {
      auto element = match_one(pattern, p, name[n], slashes);
      if (!element) return {};
      if (element->matches) {
        p = element->next;
        ++n;
        continue;
      }
    }
    bool can_grow = star != std::string_view::npos && star_name < name.size() && !(slashes && name[star_name] == '/');
    if (!can_grow) return false;
    n = ++star_name;
    p = star;
  }
  return true;
}

bool is_well_formed(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size();) {
    if (pattern[i] == '*') {
      ++i;
      continue;
    }
    auto element = match_one(pattern, i, 'x', true);
    if (!element) return false;
    i = element->next;
  }
  return true;
}

// Components against components; "**" is any number of them. Whether the pattern matches the path or a directory above.
bool match_parts(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  // reached[i]: the first i parts of the pattern match the parts of the path so far.
  std::vector<bool> reached(pattern.size() + 1);
  reached[0] = true;
  auto skip_stars = [&] {
    for (std::size_t i = 0; i < pattern.size(); ++i)
      if (reached[i] && pattern[i] == "**") reached[i + 1] = true;
  };
  skip_stars();
  for (const std::string& part : path) {
    std::vector<bool> next(pattern.size() + 1);
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (!reached[i]) continue;
      if (pattern[i] == "**")
        next[i] = true;
      else if (glob(pattern[i], part, true).value_or(false))
        next[i + 1] = true;
    }
    reached = std::move(next);
    skip_stars();
    if (reached[pattern.size()]) return true;
  }
  return false;
}

}  // namespace

Result<bool> matches_path(std::string_view pattern, std::string_view name) {
  auto matched = is_well_formed(pattern) ? glob(pattern, name, true) : std::nullopt;
  if (!matched) return fail(ErrorCode::invalid, "syntax error in pattern");
  return *matched;
}

bool matches_shell(std::string_view pattern, std::string_view text) {
  return is_well_formed(pattern) ? glob(pattern, text, false).value_or(false) : pattern == text;
}

Result<IgnoreList> IgnoreList::of(const std::vector<std::string>& patterns) {
  IgnoreList list;
  for (const std::string& text : patterns) {
    std::string_view line = trim(text);
    Pattern pattern;
    if (line.starts_with('!')) {
      pattern.take_back = true;
      line = trim(line.substr(1));
      if (line.empty()) return fail(ErrorCode::invalid, "illegal exclusion pattern: \"!\"");
    }
    std::string clean = clean_path(line);
    if (clean.empty()) continue;
    pattern.parts = split(clean, '/');
    for (const std::string& part : pattern.parts)
      if (!is_well_formed(part))
        return fail(ErrorCode::invalid, "error checking context: syntax error in pattern: {}", line);
    list.patterns_.push_back(std::move(pattern));
  }
  return list;
}

Result<IgnoreList> IgnoreList::parse(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines = split(text, '\n');
  std::erase_if(lines, [](const std::string& line) { return line.starts_with('#'); });
  return of(lines);
}

bool IgnoreList::excludes(std::string_view path) const {
  std::vector<std::string> parts = split(path, '/');
  bool excluded = false;
  for (const Pattern& pattern : patterns_)
    if (excluded == pattern.take_back && match_parts(pattern.parts, parts)) excluded = !pattern.take_back;
  return excluded;
}

bool IgnoreList::may_take_back_below(std::string_view directory) const {
  std::vector<std::string> parts = split(directory, '/');
  for (const Pattern& pattern : patterns_) {
    if (!pattern.take_back) continue;
    bool may = true;
    for (std::size_t i = 0; may && i < parts.size() && i < pattern.parts.size(); ++i) {
      if (pattern.parts[i] == "**") break;
      may = glob(pattern.parts[i], parts[i], true).value_or(false);
    }
    if (may) return true;
  }
  return false;
}

}  // namespace berth::fs
