#include "compose/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace berth::compose {

namespace {

// yaml_parser_t and yaml_event_t with their ends.
class Parser {
 public:
  explicit Parser(std::string_view text) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    if (have_event_) yaml_event_delete(&event_);
    if (ready_) yaml_parser_delete(&parser_);
  }

  // The next event, which lives until the one after it is asked for; nullptr on an error.
  const yaml_event_t* next() {
    if (have_event_) yaml_event_delete(&event_);
    have_event_ = ready_ && yaml_parser_parse(&parser_, &event_) == 1;
    return have_event_ ? &event_ : nullptr;
  }
  std::string problem() const { return parser_.problem == nullptr ? "cannot be read" : parser_.problem; }
  unsigned problem_line() const { return static_cast<unsigned>(parser_.problem_mark.line) + 1; }

 private:
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool ready_ = false;
  bool have_event_ = false;
};

std::string text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text));
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text[0] < '0' || text[0] > '9') return {};
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.starts_with("0o")) {
    base = 8;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  auto value = parse_number<std::int64_t>(text, base);
  if (!value || *value < 0) return {};
  return negative ? -*value : *value;
}

bool is_real(std::string_view text) {
  if (is_one_of(text, {".inf", ".Inf", ".INF", "-.inf", ".nan", ".NaN", ".NAN"})) return true;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return false;
  if (text.find_first_of("0123456789") == std::string_view::npos) return false;
  std::string padded = text.starts_with('.') ? "0" + std::string(text) : std::string(text);
  if (padded.ends_with('.')) padded += '0';
  return parse_number<double>(padded).has_value();
}

// What a scalar without quotes and tag means.
void resolve(Node& node) {
  if (is_one_of(node.text, {"", "~", "null", "Null", "NULL"})) {
    node.kind = Node::Kind::null;
    node.text.clear();
  } else if (is_one_of(node.text, {"true", "True", "TRUE", "false", "False", "FALSE"})) {
    node.kind = Node::Kind::boolean;
    node.text = to_lower(node.text);
  } else if (auto number = integer_of(node.text)) {
    node.kind = Node::Kind::integer;
    node.text = std::to_string(*number);
  } else if (is_real(node.text)) {
    node.kind = Node::Kind::real;
  }
}

class Builder {
 public:
  Builder(std::string_view text, const std::string& file, const YamlLimits& limits)
      : parser_(text), file_(std::make_shared<const std::string>(file)), limits_(limits) {}

  Result<std::vector<Node>> documents() {
    std::vector<Node> documents;
    while (true) {
      TRY(const yaml_event_t* event, next());
      if (event->type == YAML_STREAM_END_EVENT) return documents;
      if (event->type != YAML_DOCUMENT_START_EVENT) continue;
      anchors_.clear();
      TRY(event, next());
      TRY(Node root, build(*event, 0));
      if (!root.is_null()) documents.push_back(std::move(root));
    }
  }

 private:
  Mark mark_of(const yaml_event_t& event) const { return {file_, static_cast<unsigned>(event.start_mark.line) + 1}; }

  Result<const yaml_event_t*> next() {
    const yaml_event_t* event = parser_.next();
    if (event == nullptr) return fail_at({file_, parser_.problem_line()}, "yaml: {}", parser_.problem());
    return event;
  }

