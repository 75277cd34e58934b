// What may stand where in a Compose file. One table (schema.cpp) tells for every key its form, how its short forms are
// written out, how two files' values are merged, and what is refused and why; three walks use it: canonical.h, merge.h
// and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "compose/yaml.h"

namespace berth::compose {

// One walk through one file.
struct Walk {
  std::string directory;            // that relative paths are relative to
  std::size_t ports_left = 10'000;  // a range of a few bytes stands for many ports: their number is bounded
};

// Where a walk is: "services.web.ports".
struct Place {
  std::string path;
  Walk& walk;

  Place below(std::string_view key) const {
    return {path.empty() ? std::string(key) : fmt::format("{}.{}", path, key), walk};
  }
};

enum class Form : std::uint8_t {
  text,     // a string
  scalar,   // a string or a number or a truth, kept as text
  setting,  // a scalar or null: the value of an environment variable or label
  boolean,
  integer,
  number,    // "0.5" or 0.5, kept as text
  bytes,     // "512m" or a number, as an integer
  duration,  // "1m30s"
  list,
  map,    // any keys, one shape for all values
  object  // the keys of the table, and x- extensions
};

enum class Merging : std::uint8_t {
  together,     // maps by key, lists by appending what is new, scalars by replacing
  replace,      // the later one, whole
  by_identity,  // a list whose elements replace those of equal identity
  by_driver     // an object that is replaced when its `driver` differs
};

struct Key;

struct Shape {
  Form form = Form::text;
  // Writes a short form out; called before the form is checked.
  Result<Node> (*expand)(Node node, const Place& place) = nullptr;
  const Shape* element = nullptr;  // of a list or map
  std::span<const Key> keys = {};  // of an object
  Merging merging = Merging::together;
  std::string (*identity)(const Node& element) = nullptr;  // for by_identity
  // The values that a text may have, separated by spaces; a word that ends in '*' is a prefix. Empty: any.
  std::string_view values = {};
};

struct Key {
  std::string_view name;
  const Shape* shape = nullptr;
  std::string_view refusal = {};  // why a key that the specification knows is not done
};

// The shape of a whole file.
extern const Shape kProjectShape;
// Of one service, for extends.
extern const Shape kServiceShape;

}  // namespace berth::compose
