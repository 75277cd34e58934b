#include "compose/detail/canonical.h"

#include <algorithm>

#include "base/text.h"
#include "base/time.h"

namespace berth::compose {

namespace {

std::string_view name_of(Form form) {
  switch (form) {
    case Form::text:
      return "a string";
    case Form::scalar:
      return "a string or a number";
    case Form::setting:
      return "a string, number, boolean or null";
    case Form::boolean:
      return "a boolean";
    case Form::integer:
      return "an integer";
    case Form::number:
      return "a number";
    case Form::bytes:
      return "a size such as 512m";
    case Form::duration:
      return "a duration such as 1m30s";
    case Form::list:
      return "a list";
    case Form::map:
    case Form::object:
      return "a mapping";
  }
  return "";
}

std::unexpected<Error> wrong_form(const Node& node, const Shape& shape, const Place& place) {
  return fail_at(node.mark, "{} must be {}", place.path, name_of(shape.form));
}

// YAML 1.1's words are truths only where a truth is wanted.
std::optional<bool> truth_of(const Node& node) {
  std::string text = to_lower(node.text);
  for (std::string_view yes : {"true", "yes", "on", "y", "1"})
    if (text == yes) return true;
  for (std::string_view no : {"false", "no", "off", "n", "0"})
    if (text == no) return false;
  return {};
}

std::optional<std::int64_t> integer_of(const Node& node) {
  std::string_view text = node.text;
  // A string may come from a variable: "0644" is what it is without quotes.
  bool octal = node.is_text() && text.size() > 1 && text[0] == '0';
  if (octal && text.starts_with("0o")) text.remove_prefix(2);
  return parse_number<std::int64_t>(text, octal ? 8 : 10);
}

Result<void> check_value(const Node& node, const Shape& shape, const Place& place) {
  if (shape.values.empty()) return {};
  for (const std::string& value : split(shape.values, ' ')) {
    bool prefix = value.ends_with('*');
    if (prefix ? node.text.starts_with(value.substr(0, value.size() - 1)) : node.text == value) return {};
  }
  return fail_at(node.mark, "{}: \"{}\" is not one of: {}", place.path, node.text, shape.values);
}

Result<Node> canonical_scalar(Node node, const Shape& shape, const Place& place) {
  auto wrong = [&] { return wrong_form(node, shape, place); };
  if (shape.form == Form::setting && node.is_null()) return node;
  if (!node.is_scalar()) return wrong();
  switch (shape.form) {
    case Form::text:
      if (!node.is_text()) return wrong();
      break;
    case Form::boolean: {
      auto truth = truth_of(node);
      if (!truth) return wrong();
      node = Node::make_boolean(*truth, node.mark);
      break;
    }
    case Form::integer: {
      auto number = integer_of(node);
      if (!number) return wrong();
      node = Node::make_integer(*number, node.mark);
      break;
    }
    case Form::number:
      if (!parse_number<double>(node.text)) return wrong();
      node.kind = Node::Kind::real;
      break;
    case Form::bytes: {
      TRY(std::int64_t bytes, bytes_of(node, place));
      node = Node::make_integer(bytes, node.mark);
      break;
    }
    case Form::duration:
      if (!node.is_text() || !parse_duration(node.text)) return wrong();
      break;
    default:
      node.kind = Node::Kind::text;
  }
  TRY_OK(check_value(node, shape, place));
  return node;
}

// "did you mean": a known key at a distance of one or two letters.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string suggestion(std::string_view name, std::span<const Key> keys) {
  if (name.size() > 40) return "";
  for (const Key& key : keys)
    if (key.shape != nullptr && distance(name, key.name) <= (name.size() > 5 ? 2U : 1U))
      return fmt::format("; did you mean {}?", key.name);
  return "";
}

Result<Node> canonical_object(Node node, const Shape& shape, const Place& place) {
  std::string where = place.path.empty() ? "the file" : place.path;
  for (Member& member : node.members) {
    if (member.key.starts_with("x-")) continue;
    auto key = std::ranges::find(shape.keys, member.key, &Key::name);
    if (key == shape.keys.end())
      return fail_at(member.mark, "{}: additional properties '{}' not allowed{}", where, member.key,
                     suggestion(member.key, shape.keys));
    if (key->shape == nullptr)
      return fail_at(member.mark, "{} is not supported: {}", place.below(member.key).path, key->refusal);
    TRY(member.value, make_canonical(std::move(member.value), *key->shape, place.below(member.key)));
  }
  return node;
}

}  // namespace

Result<std::int64_t> bytes_of(const Node& node, const Place& place) {
  if (node.text == "-1") return -1;
  auto bytes = parse_bytes(node.text);
  if (!bytes) return fail_at(node.mark, "{} must be {}", place.path, name_of(Form::bytes));
  return *bytes;
}

Result<Node> make_canonical(Node node, const Shape& shape, const Place& place) {
  // What is going to vanish in a merge is not looked at.
  if (node.tag == Node::Tag::reset) return node;
  Node::Tag tag = node.tag;
  if (shape.expand != nullptr && !node.is_null()) {
    TRY(node, shape.expand(std::move(node), place));
  }
  // A key without a value counts as not written, but where null has a meaning.
  if (node.is_null()) return node;
  switch (shape.form) {
    case Form::list: {
      if (!node.is_list()) return wrong_form(node, shape, place);
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        Place inner{fmt::format("{}[{}]", place.path, i), place.walk};
        if (node.items[i].is_null()) return fail_at(node.mark, "{} is empty", inner.path);
        TRY(node.items[i], make_canonical(std::move(node.items[i]), *shape.element, inner));
      }
      break;
    }
    case Form::map: {
      if (!node.is_map()) return wrong_form(node, shape, place);
      for (Member& member : node.members) {
        TRY(member.value, make_canonical(std::move(member.value), *shape.element, place.below(member.key)));
      }
      break;
    }
    case Form::object: {
      if (!node.is_map()) return wrong_form(node, shape, place);
      TRY(node, canonical_object(std::move(node), shape, place));
      break;
    }
    default: {
      TRY(node, canonical_scalar(std::move(node), shape, place));
    }
  }
  node.tag = tag;
  return node;
}

}  // namespace berth::compose
