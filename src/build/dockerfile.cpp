#include "build/dockerfile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/text.h"

namespace berth::build {

namespace {

constexpr std::array<std::string_view, 18> kInstructions = {
    "ADD",   "ARG",        "CMD",     "COPY", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",   "HEALTHCHECK",
    "LABEL", "MAINTAINER", "ONBUILD", "RUN",  "SHELL",      "STOPSIGNAL", "USER",   "VOLUME", "WORKDIR"};
constexpr std::size_t kMaxInstructions = 100'000;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n'; }

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string suggestion(std::string_view name) {
  constexpr std::size_t kFarthest = 3;
  std::string_view best;
  std::size_t nearest = kFarthest;
  if (name.size() > 2 * kFarthest + 11) return "";  // longer than any name can be near to
  for (std::string_view known : kInstructions)
    if (std::size_t distance = edit_distance(name, known); distance < nearest) {
      nearest = distance;
      best = known;
    }
  return best.empty() ? "" : fmt::format(" (did you mean {}?)", best);
}

std::unexpected<Error> fail_line(int line, std::string_view what) {
  return fail(ErrorCode::invalid, "dockerfile parse error on line {}: {}", line, what);
}

// The text's lines without their ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  int number() const { return number_; }  // of the line that next() gave last
  std::string_view peek() const { return rest_.substr(0, rest_.find('\n')); }
  std::string_view next() {
    std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

 private:
  std::string_view rest_;
  int number_ = 0;
};

// "# name = value" among the first lines, for the names that mean something.
Result<void> read_directives(Lines& lines, Dockerfile& file) {
  std::vector<std::string> seen;
  while (!lines.at_end()) {
    std::string_view line = trim(lines.peek());
    if (!line.starts_with('#')) return {};
    auto [word, value] = split_once(line.substr(1), '=');
    std::string name = to_lower(trim(word));
    if (!value || (name != "escape" && name != "syntax" && name != "check")) return {};
    (void)lines.next();
    if (std::find(seen.begin(), seen.end(), name) != seen.end())
      return fail_line(lines.number(), fmt::format("only one {} parser directive can be used", name));
    seen.push_back(name);
    if (name != "escape") continue;  // other syntaxes are other builders' programs; this one speaks the current one
    std::string_view token = trim(*value);
    if (token != "\\" && token != "`")
      return fail_line(lines.number(), fmt::format("invalid escape token '{}' does not match ` or \\", token));
    file.escape = token.front();
  }
  return {};
}

// Whether the line goes on: an escape token, then blanks to the end. A doubled token is a literal one.
bool take_continuation(std::string_view& line, char escape) {
  std::string_view text = line;
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.empty() || text.back() != escape) return false;
  text.remove_suffix(1);
  if (!text.empty() && text.back() == escape) return false;
  line = text;
  return true;
}

std::string read_logical_line(Lines& lines, std::string_view first, char escape) {
  std::string whole;
  std::string_view line = trim_left(first);
  bool goes_on = take_continuation(line, escape);
  whole += line;
  while (goes_on && !lines.at_end()) {
    line = lines.next();
    std::string_view trimmed = trim_left(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    goes_on = take_continuation(line, escape);
    whole += line;
  }
  return whole;
}

// The words of a line outside quotes that begin a heredoc: "<<EOF", "<<-EOF", "<<'EOF'", "3<<EOF".
struct Opening {
  Heredoc heredoc;
  bool strip_tabs = false;
};

std::optional<Opening> opening_of(std::string_view word) {
  std::size_t at = word.find_first_not_of("0123456789");
  if (at == std::string_view::npos || !word.substr(at).starts_with("<<")) return {};
  word.remove_prefix(at + 2);
  Opening opening;
  if (word.starts_with('-')) {
    opening.strip_tabs = true;
    word.remove_prefix(1);
  }
  if (word.size() >= 2 && (word.front() == '"' || word.front() == '\'') && word.back() == word.front()) {
    opening.heredoc.expand = false;
    word = word.substr(1, word.size() - 2);
  }
  bool named = !word.empty() && word.find_first_of("<>|&;()'\"$` \t") == std::string_view::npos;
  if (!named) return {};
  opening.heredoc.name = word;
  return opening;
}

std::vector<Opening> find_openings(std::string_view line, char escape) {
  std::vector<Opening> found;
  std::size_t start = 0;
  char quote = 0;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    char c = i < line.size() ? line[i] : ' ';
    if (quote != 0 && i < line.size()) {
      if (c == escape && quote == '"' && i + 1 < line.size())
        ++i;
      else if (c == quote)
        quote = 0;
    } else if (is_blank(c) || i == line.size()) {
      if (auto opening = opening_of(line.substr(start, i - start))) found.push_back(std::move(*opening));
      start = i + 1;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == escape && i + 1 < line.size()) {
      ++i;
    }
  }
  return found;
}

