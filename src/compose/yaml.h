// YAML as Compose files use it: documents as trees whose nodes remember where they stood.
//
// Scalars are resolved as YAML 1.2's core schema has it, with Go's octal 0644 beside it: `yes` and `22:22` are strings.
// Anchors and aliases are expanded and merge keys (`<<`) applied, so nobody after this knows of them; a key that stands
// twice in a mapping is an error. The input may be hostile: bytes, nodes, depth and what aliases expand to are bounded.
//
// Source: YAML 1.2.2, sections 3 and 10.3; the merge key of yaml.org/type/merge.html.
// Thread: values, free of shared state.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace berth::compose {

// A place in a file. Lines count from 1.
struct Mark {
  std::shared_ptr<const std::string> file;
  unsigned line = 0;

  std::string text() const;  // "compose.yaml:12"; empty for a node that no file has
};

// "compose.yaml:12: MESSAGE" with code `invalid`.
template <class... Args>
std::unexpected<Error> fail_at(const Mark& mark, fmt::format_string<Args...> format, Args&&... args) {
  std::string where = mark.text();
  return fail(ErrorCode::invalid, "{}{}{}", where, where.empty() ? "" : ": ",
              fmt::format(format, std::forward<Args>(args)...));
}

struct Member;

struct Node {
  enum class Kind : std::uint8_t { null, text, boolean, integer, real, list, map };
  // Compose's own tags, which matter when files are merged: the value goes, or replaces what was there.
  enum class Tag : std::uint8_t { none, reset, replace };

  Kind kind = Kind::null;
  Tag tag = Tag::none;
  Mark mark;
  std::string text;             // of a scalar: as written; an integer in decimal, a boolean as true or false
  std::vector<Node> items;      // of a list
  std::vector<Member> members;  // of a map, in the order of the file

  static Node make_text(std::string text, Mark mark = {});
  static Node make_integer(std::int64_t value, Mark mark = {});
  static Node make_boolean(bool value, Mark mark = {});
  static Node make_list(Mark mark = {});
  static Node make_map(Mark mark = {});

  bool is_null() const { return kind == Kind::null; }
  bool is_list() const { return kind == Kind::list; }
  bool is_map() const { return kind == Kind::map; }
  bool is_text() const { return kind == Kind::text; }
  bool is_scalar() const { return !is_null() && !is_list() && !is_map(); }

  // Of a map; nullptr when it has no such key.
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  // The text of a scalar member, or nothing.
  std::string text_of(std::string_view key) const;
  // Adds or replaces.
  Node& set(std::string_view key, Node value);
  void erase(std::string_view key);
};

struct Member {
  std::string key;
  Mark mark;
  Node value;
};

// Whether the values are equal; marks do not count.
bool same_value(const Node& a, const Node& b);

struct YamlLimits {
  std::size_t bytes = 4 << 20;            // of the text
  std::size_t nodes = 100'000;            // with what aliases expand to
  std::size_t expanded_bytes = 32 << 20;  // of all scalars, with what aliases expand to
  unsigned depth = 64;
};

// All documents of one text. file is the name for errors.
Result<std::vector<Node>> parse_yaml(std::string_view text, const std::string& file, const YamlLimits& limits = {});

json::Value to_json(const Node& node);
// Block style with two blanks, members in their order, as `docker compose config` prints it.
std::string print_yaml(const json::Value& value);

}  // namespace berth::compose
