// Wall-clock times as Docker prints them (RFC 3339 with nanoseconds, UTC), and durations as Go prints them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace berth {

// Nanoseconds since the epoch, UTC. The value 0 means "never" and prints as Docker's 0001-01-01T00:00:00Z.
struct Time {
  std::int64_t nanoseconds = 0;
  friend auto operator<=>(const Time&, const Time&) = default;
  bool is_set() const { return nanoseconds != 0; }
};

Time now();

// "2026-11-22T10:52:51.123456789Z"; trailing zeros of the fraction are dropped, as Go does.
std::string format_rfc3339(Time time);
// The same with always nine digits: log lines that sort as text.
std::string format_rfc3339_fixed(Time time);
// Accepts RFC 3339 with or without fraction, any offset, and Docker's "0001-01-01T00:00:00Z".
Result<Time> parse_rfc3339(std::string_view text);
// "90s", "1h30m", "250ms" (Go's time.ParseDuration, without signs).
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// How `docker ps` says it: "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks" (go-units).
std::string human_duration(std::chrono::nanoseconds duration);

}  // namespace berth
