#include "compose/env_file.h"

#include "base/text.h"

namespace berth::compose {

namespace {

class EnvParser {
 public:
  EnvParser(std::string_view text, const std::string& file, const Variables& outer)
      : text_(text), file_(file), known_(outer) {}

  Result<EnvLines> parse() {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);  // a byte order mark
    while (skip_to_line()) TRY_OK(parse_line());
    return std::move(lines_);
  }

 private:
  template <class... Args>
  std::unexpected<Error> fail_here(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorCode::invalid, "{}:{}: {}", file_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

  void take(std::size_t count) {
    for (char c : text_.substr(0, count)) line_ += c == '\n' ? 1 : 0;
    text_.remove_prefix(std::min(count, text_.size()));
  }

  // To the next line with content; false at the end.
  bool skip_to_line() {
    while (!text_.empty()) {
      take(std::min(text_.find_first_not_of(" \t\r\n"), text_.size()));
      if (!text_.starts_with('#')) return !text_.empty();
      take(std::min(text_.find('\n'), text_.size()));
    }
    return false;
  }

  Result<void> parse_line() {
    if (text_.starts_with("export ") || text_.starts_with("export\t")) {
      take(7);
      take(std::min(text_.find_first_not_of(" \t"), text_.size()));
    }
    std::size_t end = std::min(text_.find_first_of("=:\n"), text_.size());
    std::string name(trim(text_.substr(0, end)));
    if (name.ends_with('\r')) name.pop_back();
    if (name.empty()) return fail_here("no variable name before \"{}\"", text_.substr(0, 1));
    if (name.find_first_of(" \t'\"") != std::string::npos)
      return fail_here("unexpected character in variable name \"{}\"", name.substr(0, 80));
    bool has_value = end < text_.size() && text_[end] != '\n';
    take(end + (has_value ? 1 : 0));
    if (!has_value) {
      add(std::move(name), {});
      return {};
    }
    take(std::min(text_.find_first_not_of(" \t"), text_.size()));
    TRY(std::string value, parse_value());
    add(std::move(name), std::move(value));
    return {};
  }

  void add(std::string name, std::optional<std::string> value) {
    if (value) known_.insert_or_assign(name, *value);
    lines_.emplace_back(std::move(name), std::move(value));
  }

  Result<std::string> parse_value() {
    if (text_.starts_with('\'') || text_.starts_with('"')) return parse_quoted(text_[0]);
    std::string_view line = text_.substr(0, text_.find('\n'));
    std::size_t whole = line.size();
    if (std::size_t comment = line.find(" #"); comment != std::string_view::npos) line = line.substr(0, comment);
    if (line.starts_with('#')) line = {};
    auto value = expand(trim(line));
    take(whole);
    return value;
  }

  Result<std::string> parse_quoted(char quote) {
    std::string raw;
    for (std::size_t i = 1; i < text_.size(); ++i) {
      char c = text_[i];
      if (c == quote) {
        take(i + 1);
        std::string_view rest = trim(text_.substr(0, text_.find('\n')));
        if (!rest.empty() && !rest.starts_with('#')) return fail_here("unexpected text after the closing {}", quote);
        take(std::min(text_.find('\n'), text_.size()));
        if (quote == '\'') return raw;
        return expand(raw);
      }
      if (c == '\\' && i + 1 < text_.size() && quote == '"') {
        raw += unescape(text_[++i]);
      } else if (c == '\\' && i + 1 < text_.size() && text_[i + 1] == quote) {
        raw += text_[++i];
      } else {
        raw += c;
      }
    }
    return fail_here("unterminated quoted value");
  }

  static std::string unescape(char c) {
    switch (c) {
      case 'n':
        return "\n";
      case 't':
        return "\t";
      case 'r':
        return "\r";
      case '"':
      case '\\':
        return {c};
      case '$':
        return "$$";  // stays a dollar when variables are expanded
      default:
        return {'\\', c};
    }
  }

  Result<std::string> expand(std::string_view value) {
    Interpolator interpolator(known_);
    auto text = interpolator.expand(value);
    if (!text) return fail_here("{}", text.error().text());
    return text;
  }

  std::string_view text_;
  const std::string& file_;
  Variables known_;
  EnvLines lines_;
  unsigned line_ = 1;
};

}  // namespace

Result<EnvLines> parse_env_file(std::string_view text, const std::string& file, const Variables& outer) {
  return EnvParser(text, file, outer).parse();
}

Result<EnvLines> parse_raw_env_file(std::string_view text, const std::string& file) {
  EnvLines lines;
  unsigned number = 0;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    std::string_view line = whole;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty() || trim(line).starts_with('#')) continue;
    auto [name, value] = split_once(line, '=');
    if (trim(name).empty()) return fail(ErrorCode::invalid, "{}:{}: no variable name", file, number);
    lines.emplace_back(trim(name), value ? std::optional<std::string>(*value) : std::nullopt);
  }
  return lines;
}

}  // namespace berth::compose
