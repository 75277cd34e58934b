// The functions of templates: Go's built-in ones and those that Docker adds.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>

#include "base/text.h"
#include "cli/detail/template_ast.h"
#include "cli/template.h"

namespace berth::cli::detail {

namespace {

using json::Value;
using Arguments = std::vector<Value>;

Value string_value(std::string_view text) { return boost::json::string(text); }

std::string as_text(const Value& value) {
  return value.is_string() ? std::string(value.get_string()) : print_go(value);
}

std::optional<double> as_number(const Value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double()) return value.get_double();
  return {};
}

std::optional<std::int64_t> as_index(const Value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64() && std::in_range<std::int64_t>(value.get_uint64()))
    return static_cast<std::int64_t>(value.get_uint64());
  return {};
}

// <0, 0, >0; nothing for values of different kinds.
std::optional<int> compare(const Value& left, const Value& right) {
  auto a = as_number(left), b = as_number(right);
  if (a && b) return *a < *b ? -1 : *a > *b ? 1 : 0;
  if (left.is_string() && right.is_string()) return left.get_string().compare(right.get_string());
  if (left.kind() == right.kind()) return left == right ? 0 : 1;
  return {};
}

Result<Value> compare_as(std::string_view name, const Arguments& arguments) {
  if (name == "eq" && arguments.size() > 2) {
    for (std::size_t i = 1; i < arguments.size(); ++i)
      if (compare(arguments[0], arguments[i]) == 0) return Value(true);
    return Value(false);
  }
  auto order = compare(arguments[0], arguments[1]);
  if (!order) return fail(ErrorCode::invalid, "error calling {}: incompatible types for comparison", name);
  if (name == "eq") return Value(*order == 0);
  if (name == "ne") return Value(*order != 0);
  if (name == "lt") return Value(*order < 0);
  if (name == "le") return Value(*order <= 0);
  if (name == "gt") return Value(*order > 0);
  return Value(*order >= 0);
}

Result<Value> index_one(const Value& from, const Value& key) {
  if (from.is_object()) {
    if (!key.is_string()) return fail(ErrorCode::invalid, "error calling index: value is not of type string");
    if (const Value* found = from.get_object().if_contains(key.get_string())) return *found;
    // A map of strings answers its zero value, which is empty; anything else answers nothing.
    bool strings = std::ranges::all_of(from.get_object(), [](const auto& item) { return item.value().is_string(); });
    return strings ? Value("") : Value(nullptr);
  }
  if (from.is_null()) return fail(ErrorCode::invalid, "error calling index: index of untyped nil");
  auto at = as_index(key);
  if (!at) return fail(ErrorCode::invalid, "error calling index: cannot index slice/array with type {}", as_text(key));
  if (from.is_string() && *at >= 0 && static_cast<std::size_t>(*at) < from.get_string().size())
    return Value(static_cast<unsigned char>(from.get_string()[static_cast<std::size_t>(*at)]));
  if (!from.is_array() || *at < 0 || static_cast<std::size_t>(*at) >= from.get_array().size())
    return fail(ErrorCode::invalid, "error calling index: reflect: slice index out of range");
  return from.get_array()[static_cast<std::size_t>(*at)];
}

Result<Value> slice(const Arguments& arguments) {
  const Value& from = arguments[0];
  if (!from.is_string() && !from.is_array())
    return fail(ErrorCode::invalid, "error calling slice: can't slice item of this type");
  std::size_t size = from.is_string() ? from.get_string().size() : from.get_array().size();
  std::size_t bounds[2] = {0, size};
  for (std::size_t i = 1; i < arguments.size() && i < 3; ++i) {
    auto at = as_index(arguments[i]);
    if (!at || *at < 0 || static_cast<std::size_t>(*at) > size)
      return fail(ErrorCode::invalid, "error calling slice: index out of range: {}", as_text(arguments[i]));
    bounds[i - 1] = static_cast<std::size_t>(*at);
  }
  if (bounds[0] > bounds[1])
    return fail(ErrorCode::invalid, "error calling slice: invalid slice index: {} > {}", bounds[0], bounds[1]);
  if (from.is_string())
    return string_value(std::string_view(from.get_string()).substr(bounds[0], bounds[1] - bounds[0]));
  const auto& array = from.get_array();
  json::Array part;
  for (std::size_t i = bounds[0]; i < bounds[1]; ++i) part.push_back(array[i]);
  return part;
}

