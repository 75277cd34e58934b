#include "cli/template.h"

#include <algorithm>
#include <map>

#include "cli/detail/template_ast.h"

namespace berth::cli {

namespace {

using detail::TemplateKind;
using detail::TemplateNode;
using json::Value;

enum class Flow { on, leave, next };

class Walk {
 public:
  Walk(const Value& root, const TemplateContext& context) : root_(root), context_(context) {
    variables_.emplace_back("", root);
  }

  Result<Flow> walk(const TemplateNode& node, const Value& dot) {
    switch (node.kind) {
      case TemplateKind::text:
        out_ += node.text;
        return Flow::on;
      case TemplateKind::leave:
        return Flow::leave;
      case TemplateKind::next:
        return Flow::next;
      case TemplateKind::range:
        return walk_range(node, dot);
      case TemplateKind::condition:
      case TemplateKind::with:
        return walk_condition(node, dot);
      case TemplateKind::list:
        for (const auto& child : node.children) {
          TRY(Flow flow, walk(*child, dot));
          if (flow != Flow::on) return flow;
        }
        return Flow::on;
      default:
        break;
    }
    TRY(Value value, pipeline(node, dot));
    if (node.name.empty()) out_ += print_go(value);
    return Flow::on;
  }

  std::string take_text() { return std::move(out_); }

 private:
  std::unexpected<Error> error(const TemplateNode& at, std::string_view message) const {
    std::string source = at.text.size() > 20 ? at.text.substr(0, 20) + "..." : at.text;
    return fail(ErrorCode::invalid, "template: :{}:{}: executing \"\" at <{}>: {}", at.line, at.column, source,
                message);
  }

  Result<Flow> walk_condition(const TemplateNode& node, const Value& dot) {
    std::size_t mark = variables_.size();
    TRY(Value value, pipeline(*node.children[0], dot));
    Flow flow = Flow::on;
    if (detail::is_true(value)) {
      TRY(flow, walk(*node.children[1], node.kind == TemplateKind::with ? value : dot));
    } else if (node.children.size() > 2) {
      TRY(flow, walk(*node.children[2], dot));
    }
    forget(mark);
    return flow;
  }

  Result<Flow> walk_range(const TemplateNode& node, const Value& dot) {
    std::size_t mark = variables_.size();
    TRY(Value over, pipeline(*node.children[0], dot));
    std::vector<std::pair<Value, Value>> items;
    if (over.is_array()) {
      for (std::size_t i = 0; i < over.get_array().size(); ++i) items.emplace_back(Value(i), over.get_array()[i]);
    } else if (over.is_object()) {
      for (const auto& item : over.get_object()) items.emplace_back(boost::json::string(item.key()), item.value());
      std::ranges::sort(items, {}, [](const auto& item) { return std::string_view(item.first.get_string()); });
    } else if (!over.is_null()) {
      return error(*node.children[0], fmt::format("range can't iterate over {}", print_go(over)));
    }
    if (items.empty() && node.children.size() > 2) return walk(*node.children[2], dot);
    for (const auto& [key, value] : items) {
      if (!node.second.empty()) variables_.emplace_back(node.name, key);
      if (!node.name.empty()) variables_.emplace_back(node.second.empty() ? node.name : node.second, value);
      TRY(Flow flow, walk(*node.children[1], value));
      forget(mark);
      if (flow == Flow::leave) break;
    }
    return Flow::on;
  }

  Result<Value> pipeline(const TemplateNode& node, const Value& dot) {
    std::optional<Value> value;
    for (const auto& command : node.children) {
      TRY(value, run_command(*command, dot, value));
    }
    if (!node.name.empty()) {
      auto known = std::find_if(variables_.rbegin(), variables_.rend(),
                                [&](const auto& variable) { return variable.first == node.name; });
      if (!node.assigns)
        variables_.emplace_back(node.name, *value);
      else if (known != variables_.rend())
        known->second = *value;
      else
        return error(node, fmt::format("undefined variable: ${}", node.name));
    }
    return *value;
  }

