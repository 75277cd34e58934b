#include "cli/flags.h"

#include <algorithm>

#include "base/text.h"

namespace berth::cli {

namespace {

Result<bool> parse_truth(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return fail(ErrorCode::invalid, "strconv.ParseBool: parsing \"{}\": invalid syntax", text);
}

std::string flag_title(const Flag& flag) {
  if (flag.shorthand == 0) return fmt::format("--{}", flag.name);
  return fmt::format("-{}, --{}", flag.shorthand, flag.name);
}

// go-units' messages, which Docker's users see; parse_bytes itself says it at more length.
Result<std::int64_t> parse_size(std::string_view text) {
  if (auto bytes = parse_bytes(text)) return *bytes;
  std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  if (digits == 0 || digits == text.size()) return fail(ErrorCode::invalid, "invalid size: '{}'", text);
  return fail(ErrorCode::invalid, "invalid suffix: '{}'", to_lower(trim(text.substr(digits))));
}

// What --help shows to the left of the description.
std::string flag_signature(const Flag& flag) {
  std::string text = flag.shorthand == 0 ? "      --" : fmt::format("  -{}, --", flag.shorthand);
  text += flag.name;
  if (!flag.type.empty()) text.append(" ").append(flag.type);
  return text;
}

}  // namespace

std::vector<std::string> wrap_text(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  for (const std::string& word : split(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  lines.push_back(std::move(line));
  return lines;
}

Flag& Flags::add_value(std::string_view spec, std::string_view type, ParseValue set, std::string_view help) {
  auto [name, shorthand] = split_once(spec, ',');
  return flags_.emplace_back(name, shorthand ? shorthand->front() : '\0', type, help, std::move(set));
}

Flag& Flags::add(std::string_view spec, bool& target, std::string_view help) {
  auto set = [&target](std::string_view text) -> Result<void> {
    TRY(target, parse_truth(text));
    return {};
  };
  return add_value(spec, "", set, help);
}

Flag& Flags::add(std::string_view spec, std::string& target, std::string_view help) {
  auto set = [&target](std::string_view text) -> Result<void> {
    target = text;
    return {};
  };
  return add_value(spec, "string", set, help);
}

Flag& Flags::add(std::string_view spec, std::optional<std::string>& target, std::string_view help) {
  auto set = [&target](std::string_view text) -> Result<void> {
    target = std::string(text);
    return {};
  };
  return add_value(spec, "string", set, help);
}

Flag& Flags::add(std::string_view spec, std::vector<std::string>& target, std::string_view help) {
  auto set = [&target](std::string_view text) -> Result<void> {
    target.emplace_back(text);
    return {};
  };
  return add_value(spec, "list", set, help);
}

Flag& Flags::add(std::string_view spec, std::optional<std::int64_t>& target, std::string_view help) {
  auto set = [&target](std::string_view text) -> Result<void> {
    target = parse_number<std::int64_t>(text);
    if (!target) return fail(ErrorCode::invalid, "strconv.ParseInt: parsing \"{}\": invalid syntax", text);
    return {};
  };
  return add_value(spec, "int", set, help);
}

Flag& Flags::add_bytes(std::string_view spec, std::optional<std::int64_t>& target, std::string_view help) {
  auto set = [&target](std::string_view text) -> Result<void> {
    TRY(target, parse_size(text));
    return {};
  };
  return add_value(spec, "bytes", set, help);
}

const Flag* Flags::find(std::string_view name) const {
  auto found = std::ranges::find(flags_, name, &Flag::name);
  return found == flags_.end() ? nullptr : &*found;
}

const Flag* Flags::find(char shorthand) const {
  auto found = std::ranges::find(flags_, shorthand, &Flag::shorthand);
  return found == flags_.end() ? nullptr : &*found;
}

Result<void> Flags::set(const Flag& flag, std::string_view value) {
  if (auto done = flag.set(value); !done)
    return fail(ErrorCode::invalid, "invalid argument \"{}\" for \"{}\" flag: {}", value, flag_title(flag),
                done.error().text());
  return {};
}

// Both readers answer how many words they have used.
Result<std::size_t> Flags::parse_long(std::span<const std::string> rest) {
  auto [name, value] = split_once(std::string_view(rest[0]).substr(2), '=');
  if (name.empty() || name.front() == '-') return fail(ErrorCode::invalid, "bad flag syntax: {}", rest[0]);
  const Flag* flag = find(name);
  if (flag == nullptr && name == "help") {
    help_wanted_ = true;
    return 1;
  }
  if (flag == nullptr) return fail(ErrorCode::invalid, "unknown flag: --{}", name);
  if (value || flag->type.empty()) {
    TRY_OK(set(*flag, value.value_or("true")));
    return 1;
  }
  if (rest.size() < 2) return fail(ErrorCode::invalid, "flag needs an argument: --{}", name);
  TRY_OK(set(*flag, rest[1]));
  return 2;
}

Result<std::size_t> Flags::parse_short(std::span<const std::string> rest) {
  std::string_view group = std::string_view(rest[0]).substr(1);
  for (std::size_t i = 0; i < group.size(); ++i) {
    const Flag* flag = find(group[i]);
    std::string_view after = group.substr(i + 1);
    if (flag == nullptr && group[i] == 'h') {
      help_wanted_ = true;
      return 1;
    }
    if (flag == nullptr)
      return fail(ErrorCode::invalid, "unknown shorthand flag: '{}' in -{}", group[i], group.substr(i));
    if (after.starts_with('=') && after.size() > 1) {
      TRY_OK(set(*flag, after.substr(1)));
      return 1;
    }
    if (flag->type.empty()) {
      TRY_OK(set(*flag, "true"));
      continue;
    }
    if (!after.empty()) {
      TRY_OK(set(*flag, after));
      return 1;
    }
    if (rest.size() < 2)
      return fail(ErrorCode::invalid, "flag needs an argument: '{}' in -{}", group[i], group.substr(i));
    TRY_OK(set(*flag, rest[1]));
    return 2;
  }
  return 1;
}

Result<std::vector<std::string>> Flags::parse(std::span<const std::string> arguments) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (i < arguments.size() && !help_wanted_) {
    const std::string& argument = arguments[i];
    bool is_flag = argument.size() > 1 && argument[0] == '-';
    if (argument == "--" || (!is_flag && !interspersed_)) {
      if (argument == "--") ++i;
      words.insert(words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    if (!is_flag) {
      words.push_back(argument);
      ++i;
      continue;
    }
    auto rest = arguments.subspan(i);
    TRY(std::size_t used, argument[1] == '-' ? parse_long(rest) : parse_short(rest));
    i += used;
  }
  return words;
}

std::vector<std::string> Flags::names() const {
  std::vector<std::string> all;
  for (const Flag& flag : flags_) all.push_back(fmt::format("--{}", flag.name));
  all.emplace_back("--help");
  return all;
}

std::string Flags::describe() const {
  std::vector<const Flag*> sorted;
  std::size_t width = 0;
  for (const Flag& flag : flags_) {
    sorted.push_back(&flag);
    width = std::max(width, flag_signature(flag).size());
  }
  std::ranges::sort(sorted, {}, [](const Flag* flag) { return flag->name; });
  constexpr std::size_t kGap = 3, kLine = 100;
  std::string text;
  for (const Flag* flag : sorted) {
    std::string help(flag->help);
    if (!flag->default_text.empty()) help += fmt::format(" (default {})", flag->default_text);
    std::string left = flag_signature(*flag);
    for (const std::string& line : wrap_text(help, std::max<std::size_t>(kLine - std::min(width, kLine), 40))) {
      text += fmt::format("{:<{}}{}\n", left, width + kGap, line);
      left.clear();
    }
  }
  return text;
}

}  // namespace berth::cli
