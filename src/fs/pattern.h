// File name patterns: Go's filepath.Match, and lists of them as in .dockerignore.
//
// Pure. Time is bounded by the product of both lengths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::fs {

// Go's filepath.Match: '*' and '?' stop at a slash, [a-z] [^a-z] are sets, '\' escapes. The whole name must match.
// `invalid` "syntax error in pattern" for a broken set or a trailing '\'.
Result<bool> matches_path(std::string_view pattern, std::string_view name);
// The same without a special meaning of the slash and with broken patterns as plain text: for variables of a shell.
bool matches_shell(std::string_view pattern, std::string_view text);

// A .dockerignore: one pattern a line, '#' comments, '!' takes back what an earlier line excluded, "**" is any number
// of directories. What lies below an excluded directory is excluded too. Paths are relative and clean.
class IgnoreList {
 public:
  static Result<IgnoreList> parse(std::string_view text);
  static Result<IgnoreList> of(const std::vector<std::string>& patterns);

  // Whether the path is left out.
  bool excludes(std::string_view path) const;
  // Whether something below an excluded directory may be taken back, so that it must be looked into.
  bool may_take_back_below(std::string_view directory) const;
  bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    std::vector<std::string> parts;
    bool take_back = false;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace berth::fs
