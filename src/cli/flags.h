// Command-line flags as Docker's client reads them, with its messages: --name VALUE, --name=VALUE, -n VALUE, -nVALUE,
// grouped switches (-it), "--" ends the flags.
//
//   PsOptions options;
//   Flags flags;
//   flags.add("all,a", options.all, "Show stopped containers too");
//   TRY(auto words, flags.parse(arguments));
//
// The targets must outlive parse(). A verb whose last words belong to another program (run, exec) stops reading flags
// at the first word that is none.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::cli {

// Takes the text that was given; the message of its error becomes the last part of "invalid argument ...".
using ParseValue = std::function<Result<void>(std::string_view)>;

struct Flag {
  std::string_view name;
  char shorthand = 0;
  std::string_view type;  // what --help shows after the name; empty for a switch
  std::string_view help;
  ParseValue set;
  std::string_view default_text = {};  // shown by --help as (default X)

  Flag& defaults_to(std::string_view text) {
    default_text = text;
    return *this;
  }
};

class Flags {
 public:
  // spec is "name" or "name,n". The spec, type and help must be literals.
  Flag& add(std::string_view spec, bool& target, std::string_view help);
  Flag& add(std::string_view spec, std::string& target, std::string_view help);
  Flag& add(std::string_view spec, std::optional<std::string>& target, std::string_view help);
  Flag& add(std::string_view spec, std::vector<std::string>& target, std::string_view help);
  Flag& add(std::string_view spec, std::optional<std::int64_t>& target, std::string_view help);
  Flag& add_value(std::string_view spec, std::string_view type, ParseValue set, std::string_view help);
  // "512m" in bytes.
  Flag& add_bytes(std::string_view spec, std::optional<std::int64_t>& target, std::string_view help);

  // Reading goes on after a word that is no flag, unless told otherwise.
  void stop_at_first_word() { interspersed_ = false; }

  // The words that are no flags. Errors are `invalid` and need no further frame. --help (and -h, unless it is a flag
  // here) sets help_wanted() and ends the reading.
  Result<std::vector<std::string>> parse(std::span<const std::string> arguments);
  bool help_wanted() const { return help_wanted_; }

  // The "Options:" lines of --help, sorted by name; empty when there are none.
  std::string describe() const;
  // "--all" and the like, for completion.
  std::vector<std::string> names() const;

 private:
  Result<std::size_t> parse_long(std::span<const std::string> rest);
  Result<std::size_t> parse_short(std::span<const std::string> rest);
  Result<void> set(const Flag& flag, std::string_view value);
  const Flag* find(std::string_view name) const;
  const Flag* find(char shorthand) const;

  std::deque<Flag> flags_;  // a deque: add() hands out references
  bool interspersed_ = true;
  bool help_wanted_ = false;
};

// "Some text" broken at spaces into lines of at most width bytes.
std::vector<std::string> wrap_text(std::string_view text, std::size_t width);

}  // namespace berth::cli
