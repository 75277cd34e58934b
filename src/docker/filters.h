// The `filters` parameter of list endpoints: {"label": ["a=b"], "status": ["running"]}, or the older
// {"label": {"a=b": true}}. Values of one key are alternatives (labels: all must match); different keys must all match.
//
// Thread: a value.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace berth::docker {

class Filters {
 public:
  // Docker's texts: "invalid filter" for what is no such JSON, "invalid filter 'NAME'" for a key that is not known.
  static Result<Filters> parse(const std::string& text, std::initializer_list<std::string_view> known);

  bool has(std::string_view key) const { return filters_.find(key) != filters_.end(); }
  const std::vector<std::string>& all(std::string_view key) const;
  // Whether the value is one of those asked for; true when nothing was asked.
  bool exact(std::string_view key, std::string_view value) const;
  // The same for patterns: a regular expression that matches somewhere in the value.
  bool match(std::string_view key, std::string_view value) const;
  bool labels(const std::map<std::string, std::string>& labels, std::string_view key = "label") const;
  // "invalid filter 'dangling=[maybe]'".
  Result<bool> truth(std::string_view key, bool fallback) const;
  // "until": before this time, if one was asked for. "more than one until filter specified".
  Result<std::optional<Time>> until() const;
  bool empty() const { return filters_.empty(); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> filters_;
};

// What clients say for a time: seconds since the epoch with or without a fraction, an age ("10m"), RFC 3339, or a date.
Result<Time> parse_moment(std::string_view text);

// Whether the regular expression matches somewhere in text; one that is none matches as plain text. Takes time
// proportional to the product of both lengths.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace berth::docker
