// Lexer and parser of templates: text into a tree, with Go's messages for what is wrong.
#include <algorithm>
#include <cctype>
#include <optional>

#include "base/text.h"
#include "cli/detail/template_ast.h"

namespace berth::cli::detail {

namespace {

using Node = std::unique_ptr<TemplateNode>;

constexpr int kMaxDepth = 64;  // of parentheses and blocks: a template comes from a command line, not from a friend

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> parse() {
    std::string ending;
    TRY(Node list, parse_list(ending, 0));
    if (!ending.empty()) return error("unexpected {{{{{}}}}}", ending);
    return list;
  }

 private:
  template <class... Args>
  std::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorCode::invalid, "template: :{}: {}", line_of(at_),
                fmt::format(format, std::forward<Args>(args)...));
  }

  std::size_t line_of(std::size_t at) const {
    return 1 + static_cast<std::size_t>(std::ranges::count(text_.substr(0, at), '\n'));
  }

  // told is where messages say that the node is, when that is not its start.
  Node make(TemplateKind kind, std::size_t start, std::optional<std::size_t> told = {}) const {
    auto node = std::make_unique<TemplateNode>();
    node->kind = kind;
    std::size_t at = told.value_or(start);
    node->line = line_of(at);
    std::size_t newline = text_.substr(0, at).rfind('\n');
    node->column = newline == std::string_view::npos ? at : at - newline - 1;
    node->text = text_.substr(start, at_ - start);
    return node;
  }

  bool skip(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  std::string take_word() {
    std::size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  std::string_view peek_word() const {
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  bool skip_keyword(std::string_view word) {
    if (peek_word() != word) return false;
    at_ += word.size();
    return true;
  }

  // Past the "}}" or " -}}" of an action; the latter eats the space that follows.
  Result<void> close_action() {
    skip_space();
    if (at_ >= text_.size()) return error("unclosed action");
    if (skip("-}}")) {
      skip_space();
      return {};
    }
    if (!skip("}}")) return error("unexpected {:?} in operand", text_.substr(at_, 1));
    return {};
  }

  Result<bool> skip_comment() {
    std::size_t before = at_;
    skip_space();
    if (!skip("/*")) {
      at_ = before;
      return false;
    }
    std::size_t end = text_.find("*/", at_);
    if (end == std::string_view::npos) return error("unclosed comment");
    at_ = end + 2;
    TRY_OK(close_action());
    return true;
  }

  // Until the end of the text or an action that ends a block: "end", "else", "else if", "else with", given in ending.
  Result<Node> parse_list(std::string& ending, int depth) {
    if (depth > kMaxDepth) return error("blocks are nested too deeply");
    Node list = make(TemplateKind::list, at_);
    while (at_ < text_.size()) {
      std::size_t open = std::min(text_.find("{{", at_), text_.size());
      std::string_view plain = text_.substr(at_, open - at_);
      bool trims = text_.substr(open).starts_with("{{-") && open + 3 < text_.size() &&
                   std::isspace(static_cast<unsigned char>(text_[open + 3])) != 0;
      if (trims) plain = plain.substr(0, plain.find_last_not_of(" \t\r\n") + 1);
      if (!plain.empty()) {
        list->children.push_back(make(TemplateKind::text, at_));
        list->children.back()->text = plain;
      }
      at_ = open;
      if (at_ == text_.size()) break;
      at_ += trims ? 3 : 2;
      TRY(bool comment, skip_comment());
      if (comment) continue;
      TRY(Node action, parse_action(ending, depth));
      if (!ending.empty()) return list;
      list->children.push_back(std::move(action));
    }
    return list;
  }

  Result<Node> parse_action(std::string& ending, int depth) {
    skip_space();
    for (auto [word, kind] : {std::pair{"if", TemplateKind::condition}, std::pair{"with", TemplateKind::with},
                              std::pair{"range", TemplateKind::range}})
      if (skip_keyword(word)) return parse_block(kind, word, depth);
    for (auto [word, kind] : {std::pair{"break", TemplateKind::leave}, std::pair{"continue", TemplateKind::next}}) {
      if (!skip_keyword(word)) continue;
      Node node = make(kind, at_);
      TRY_OK(close_action());
      return node;
    }
    if (skip_keyword("end")) {
      ending = "end";
      TRY_OK(close_action());
      return nullptr;
    }
    if (skip_keyword("else")) {
      ending = "else";
      skip_space();
      for (std::string_view word : {"if", "with"})
        if (peek_word() == word) ending = fmt::format("else {}", word);
      if (ending == "else") TRY_OK(close_action());
      return nullptr;
    }
    for (std::string_view word : {"define", "template", "block"})
      if (peek_word() == word) return error("{} is not supported in a format", word);
    TRY(Node pipeline, parse_pipeline(depth));
    TRY_OK(close_action());
    return pipeline;
  }

  Result<Node> parse_block(TemplateKind kind, std::string_view word, int depth) {
    Node node = make(kind, at_);
    skip_space();
    if (text_.substr(at_).starts_with("}}")) return error("missing value for {}", word);
    TRY(Node pipeline, parse_pipeline(depth, kind == TemplateKind::range));
    node->name = std::exchange(pipeline->name, "");
    node->second = std::exchange(pipeline->second, "");
    if (kind != TemplateKind::range) pipeline->name = std::exchange(node->name, "");
    node->children.push_back(std::move(pipeline));
    TRY_OK(close_action());
    std::string ending;
    TRY(Node body, parse_list(ending, depth + 1));
    node->children.push_back(std::move(body));
    if (ending.starts_with("else ")) {
      // "else if" is an if within the else, sharing its end.
      std::string inner = ending.substr(5);
      skip_keyword(inner);
      Node list = make(TemplateKind::list, at_);
      TRY(Node nested, parse_block(inner == "if" ? TemplateKind::condition : TemplateKind::with, inner, depth + 1));
      list->children.push_back(std::move(nested));
      node->children.push_back(std::move(list));
      return node;
    }
    if (ending == "else") {
      TRY(Node otherwise, parse_list(ending, depth + 1));
      node->children.push_back(std::move(otherwise));
    }
    if (ending != "end") return error("unexpected EOF");
    return node;
  }

  // [$x :=] [$x =] [$k, $v :=] command | command ...
  Result<Node> parse_pipeline(int depth, bool two_variables = false) {
    if (depth > kMaxDepth) return error("parentheses are nested too deeply");
    skip_space();
    Node pipeline = make(TemplateKind::pipeline, at_);
    std::size_t start = at_;
    if (!parse_declaration(*pipeline, two_variables)) at_ = start;
    do {
      TRY(Node command, parse_command(depth));
      pipeline->children.push_back(std::move(command));
      skip_space();
    } while (skip("|"));
    pipeline->text = text_.substr(start, at_ - start);
    return pipeline;
  }

  bool parse_declaration(TemplateNode& pipeline, bool two_variables) {
    if (!skip("$")) return false;
    std::string first = take_word(), second;
    skip_space();
    if (two_variables && skip(",")) {
      skip_space();
      if (!skip("$")) return false;
      second = take_word();
      skip_space();
    }
    pipeline.assigns = false;
    if (!skip(":=")) {
      if (!skip("=")) return false;
      pipeline.assigns = true;
    }
    pipeline.name = first;
    pipeline.second = second;
    return true;
  }

  Result<Node> parse_command(int depth) {
    skip_space();
    Node command = make(TemplateKind::command, at_);
    std::size_t start = at_;
    while (true) {
      skip_space();
      TRY(Node operand, parse_operand(depth));
      if (!operand) break;
      command->children.push_back(std::move(operand));
    }
    if (command->children.empty()) {
      if (at_ >= text_.size()) return error("unclosed action");
      return error("missing value for command");
    }
    std::string_view source = text_.substr(start, at_ - start);
    command->text = trim(source);
    return command;
  }

  void parse_fields(std::vector<std::string>& fields) {
    while (at_ + 1 < text_.size() && text_[at_] == '.' && is_word(text_[at_ + 1])) {
      ++at_;
      fields.push_back(take_word());
    }
  }

  // Nothing where the command ends.
  Result<Node> parse_operand(int depth) {
    if (at_ >= text_.size()) return error("unclosed action");
    std::size_t start = at_;
    char c = text_[at_];
    if (c == '|' || c == ')' || text_.substr(at_).starts_with("}}") || text_.substr(at_).starts_with("-}}"))
      return nullptr;
    if (c == '.') return parse_field(start);
    if (c == '$') {
      ++at_;
      std::string name = take_word();
      std::size_t first_field = at_;
      std::vector<std::string> fields;
      parse_fields(fields);
      Node node = make(TemplateKind::variable, start, fields.empty() ? start : first_field);
      node->name = name;
      node->fields = fields;
      return node;
    }
    if (c == '(') {
      ++at_;
      TRY(Node pipeline, parse_pipeline(depth + 1));
      if (!skip(")")) return error("unclosed left paren");
      std::size_t first_field = at_;
      std::vector<std::string> fields;
      parse_fields(fields);
      Node node = make(TemplateKind::chain, start, first_field);
      node->fields = fields;
      node->children.push_back(std::move(pipeline));
      return node;
    }
    if (c == '"' || c == '`' || c == '\'') return parse_string(start);
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+') return parse_number_literal(start);
    if (is_word(c)) return parse_name(start);
    return error("unexpected {:?} in command", text_.substr(at_, 1));
  }

  Result<Node> parse_field(std::size_t start) {
    std::vector<std::string> fields;
    parse_fields(fields);
    if (fields.empty()) ++at_;
    // Go places ".A.B" at its second field.
    std::optional<std::size_t> second;
    if (fields.size() > 1) second = start + 1 + fields[0].size();
    Node node = make(TemplateKind::field, start, second);
    node->fields = fields;
    return node;
  }

  Result<Node> parse_name(std::size_t start) {
    std::string word = take_word();
    Node node = make(TemplateKind::literal, start);
    if (word == "true" || word == "false") {
      node->value = word == "true";
    } else if (word != "nil") {
      if (!is_function(word)) return error("function \"{}\" not defined", word);
      node->kind = TemplateKind::function;
      node->name = word;
    }
    return node;
  }

  Result<Node> parse_number_literal(std::size_t start) {
    ++at_;
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.')) ++at_;
    Node node = make(TemplateKind::literal, start);
    if (auto whole = parse_number<std::int64_t>(node->text))
      node->value = *whole;
    else if (auto real = parse_number<double>(node->text))
      node->value = *real;
    else
      return error("bad number syntax: {:?}", node->text);
    return node;
  }

  Result<Node> parse_string(std::size_t start) {
    char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote && (quote == '`' || text_[at_] != '\n')) {
      char c = text_[at_++];
      if (c == '\\' && quote != '`' && at_ < text_.size()) {
        char escaped = text_[at_++];
        c = escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped == 'r' ? '\r' : escaped;
      }
      value += c;
    }
    if (at_ >= text_.size() || text_[at_] != quote)
      return error("unterminated {}quoted string", quote == '`' ? "raw " : "");
    ++at_;
    Node node = make(TemplateKind::literal, start);
    node->value = boost::json::string(value);
    return node;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<TemplateNode>> parse_template(std::string_view text) { return Parser(text).parse(); }

}  // namespace berth::cli::detail