// fmt.Sprint puts a space between two operands of which neither is a string; Sprintln between all.
Value sprint(const Arguments& arguments, bool line) {
  std::string text;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0 && (line || (!arguments[i].is_string() && !arguments[i - 1].is_string()))) text += ' ';
    text += as_text(arguments[i]);
  }
  if (line) text += '\n';
  return string_value(text);
}

std::string format_verb(std::string_view flags, char verb, const Value& value) {
  std::string text;
  switch (verb) {
    case 'q':
      text = value.is_string() ? json::print(value) : fmt::format("'{}'", as_text(value));
      break;
    case 'x': {
      auto number = as_index(value);
      text = number ? fmt::format("{:x}", *number) : to_hex(as_text(value));
      break;
    }
    case 'f': {
      auto [ignored, precision] = split_once(flags, '.');
      int digits = parse_number<int>(precision.value_or("6")).value_or(6);
      text = fmt::format("{:.{}f}", as_number(value).value_or(std::nan("")), std::clamp(digits, 0, 64));
      break;
    }
    default:
      text = as_text(value);
  }
  bool left = flags.starts_with('-');
  if (left) flags.remove_prefix(1);
  bool zeros = flags.starts_with('0');
  auto [width_text, precision] = split_once(flags, '.');
  std::size_t width = std::min(parse_number<std::size_t>(width_text).value_or(0), std::size_t{4096});
  if (precision && verb == 's') text.resize(std::min(text.size(), parse_number<std::size_t>(*precision).value_or(0)));
  if (text.size() < width) text.insert(left ? text.size() : 0, width - text.size(), zeros && !left ? '0' : ' ');
  return text;
}

Value sprintf(const Arguments& arguments) {
  std::string format = as_text(arguments[0]), text;
  std::size_t next = 1;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    std::size_t end = std::min(format.find_first_not_of("-+# 0123456789.", i + 1), format.size());
    if (end == format.size()) {
      text += "%!(NOVERB)";
      break;
    }
    char verb = format[end];
    if (verb == '%')
      text += '%';
    else if (next >= arguments.size())
      text += fmt::format("%!{}(MISSING)", verb);
    else
      text += format_verb(std::string_view(format).substr(i + 1, end - i - 1), verb, arguments[next++]);
    i = end;
  }
  return string_value(text);
}

Value title_case(std::string text) {
  bool start = true;
  for (char& c : text) {
    bool letter = std::isalpha(static_cast<unsigned char>(c)) != 0;
    if (start && letter) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    start = c == ' ' || c == '\t' || c == '\n' || c == '-';
  }
  return string_value(text);
}

Result<Value> split_value(const Arguments& arguments) {
  std::string text = as_text(arguments[0]), separator = as_text(arguments[1]);
  json::Array parts;
  std::size_t start = 0;
  for (std::size_t found; !separator.empty() && (found = text.find(separator, start)) != std::string::npos;
       start = found + separator.size())
    parts.push_back(string_value(std::string_view(text).substr(start, found - start)));
  parts.push_back(string_value(std::string_view(text).substr(start)));
  return parts;
}

Result<Value> join_value(const Arguments& arguments) {
  if (arguments[0].is_null()) return Value("");
  if (!arguments[0].is_array())
    return fail(ErrorCode::invalid, "error calling join: wrong type for value; expected []string");
  std::vector<std::string> parts;
  for (const Value& part : arguments[0].get_array()) parts.push_back(as_text(part));
  return string_value(join(parts, as_text(arguments[1])));
}

Result<Value> length(const Value& value) {
  if (value.is_string()) return Value(value.get_string().size());
  if (value.is_array()) return Value(value.get_array().size());
  if (value.is_object()) return Value(value.get_object().size());
  return fail(ErrorCode::invalid, "error calling len: len of {}", value.is_null() ? "nil pointer" : "this type");
}

