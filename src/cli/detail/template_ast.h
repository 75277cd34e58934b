// The tree of a template: made by template_parse.cpp, walked by template_run.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace berth::cli::detail {

enum class TemplateKind {
  text,       // text
  pipeline,   // children: commands; name: variable that is set, or empty
  command,    // children: operands, the first of which may be a function
  field,      // fields of the dot; none: the dot itself
  variable,   // name, then fields
  chain,      // children[0] is a pipeline in parentheses, then fields
  function,   // name
  literal,    // value
  list,       // children in order
  condition,  // children: pipeline, list, and list of else
  with,       // the same
  range,      // the same; name and second: the variables
  leave,      // {{break}}
  next        // {{continue}}
};

struct TemplateNode {
  TemplateKind kind = TemplateKind::text;
  std::string text;                  // text; the source of anything else, for messages
  std::size_t line = 1, column = 0;  // as Go counts: lines from 1, bytes from 0
  std::string name, second;
  bool assigns = false;  // $x = ..., not $x := ...
  std::vector<std::string> fields;
  json::Value value;
  std::vector<std::unique_ptr<TemplateNode>> children;
};

Result<std::unique_ptr<TemplateNode>> parse_template(std::string_view text);

// One of the functions by name; `invalid` when the arguments do not fit it. is_function says which names exist.
bool is_function(std::string_view name);
Result<json::Value> call_function(std::string_view name, const std::vector<json::Value>& arguments);
bool is_true(const json::Value& value);

}  // namespace berth::cli::detail
