// The part of Go's text/template that --format uses, over JSON values.
//
//   TRY(auto shape, Template::parse("{{.Names}}\t{{json .Labels}}"));
//   TRY(auto text, shape.render(row));
//
// Known: fields (.A.B), variables, pipelines, parentheses, literals, comments, {{- -}}, if / else if / else, range,
// with, end, break, continue; and or not eq ne lt le gt ge len index slice print printf println; Docker's json split
// join title lower upper pad truncate. Error texts have the form of Go's package ("template: :1:2: executing ..."),
// since scripts read them. Source: https://pkg.go.dev/text/template and Docker's "Format command and log output".
//
// Thread: a Template is a value, free of shared state.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace berth::cli {

namespace detail {
struct TemplateNode;
}

// What the dot of a template is beyond its JSON.
struct TemplateContext {
  // Go's name of the type, for "can't evaluate field X in type T"; empty: a map, whose missing members are errors of
  // the form "map has no entry for key".
  std::string_view type_name;
  // Methods of the root value, such as {{.Label "a"}}: nothing when there is no such method.
  std::function<std::optional<json::Value>(std::string_view name, const std::vector<json::Value>& arguments)> method;
  // What {{json .}} of the root value prints; empty: its JSON.
  std::string json_of_root;
};

class Template {
 public:
  // `invalid` with Go's text: "template: :1: unclosed action".
  static Result<Template> parse(std::string_view text);
  Result<std::string> render(const json::Value& dot, const TemplateContext& context = {}) const;

 private:
  explicit Template(std::shared_ptr<const detail::TemplateNode> root) : root_(std::move(root)) {}
  std::shared_ptr<const detail::TemplateNode> root_;
};

// A value as Go's fmt prints it: strings bare, maps as map[k:v], lists as [a b], null as <no value>.
std::string print_go(const json::Value& value);

}  // namespace berth::cli