Value change_case(std::string text, int (*change)(int)) {
  std::ranges::transform(text, text.begin(),
                         [change](char c) { return static_cast<char>(change(static_cast<unsigned char>(c))); });
  return string_value(text);
}

Value pad(const Arguments& arguments) {
  std::string text = as_text(arguments[0]);
  if (text.empty()) return Value("");
  auto spaces = [&](std::size_t i) {
    return std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(as_index(arguments[i]).value_or(0), 0, 4096)),
                       ' ');
  };
  return string_value(spaces(1) + text + spaces(2));
}

// and, or: the last value that was looked at. Both sides are already evaluated here, which nothing can observe.
Value logic(bool all, const Arguments& arguments) {
  for (const Value& value : arguments)
    if (is_true(value) != all) return value;
  return arguments.back();
}

struct Arity {
  std::string_view name;
  std::size_t least, most;
};

constexpr std::size_t kAny = 64;
constexpr Arity kFunctions[] = {
    {"and", 1, kAny},   {"or", 1, kAny},     {"not", 1, 1},        {"eq", 2, kAny}, {"ne", 2, 2},       {"lt", 2, 2},
    {"le", 2, 2},       {"gt", 2, 2},        {"ge", 2, 2},         {"len", 1, 1},   {"index", 1, kAny}, {"slice", 1, 3},
    {"print", 0, kAny}, {"printf", 1, kAny}, {"println", 0, kAny}, {"json", 1, 1},  {"split", 2, 2},    {"join", 2, 2},
    {"title", 1, 1},    {"lower", 1, 1},     {"upper", 1, 1},      {"pad", 3, 3},   {"truncate", 2, 2}};

const Arity* find_function(std::string_view name) {
  const Arity* found = std::ranges::find(kFunctions, name, &Arity::name);
  return found == std::end(kFunctions) ? nullptr : found;
}

}  // namespace

bool is_function(std::string_view name) { return find_function(name) != nullptr; }

bool is_true(const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return false;
    case boost::json::kind::bool_:
      return value.get_bool();
    case boost::json::kind::string:
      return !value.get_string().empty();
    case boost::json::kind::array:
      return !value.get_array().empty();
    case boost::json::kind::object:
      return !value.get_object().empty();
    default:
      return as_number(value).value_or(0) != 0;
  }
}

Result<Value> call_function(std::string_view name, const Arguments& arguments) {
  const Arity& arity = *find_function(name);
  if (arguments.size() < arity.least || arguments.size() > arity.most)
    return fail(ErrorCode::invalid, "wrong number of args for {}: want {}{} got {}", name,
                arity.most == kAny ? "at least " : "", arity.least, arguments.size());
  if (name == "and" || name == "or") return logic(name == "and", arguments);
  if (name == "not") return Value(!is_true(arguments[0]));
  if (name.size() == 2) return compare_as(name, arguments);
  if (name == "len") return length(arguments[0]);
  if (name == "index") {
    Value value = arguments[0];
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      TRY(value, index_one(value, arguments[i]));
    }
    return value;
  }
  if (name == "slice") return slice(arguments);
  if (name == "print" || name == "println") return sprint(arguments, name == "println");
  if (name == "printf") return sprintf(arguments);
  if (name == "json") return string_value(json::print(arguments[0]));
  if (name == "split") return split_value(arguments);
  if (name == "join") return join_value(arguments);
  if (name == "title") return title_case(as_text(arguments[0]));
  if (name == "lower") return change_case(as_text(arguments[0]), std::tolower);
  if (name == "upper") return change_case(as_text(arguments[0]), std::toupper);
  if (name == "pad") return pad(arguments);
  auto limit = as_index(arguments[1]).value_or(0);
  return string_value(as_text(arguments[0]).substr(0, static_cast<std::size_t>(std::max<std::int64_t>(limit, 0))));
}

}  // namespace berth::cli::detail
