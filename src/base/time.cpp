#include "base/time.h"

#include <algorithm>
#include <ctime>
#include <optional>

#include "base/text.h"

namespace berth {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string format_seconds(std::int64_t seconds) {
  std::time_t value = seconds;
  std::tm parts{};
  ::gmtime_r(&value, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::unexpected<Error> bad_time(std::string_view text) {
  return fail(ErrorCode::invalid, "invalid time \"{}\": want RFC 3339, for example 2026-01-31T12:00:00Z", text);
}

}  // namespace

Time now() {
  return Time{std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                  .count()};
}

std::string format_rfc3339_fixed(Time time) {
  if (!time.is_set()) return "0001-01-01T00:00:00Z";
  return fmt::format("{}.{:09}Z", format_seconds(time.nanoseconds / kSecond), time.nanoseconds % kSecond);
}

std::string format_rfc3339(Time time) {
  if (!time.is_set()) return "0001-01-01T00:00:00Z";
  std::int64_t fraction = time.nanoseconds % kSecond;
  std::string text = format_seconds(time.nanoseconds / kSecond);
  if (fraction == 0) return text + "Z";
  std::string digits = fmt::format("{:09}", fraction);
  digits.erase(digits.find_last_not_of('0') + 1);
  return text + "." + digits + "Z";
}

Result<Time> parse_rfc3339(std::string_view text) {
  std::string_view rest = text;
  auto number = [&rest](std::size_t digits, char end) -> std::optional<int> {
    if (rest.size() < digits) return {};
    auto value = parse_number<int>(rest.substr(0, digits));
    rest.remove_prefix(digits);
    if (end != 0) {
      if (rest.empty() || (rest[0] != end && !(end == 'T' && (rest[0] == 't' || rest[0] == ' ')))) return {};
      rest.remove_prefix(1);
    }
    return value;
  };
  auto year = number(4, '-'), month = number(2, '-'), day = number(2, 'T');
  auto hour = number(2, ':'), minute = number(2, ':'), second = number(2, 0);
  if (!year || !month || !day || !hour || !minute || !second) return bad_time(text);
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
    return bad_time(text);
  std::int64_t fraction = 0;
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    std::int64_t unit = kSecond / 10;
    std::size_t used = 0;
    for (; used < rest.size() && rest[used] >= '0' && rest[used] <= '9'; ++used, unit /= 10)
      fraction += (rest[used] - '0') * unit;
    if (used == 0) return bad_time(text);
    rest.remove_prefix(used);
  }
  std::int64_t offset = 0;
  if (rest == "Z" || rest == "z") {
    rest = {};
  } else if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
    auto hours = parse_number<int>(rest.substr(1, 2)), minutes = parse_number<int>(rest.substr(4, 2));
    if (!hours || !minutes) return bad_time(text);
    offset = (*hours * 3600 + *minutes * 60) * (rest[0] == '-' ? -1 : 1);
    rest = {};
  } else {
    return bad_time(text);
  }
  if (*year == 1) return Time{};
  if (*year < 1970 || *year > 2200) return bad_time(text);
  std::tm parts{};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = *second;
  return Time{(static_cast<std::int64_t>(::timegm(&parts)) - offset) * kSecond + fraction};
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  auto bad = [&] {
    return fail(ErrorCode::invalid, "invalid duration \"{}\": want a number with a unit, for example 90s or 1h30m",
                text);
  };
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return bad();
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::size_t digits = rest.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return bad();
    auto value = parse_number<double>(rest.substr(0, digits));
    if (!value) return bad();
    rest.remove_prefix(digits);
    std::size_t letters = std::min(rest.find_first_of("0123456789."), rest.size());
    std::string_view unit = rest.substr(0, letters);
    double scale = unit == "ns"   ? 1
                   : unit == "us" ? 1e3
                   : unit == "ms" ? 1e6
                   : unit == "s"  ? 1e9
                   : unit == "m"  ? 60e9
                   : unit == "h"  ? 3600e9
                                  : 0;
    if (scale == 0) return bad();
    total += *value * scale;
    rest.remove_prefix(letters);
  }
  if (total > 9e18) return bad();
  return std::chrono::nanoseconds(static_cast<std::int64_t>(total));
}

std::string human_duration(std::chrono::nanoseconds duration) {
  std::int64_t seconds = duration.count() / kSecond, minutes = seconds / 60;
  std::int64_t hours = (duration.count() + 1800 * kSecond) / (3600 * kSecond);
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", hours / 24 / 365);
}

}  // namespace berth
