#include "compose/interpolate.h"

#include <algorithm>

namespace berth::compose {

namespace {

constexpr unsigned kDeepest = 32;
constexpr std::size_t kMostBytes = 16 << 20;

bool is_name_start(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

std::size_t name_length(std::string_view text) {
  if (text.empty() || !is_name_start(text[0])) return 0;
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_name_part) - text.begin());
}

// The length of "{...}" at the start of text with its braces, or nothing when it does not end.
std::optional<std::size_t> braced_length(std::string_view text) {
  unsigned open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' && (i == 0 || text[i - 1] == '$')) ++open;
    if (text[i] == '}' && --open == 0) return i + 1;
  }
  return {};
}

std::unexpected<Error> bad_format(std::string_view text) {
  return fail(ErrorCode::invalid, "invalid interpolation format: {}: you may need to escape any $ with another $",
              text.substr(0, 80));
}

}  // namespace

std::string Interpolator::lookup(std::string_view name) {
  if (auto found = variables_.find(name); found != variables_.end()) return found->second;
  if (std::ranges::find(missing_, name) == missing_.end()) missing_.emplace_back(name);
  return "";
}

Result<std::string> Interpolator::expand(std::string_view text) { return expand_nested(text, 0); }

Result<std::string> Interpolator::expand_nested(std::string_view text, unsigned depth) {
  if (depth > kDeepest) return fail(ErrorCode::invalid, "variables are nested deeper than {} levels", kDeepest);
  std::string out;
  while (true) {
    std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    std::string_view rest = text.substr(dollar + 1);
    if (rest.starts_with('$')) {
      out += '$';
      rest.remove_prefix(1);
    } else if (rest.starts_with('{')) {
      auto length = braced_length(rest);
      if (!length) return bad_format(text.substr(dollar));
      auto value = expand_braced(rest.substr(1, *length - 2), depth);
      if (!value) return std::unexpected(std::move(value).error());
      out += *value;
      rest.remove_prefix(*length);
    } else if (std::size_t length = name_length(rest); length > 0) {
      out += lookup(rest.substr(0, length));
      rest.remove_prefix(length);
    } else {
      return bad_format(text.substr(dollar));
    }
    if (produced_ + out.size() > kMostBytes)
      return fail(ErrorCode::exhausted, "the variables of the project expand to more than {} bytes", kMostBytes);
    text = rest;
  }
  produced_ += out.size();
  return out;
}

Result<std::string> Interpolator::expand_braced(std::string_view body, unsigned depth) {
  std::size_t length = name_length(body);
  if (length == 0) return bad_format(fmt::format("${{{}}}", body));
  std::string_view name = body.substr(0, length), rest = body.substr(length);
  if (rest.empty()) return lookup(name);
  bool empty_counts_as_unset = rest[0] == ':';
  if (empty_counts_as_unset) rest.remove_prefix(1);
  char operation = rest.empty() ? '\0' : rest[0];
  if (operation != '-' && operation != '?' && operation != '+') return bad_format(fmt::format("${{{}}}", body));
  std::string_view word = rest.substr(1);
  auto found = variables_.find(name);
  bool is_set = found != variables_.end() && !(empty_counts_as_unset && found->second.empty());
  if (operation == '+') return is_set ? expand_nested(word, depth + 1) : "";
  if (is_set) return found->second;
  if (operation == '-') return expand_nested(word, depth + 1);
  TRY(std::string why, expand_nested(word, depth + 1));
  return fail(ErrorCode::invalid, "required variable {} is missing a value{}{}", name, why.empty() ? "" : ": ", why);
}

}  // namespace berth::compose