Result<void> read_heredocs(Lines& lines, Instruction& instruction, char escape) {
  for (Opening& opening : find_openings(instruction.rest, escape)) {
    bool closed = false;
    while (!closed && !lines.at_end()) {
      std::string_view line = lines.next();
      if (opening.strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
      closed = line == opening.heredoc.name;
      if (!closed) opening.heredoc.content.append(line) += '\n';
    }
    if (!closed) return fail_line(instruction.line, "unterminated heredoc");
    instruction.heredocs.push_back(std::move(opening.heredoc));
  }
  return {};
}

// Takes "--name=value" words off the front; quotes and escapes are removed from them.
std::vector<std::string> take_flags(std::string_view& rest, char escape) {
  std::vector<std::string> flags;
  while (true) {
    std::string_view text = trim_left(rest);
    if (!text.starts_with("--")) break;
    std::string word;
    char quote = 0;
    std::size_t i = 0;
    for (; i < text.size(); ++i) {
      char c = text[i];
      if (quote == 0 && is_blank(c)) break;
      if (c == escape && i + 1 < text.size()) {
        word += text[++i];
      } else if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    }
    rest = text.substr(i);
    if (word == "--") break;
    flags.push_back(std::move(word));
  }
  return flags;
}

Result<Instruction> split_line(std::string line, int number, char escape) {
  Instruction instruction;
  instruction.line = number;
  instruction.text = trim(line);
  std::string_view text = instruction.text;
  std::size_t end = 0;
  while (end < text.size() && !is_blank(text[end])) ++end;
  std::string_view name = text.substr(0, end);
  instruction.name = to_upper(name);
  if (std::find(kInstructions.begin(), kInstructions.end(), instruction.name) == kInstructions.end())
    return fail_line(number, fmt::format("unknown instruction: {}{}", name, suggestion(instruction.name)));
  std::string_view rest = text.substr(end);
  instruction.flags = take_flags(rest, escape);
  instruction.rest = trim(rest);
  return instruction;
}

bool takes_heredocs(const Instruction& instruction) {
  return instruction.name == "RUN" || instruction.name == "COPY" || instruction.name == "ADD";
}

}  // namespace

Result<Dockerfile> parse_dockerfile(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Dockerfile file;
  Lines lines(text);
  TRY_OK(read_directives(lines, file));
  while (!lines.at_end()) {
    std::string_view line = lines.next();
    std::string_view trimmed = trim_left(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    int number = lines.number();
    TRY(Instruction instruction, split_line(read_logical_line(lines, line, file.escape), number, file.escape));
    if (takes_heredocs(instruction)) TRY_OK(read_heredocs(lines, instruction, file.escape));
    file.instructions.push_back(std::move(instruction));
    if (file.instructions.size() > kMaxInstructions)
      return fail(ErrorCode::exhausted, "the Dockerfile has more than {} instructions", kMaxInstructions);
  }
  if (file.instructions.empty()) return fail(ErrorCode::invalid, "file with no instructions");
  return file;
}

Result<Instruction> parse_instruction(std::string_view line, char escape) {
  return split_line(std::string(line), 1, escape);
}

}  // namespace berth::build