  Result<void> count(const Mark& mark, std::size_t nodes, std::size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > limits_.nodes) return fail_at(mark, "yaml: more than {} values", limits_.nodes);
    if (bytes_ > limits_.expanded_bytes) return fail_at(mark, "yaml: the values take too much memory");
    return {};
  }

  static void measure(const Node& node, std::size_t& nodes, std::size_t& bytes) {
    ++nodes;
    bytes += node.text.size();
    for (const Node& item : node.items) measure(item, nodes, bytes);
    for (const Member& member : node.members) {
      bytes += member.key.size();
      measure(member.value, nodes, bytes);
    }
  }

  // A second time in the tree costs as much as the first.
  Result<void> count_copy(const Mark& mark, const Node& node) {
    std::size_t nodes = 0, bytes = 0;
    measure(node, nodes, bytes);
    return count(mark, nodes, bytes);
  }

  Result<Node> build(const yaml_event_t& event, unsigned depth) {
    Mark mark = mark_of(event);
    TRY_OK(count(mark, 1, 0));
    if (depth > limits_.depth) return fail_at(mark, "yaml: nested deeper than {} levels", limits_.depth);
    switch (event.type) {
      case YAML_ALIAS_EVENT:
        return alias(text_of(event.data.alias.anchor), mark);
      case YAML_SCALAR_EVENT: {
        std::string anchor = text_of(event.data.scalar.anchor);
        TRY(Node node, scalar(event, mark));
        return keep(anchor, std::move(node));
      }
      case YAML_SEQUENCE_START_EVENT: {
        std::string anchor = text_of(event.data.sequence_start.anchor), tag = text_of(event.data.sequence_start.tag);
        TRY(Node node, list(mark, depth));
        TRY_OK(set_tag(node, tag));
        return keep(anchor, std::move(node));
      }
      case YAML_MAPPING_START_EVENT: {
        std::string anchor = text_of(event.data.mapping_start.anchor), tag = text_of(event.data.mapping_start.tag);
        TRY(Node node, map(mark, depth));
        TRY_OK(set_tag(node, tag));
        return keep(anchor, std::move(node));
      }
      default:
        return fail_at(mark, "yaml: a value is missing");
    }
  }

  Result<Node> alias(const std::string& name, const Mark& mark) {
    auto found = anchors_.find(name);
    if (found == anchors_.end()) return fail_at(mark, "yaml: unknown anchor '{}' referenced", name);
    TRY_OK(count_copy(mark, found->second));
    return found->second;
  }

  Result<Node> keep(const std::string& anchor, Node node) {
    if (anchor.empty()) return node;
    TRY_OK(count_copy(node.mark, node));
    anchors_.insert_or_assign(anchor, node);
    return node;
  }

  Result<Node> scalar(const yaml_event_t& event, const Mark& mark) {
    const auto& data = event.data.scalar;
    Node node = Node::make_text({reinterpret_cast<const char*>(data.value), data.length}, mark);
    TRY_OK(count(mark, 0, node.text.size()));
    std::string tag = text_of(data.tag);
    bool plain = data.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && tag.empty()) resolve(node);
    TRY_OK(set_tag(node, tag));
    // "key: !reset" has an empty plain scalar.
    if (node.tag != Node::Tag::none && plain) resolve(node);
    return node;
  }

  Result<void> set_tag(Node& node, const std::string& tag) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "!") return {};
    if (tag == "!reset") {
      node.tag = Node::Tag::reset;
    } else if (tag == "!override") {
      node.tag = Node::Tag::replace;
    } else if (tag.starts_with(kCore)) {
      std::string_view type = std::string_view(tag).substr(kCore.size());
      if (is_one_of(type, {"str", "map", "seq", "binary"})) return {};
      if (!is_one_of(type, {"int", "float", "bool", "null"})) return fail_at(node.mark, "yaml: unknown tag !!{}", type);
      resolve(node);
    } else {
      return fail_at(node.mark, "yaml: unknown tag {}; Compose has !reset and !override", tag);
    }
    return {};
  }

  Result<Node> list(const Mark& mark, unsigned depth) {
    Node node = Node::make_list(mark);
    while (true) {
      TRY(const yaml_event_t* event, next());
      if (event->type == YAML_SEQUENCE_END_EVENT) return node;
      TRY(Node item, build(*event, depth + 1));
      node.items.push_back(std::move(item));
    }
  }

  Result<Node> map(const Mark& mark, unsigned depth) {
    Node node = Node::make_map(mark);
    std::map<std::string, unsigned> seen;
    std::vector<Node> merged;
    while (true) {
      TRY(const yaml_event_t* event, next());
      if (event->type == YAML_MAPPING_END_EVENT) break;
      Mark key_mark = mark_of(*event);
      TRY(Node key, build(*event, depth + 1));
      if (key.is_list() || key.is_map()) return fail_at(key_mark, "yaml: a key must be a string");
      std::string name = key.is_null() ? "null" : key.text;
      TRY_OK(count(key_mark, 0, name.size()));
      TRY(event, next());
      TRY(Node value, build(*event, depth + 1));
      if (name == "<<") {
        TRY_OK(take_merged(merged, std::move(value)));
        continue;
      }
      if (auto [first, added] = seen.emplace(name, key_mark.line); !added)
        return fail_at(key_mark, "yaml: mapping key \"{}\" already defined at line {}", name, first->second);
      node.members.push_back({std::move(name), key_mark, std::move(value)});
    }
    // The map's own keys win, then the earlier of several merged maps.
    for (Node& source : merged)
      for (Member& member : source.members)
        if (seen.emplace(member.key, member.mark.line).second) node.members.push_back(std::move(member));
    return node;
  }

  static Result<void> take_merged(std::vector<Node>& merged, Node value) {
    Mark mark = value.mark;
    if (value.is_map()) {
      merged.push_back(std::move(value));
      return {};
    }
    if (!value.is_list()) return fail_at(mark, "yaml: map merge requires map or sequence of maps as the value");
    for (Node& item : value.items) {
      if (!item.is_map()) return fail_at(mark, "yaml: map merge requires map or sequence of maps as the value");
      merged.push_back(std::move(item));
    }
    return {};
  }

  Parser parser_;
  std::shared_ptr<const std::string> file_;
  YamlLimits limits_;
  std::map<std::string, Node> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

