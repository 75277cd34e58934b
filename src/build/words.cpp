#include "build/words.h"

#include <algorithm>
#include <cctype>

#include "base/json.h"
#include "base/text.h"
#include "fs/pattern.h"

namespace berth::build {

namespace {

constexpr std::size_t kMaxText = 16 << 20;  // of one expanded line: variables may double at each step
constexpr int kMaxNesting = 64;

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_blank(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

enum class Quotes { remove, keep };

class Expander {
 public:
  Expander(std::string_view text, const Lookup& lookup, char escape, Quotes quotes)
      : text_(text), lookup_(lookup), escape_(escape), quotes_(quotes) {}

  Result<std::string> all() { return until("", 0); }
  // Words that were cut on the way; only with Quotes::remove.
  std::vector<std::string> take_words() {
    end_word();
    return std::move(words_);
  }

 private:
  Result<std::string> until(std::string_view stops, int depth);
  Result<void> single_quoted(std::string& to);
  Result<void> double_quoted(std::string& to, int depth);
  Result<std::string> dollar(int depth);
  Result<std::string> braced(int depth);
  Result<std::string> modify(const std::string& name, std::string modifier, const std::string& word);
  Result<std::string> replace(const std::string& name, bool all, int depth);

  void add_quoted(std::string_view text) {
    word_ += text;
    in_word_ = true;
  }
  void add_unquoted(std::string_view text) {
    for (char c : text)
      if (is_blank(c)) {
        end_word();
      } else {
        word_ += c;
        in_word_ = true;
      }
  }
  void end_word() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }
  bool top(int depth) const { return depth == 0; }

  std::string_view text_;
  const Lookup& lookup_;
  char escape_;
  Quotes quotes_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
};

// Up to one of the stop characters, which is not taken.
Result<std::string> Expander::until(std::string_view stops, int depth) {
  if (depth > kMaxNesting) return fail(ErrorCode::invalid, "variables are nested too deep");
  std::string result;
  while (at_ < text_.size() && stops.find(text_[at_]) == std::string_view::npos) {
    std::size_t before = result.size();
    char c = text_[at_];
    bool quoted = false;
    if (c == '\'' && quotes_ == Quotes::remove) {
      TRY_OK(single_quoted(result));
      quoted = true;
    } else if (c == '"' && quotes_ == Quotes::remove) {
      TRY_OK(double_quoted(result, depth));
      quoted = true;
    } else if (c == '$') {
      TRY(std::string value, dollar(depth));
      result += value;
    } else if (c == escape_ && at_ + 1 < text_.size()) {
      // In a heredoc only what would mean something is escaped.
      char next = text_[at_ + 1];
      if (quotes_ == Quotes::keep && next != '$' && next != escape_) result += c;
      result += next;
      at_ += 2;
      quoted = true;
    } else if (c == escape_ && quotes_ == Quotes::remove) {
      ++at_;  // at the very end it escapes nothing
    } else {
      result += c;
      ++at_;
    }
    if (result.size() > kMaxText) return fail(ErrorCode::exhausted, "a line expands to more than {} bytes", kMaxText);
    if (top(depth)) {
      std::string_view added = std::string_view(result).substr(before);
      quoted ? add_quoted(added) : add_unquoted(added);
    }
  }
  return result;
}

Result<void> Expander::single_quoted(std::string& to) {
  std::size_t end = text_.find('\'', at_ + 1);
  if (end == std::string_view::npos)
    return fail(ErrorCode::invalid, "unexpected end of statement while looking for matching single-quote");
  to += text_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 1;
  return {};
}

Result<void> Expander::double_quoted(std::string& to, int depth) {
  ++at_;
  while (at_ < text_.size()) {
    char c = text_[at_];
    if (c == '"') {
      ++at_;
      return {};
    }
    if (c == '$') {
      TRY(std::string value, dollar(depth));
      to += value;
    } else if (c == escape_ && at_ + 1 < text_.size()) {
      char next = text_[at_ + 1];
      if (next != '"' && next != '$' && next != escape_) to += c;
      to += next;
      at_ += 2;
    } else {
      to += c;
      ++at_;
    }
  }
  return fail(ErrorCode::invalid, "unexpected end of statement while looking for matching double-quote");
}

Result<std::string> Expander::dollar(int depth) {
  ++at_;
  if (at_ >= text_.size()) return std::string("$");
  if (text_[at_] == '{') {
    ++at_;
    return braced(depth + 1);
  }
  if (!is_name_char(text_[at_])) return std::string("$");
  std::size_t start = at_;
  // "$1" is one digit, as in a shell.
  if (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0)
    ++at_;
  else
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
  return lookup_(text_.substr(start, at_ - start)).value_or("");
}

Result<std::string> Expander::braced(int depth) {
  std::size_t start = at_;
  while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
  std::string name(text_.substr(start, at_ - start));
  if (name.empty()) return fail(ErrorCode::invalid, "bad substitution");
  if (at_ >= text_.size()) return fail(ErrorCode::invalid, "syntax error: missing '}}'");
  std::string modifier(1, text_[at_++]);
  if (modifier == "}") return lookup_(name).value_or("");
  if (at_ < text_.size() &&
      (modifier == ":" || ((modifier == "#" || modifier == "%" || modifier == "/") && text_[at_] == modifier.front())))
    modifier += text_[at_++];
  if (modifier == "/" || modifier == "//") return replace(name, modifier == "//", depth);
  TRY(std::string word, until("}", depth));
  if (at_ >= text_.size()) return fail(ErrorCode::invalid, "syntax error: missing '}}'");
  ++at_;
  return modify(name, std::move(modifier), word);
}

// The shortest or longest piece at the front or back that the pattern matches is cut off.
std::string cut_match(const std::string& value, const std::string& pattern, bool front, bool longest) {
  for (std::size_t step = 0; step <= value.size(); ++step) {
    std::size_t length = longest ? value.size() - step : step;
    std::string_view piece =
        front ? std::string_view(value).substr(0, length) : std::string_view(value).substr(value.size() - length);
    if (fs::matches_shell(pattern, piece)) return front ? value.substr(length) : value.substr(0, value.size() - length);
  }
  return value;
}

Result<std::string> Expander::modify(const std::string& name, std::string modifier, const std::string& word) {
  std::optional<std::string> value = lookup_(name);
  if (modifier.starts_with('#') || modifier.starts_with('%'))
    return cut_match(value.value_or(""), word, modifier.front() == '#', modifier.size() == 2);
  bool set = value.has_value();
  if (modifier.starts_with(':')) {
    modifier.erase(0, 1);
    set = set && !value->empty();
  }
  if (modifier == "-") return set ? *value : word;
  if (modifier == "+") return set ? word : std::string();
  if (modifier == "?") {
    if (set) return *value;
    return fail(ErrorCode::invalid, "{}: {}", name, word.empty() ? "is not allowed to be unset" : word);
  }
  return fail(ErrorCode::invalid, "unsupported modifier ({}) in substitution", modifier);
}

Result<std::string> Expander::replace(const std::string& name, bool all, int depth) {
  TRY(std::string pattern, until("/}", depth));
  std::string by;
  if (at_ < text_.size() && text_[at_] == '/') {
    ++at_;
    TRY(by, until("}", depth));
  }
  if (at_ >= text_.size()) return fail(ErrorCode::invalid, "syntax error: missing '}}'");
  ++at_;
  std::string value = lookup_(name).value_or(""), result;
  for (std::size_t i = 0; i < value.size();) {
    std::size_t length = value.size() - i;
    while (length > 0 && !fs::matches_shell(pattern, std::string_view(value).substr(i, length))) --length;
    if (length == 0) {
      result += value[i++];
      continue;
    }
    result += by;
    i += length;
    if (!all) return result + value.substr(i);
  }
  return result;
}

}  // namespace

Result<std::string> expand(std::string_view text, const Lookup& lookup, char escape) {
  return Expander(text, lookup, escape, Quotes::remove).all();
}

Result<std::vector<std::string>> expand_words(std::string_view text, const Lookup& lookup, char escape) {
  Expander expander(text, lookup, escape, Quotes::remove);
  if (auto done = expander.all(); !done) return std::unexpected(std::move(done).error());
  return expander.take_words();
}

Result<std::string> expand_variables(std::string_view text, const Lookup& lookup, char escape) {
  return Expander(text, lookup, escape, Quotes::keep).all();
}

std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote == 0 && is_blank(c)) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
      continue;
    }
    word += c;
    if (c == escape && quote != '\'' && i + 1 < text.size())
      word += text[++i];
    else if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == quote)
      quote = 0;
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::optional<std::vector<std::string>> parse_exec_form(std::string_view text) {
  text = trim(text);
  if (!text.starts_with('[')) return {};
  auto value = json::parse(text);
  if (!value) return {};
  auto words = json::decode<std::vector<std::string>>(*value);
  if (!words) return {};
  return *std::move(words);
}

}  // namespace berth::build
