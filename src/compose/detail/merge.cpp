#include "compose/detail/merge.h"

#include <algorithm>

namespace berth::compose {

namespace {

const Shape& shape_of_member(const Shape& shape, std::string_view key) {
  static constexpr Shape kAnything{.form = Form::map, .element = nullptr};
  if (shape.form == Form::map && shape.element != nullptr) return *shape.element;
  auto found = std::ranges::find(shape.keys, key, &Key::name);
  return found == shape.keys.end() || found->shape == nullptr ? kAnything : *found->shape;
}

Node merge_lists(Node base, Node over, const Shape& shape) {
  for (Node& item : over.items) {
    auto same = [&](const Node& other) {
      return shape.identity != nullptr ? shape.identity(other) == shape.identity(item) : same_value(other, item);
    };
    auto found = std::ranges::find_if(base.items, same);
    if (found == base.items.end())
      base.items.push_back(std::move(item));
    else
      *found = std::move(item);
  }
  return base;
}

Node merge_maps(Node base, Node over, const Shape& shape) {
  for (Member& member : over.members) {
    Node* old = base.find(member.key);
    if (member.value.tag == Node::Tag::reset) {
      base.erase(member.key);
    } else if (old == nullptr) {
      base.members.push_back(std::move(member));
    } else {
      *old = merge(std::move(*old), std::move(member.value), shape_of_member(shape, member.key));
    }
  }
  return base;
}

bool other_driver(const Node& base, const Node& over) {
  std::string before = base.text_of("driver"), after = over.text_of("driver");
  return !before.empty() && !after.empty() && before != after;
}

}  // namespace

Node merge(Node base, Node over, const Shape& shape) {
  bool replaces = over.tag == Node::Tag::replace || shape.merging == Merging::replace;
  if (over.is_null()) return shape.form == Form::setting || replaces ? over : base;
  if (base.is_null() || replaces || base.kind != over.kind) return over;
  if (shape.merging == Merging::by_driver && other_driver(base, over)) return over;
  if (over.is_list()) return merge_lists(std::move(base), std::move(over), shape);
  if (over.is_map()) return merge_maps(std::move(base), std::move(over), shape);
  return over;
}

void drop_resets(Node& node) {
  auto is_reset = [](const Node& value) { return value.tag == Node::Tag::reset; };
  std::erase_if(node.members, [&](const Member& member) { return is_reset(member.value); });
  std::erase_if(node.items, is_reset);
  for (Member& member : node.members) drop_resets(member.value);
  for (Node& item : node.items) drop_resets(item);
  node.tag = Node::Tag::none;
}

}  // namespace berth::compose