std::string Mark::text() const { return file == nullptr ? "" : fmt::format("{}:{}", *file, line); }

Node Node::make_text(std::string text, Mark mark) {
  Node node;
  node.kind = Kind::text;
  node.text = std::move(text);
  node.mark = std::move(mark);
  return node;
}

Node Node::make_integer(std::int64_t value, Mark mark) {
  Node node = make_text(std::to_string(value), std::move(mark));
  node.kind = Kind::integer;
  return node;
}

Node Node::make_boolean(bool value, Mark mark) {
  Node node = make_text(value ? "true" : "false", std::move(mark));
  node.kind = Kind::boolean;
  return node;
}

Node Node::make_list(Mark mark) {
  Node node;
  node.kind = Kind::list;
  node.mark = std::move(mark);
  return node;
}

Node Node::make_map(Mark mark) {
  Node node = make_list(std::move(mark));
  node.kind = Kind::map;
  return node;
}

const Node* Node::find(std::string_view key) const {
  auto found = std::ranges::find(members, key, &Member::key);
  return found == members.end() ? nullptr : &found->value;
}

Node* Node::find(std::string_view key) { return const_cast<Node*>(std::as_const(*this).find(key)); }

std::string Node::text_of(std::string_view key) const {
  const Node* node = find(key);
  return node != nullptr && node->is_scalar() ? node->text : std::string();
}

Node& Node::set(std::string_view key, Node value) {
  if (Node* node = find(key)) return *node = std::move(value);
  Mark at = value.mark;
  members.push_back({std::string(key), std::move(at), std::move(value)});
  return members.back().value;
}

void Node::erase(std::string_view key) {
  std::erase_if(members, [&](const Member& member) { return member.key == key; });
}

bool same_value(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() || a.members.size() != b.members.size())
    return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (!same_value(a.items[i], b.items[i])) return false;
  for (const Member& member : a.members) {
    const Node* other = b.find(member.key);
    if (other == nullptr || !same_value(member.value, *other)) return false;
  }
  return true;
}

Result<std::vector<Node>> parse_yaml(std::string_view text, const std::string& file, const YamlLimits& limits) {
  if (text.size() > limits.bytes) return fail(ErrorCode::exhausted, "{}: larger than {} bytes", file, limits.bytes);
  return Builder(text, file, limits).documents();
}

json::Value to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return nullptr;
    case Node::Kind::text:
      return boost::json::string(node.text);
    case Node::Kind::boolean:
      return node.text == "true";
    case Node::Kind::integer:
      return parse_number<std::int64_t>(node.text).value_or(0);
    case Node::Kind::real:
      if (auto number = parse_number<double>(node.text)) return *number;
      return boost::json::string(node.text);
    case Node::Kind::list: {
      json::Array array;
      for (const Node& item : node.items) array.push_back(to_json(item));
      return array;
    }
    case Node::Kind::map: {
      json::Object object;
      for (const Member& member : node.members) object[member.key] = to_json(member.value);
      return object;
    }
  }
  return nullptr;
}

}  // namespace berth::compose