  Result<Value> run_command(const TemplateNode& command, const Value& dot, const std::optional<Value>& piped) {
    const TemplateNode& head = *command.children.front();
    std::vector<Value> arguments;
    for (std::size_t i = 1; i < command.children.size(); ++i) {
      TRY(Value argument, operand(*command.children[i], dot));
      arguments.push_back(std::move(argument));
    }
    if (piped) arguments.push_back(*piped);
    if (head.kind == TemplateKind::function) {
      if (head.name == "json" && arguments.size() == 1 && !context_.json_of_root.empty() && arguments[0] == root_)
        return Value(context_.json_of_root);
      auto value = detail::call_function(head.name, arguments);
      if (!value) return error(command, value.error().text());
      return value;
    }
    if (arguments.empty()) return operand(head, dot);
    if (head.kind == TemplateKind::field && head.fields.size() == 1 && context_.method && is_root(dot)) {
      if (auto value = context_.method(head.fields[0], arguments)) return *value;
    }
    return error(head, fmt::format("{} is not a method but has arguments", head.text));
  }

  bool is_root(const Value& dot) const { return &dot == &root_ || dot == root_; }

  Result<Value> operand(const TemplateNode& node, const Value& dot) {
    switch (node.kind) {
      case TemplateKind::literal:
        return node.value;
      case TemplateKind::field:
        return fields(node, dot);
      case TemplateKind::chain: {
        TRY(Value value, pipeline(*node.children[0], dot));
        return fields(node, value);
      }
      case TemplateKind::function: {
        auto value = detail::call_function(node.name, {});
        if (!value) return error(node, value.error().text());
        return value;
      }
      default:
        break;
    }
    for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable)
      if (variable->first == node.name) return fields(node, Value(variable->second));
    return error(node, fmt::format("undefined variable: {}", node.text));
  }

  Result<Value> fields(const TemplateNode& node, const Value& from) {
    const Value* at = &from;
    for (const std::string& name : node.fields) {
      if (at->is_null()) return error(node, fmt::format("nil pointer evaluating interface {{}}.{}", name));
      if (!at->is_object())
        return error(node, fmt::format("can't evaluate field {} in type {}", name,
                                       at->is_string()  ? "string"
                                       : at->is_array() ? "[]interface {}"
                                                        : "interface {}"));
      const auto& object = at->get_object();
      const Value* found = find_field(object, name);
      if (found == nullptr && at == &from && is_root(from) && !context_.type_name.empty())
        return error(node, fmt::format("can't evaluate field {} in type {}", name, context_.type_name));
      if (found == nullptr) {
        // A map of strings (labels, options) answers nothing; a document that lacks the member is an error.
        bool strings = std::ranges::all_of(object, [](const auto& item) { return item.value().is_string(); });
        if (strings && !object.empty()) return Value(nullptr);
        return error(node, fmt::format("map has no entry for key \"{}\"", name));
      }
      at = found;
    }
    return *at;
  }

  // Go's field and the JSON key differ in case here and there (ID and Id, HostIP and HostIp): both find the member.
  static const Value* find_field(const json::Object& object, std::string_view name) {
    if (const Value* exact = object.if_contains(name)) return exact;
    auto same = [](char a, char b) {
      return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    for (const auto& item : object)
      if (std::ranges::equal(std::string_view(item.key()), name, same)) return &item.value();
    return nullptr;
  }

  void forget(std::size_t mark) {
    variables_.erase(variables_.begin() + static_cast<std::ptrdiff_t>(mark), variables_.end());
  }

  const Value& root_;
  const TemplateContext& context_;
  std::vector<std::pair<std::string, Value>> variables_;  // innermost last; "" is $
  std::string out_;
};

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  TRY(auto root, detail::parse_template(text));
  return Template(std::shared_ptr<const TemplateNode>(std::move(root)));
}

Result<std::string> Template::render(const json::Value& dot, const TemplateContext& context) const {
  Walk walk(dot, context);
  TRY_OK(walk.walk(*root_, dot));
  return walk.take_text();
}

std::string print_go(const json::Value& value) {
  if (value.is_null()) return "<no value>";
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_array()) {
    std::string text = "[";
    for (const Value& element : value.get_array()) {
      if (text.size() > 1) text += ' ';
      text += element.is_null() ? "<nil>" : print_go(element);
    }
    return text + "]";
  }
  if (value.is_object()) {
    std::map<std::string_view, const Value*> sorted;
    for (const auto& item : value.get_object()) sorted[item.key()] = &item.value();
    std::string text = "map[";
    for (const auto& [key, member] : sorted) {
      if (text.size() > 4) text += ' ';
      text += fmt::format("{}:{}", key, member->is_null() ? "<nil>" : print_go(*member));
    }
    return text + "]";
  }
  return value.is_double() ? fmt::format("{}", value.get_double()) : json::print(value);
}

}  // namespace berth::cli
