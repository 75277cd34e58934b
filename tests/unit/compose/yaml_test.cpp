#include "compose/yaml.h"

#include <gtest/gtest.h>

namespace berth::compose {
namespace {

std::string json_of(const std::string& yaml) {
  auto documents = parse_yaml(yaml, "f");
  if (!documents) return documents.error().text();
  std::string text;
  for (const Node& document : *documents) text += json::print(to_json(document));
  return text;
}

TEST(Yaml, ScalarsMeanWhatYaml12Says) {
  EXPECT_EQ(json_of("[1, 0x10, 0644, 0o17, -3, 1.5, true, False, null, ~, yes, 22:22, '1', \"2\", 1e3]"),
            R"([1,16,420,15,-3,1.5E0,true,false,null,null,"yes","22:22","1","2",1E3])");
  EXPECT_EQ(json_of("a: !!str 1"), R"({"a":"1"})");
  EXPECT_EQ(json_of("a: |\n  x\n  y\n"), R"({"a":"x\ny\n"})");
}

TEST(Yaml, AnchorsAndMergeKeys) {
  EXPECT_EQ(json_of("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}"), R"({"x":{"a":1,"b":2},"y":{"b":3,"a":1}})");
  EXPECT_EQ(json_of("y: {<<: [{a: 1}, {a: 2, b: 2}]}"), R"({"y":{"a":1,"b":2}})");
  EXPECT_EQ(json_of("a: *b"), "f:1: yaml: unknown anchor 'b' referenced");
  EXPECT_EQ(json_of("a: &a [*a]"), "f:1: yaml: unknown anchor 'a' referenced");
  EXPECT_EQ(json_of("<<: 1"), "f:1: yaml: map merge requires map or sequence of maps as the value");
}

TEST(Yaml, WrongTextIsRefusedWithItsPlace) {
  EXPECT_EQ(json_of("a: 1\nb: 2\na: 3"), "f:3: yaml: mapping key \"a\" already defined at line 1");
  EXPECT_EQ(json_of("a: !thing 1"), "f:1: yaml: unknown tag !thing; Compose has !reset and !override");
  EXPECT_EQ(json_of("? [a]\n: 1"), "f:1: yaml: a key must be a string");
  EXPECT_TRUE(json_of("a: [1\nb: 2").starts_with("f:2: yaml: ")) << json_of("a: [1\nb: 2");
  EXPECT_TRUE(json_of("a:\n\t- 1").starts_with("f:2: yaml: "));
  EXPECT_TRUE(json_of("a: \xff").starts_with("f:1: yaml: "));
}

TEST(Yaml, SeveralDocuments) { EXPECT_EQ(json_of("a: 1\n---\nb: 2\n---\n"), R"({"a":1}{"b":2})"); }

TEST(Yaml, HostileTextIsBounded) {
  // Each alias ten times the one before: a billion values.
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    std::string line = "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) line += "*a" + std::to_string(i - 1) + (j < 9 ? ", " : "]\n");
    laughs += line;
  }
  EXPECT_TRUE(json_of(laughs).ends_with("yaml: more than 100000 values")) << json_of(laughs).substr(0, 200);

  std::string large = "a: &a " + std::string(1 << 20, 'x') + "\nb: [";
  for (int i = 0; i < 100; ++i) large += "*a, ";
  EXPECT_TRUE(json_of(large + "]").ends_with("yaml: the values take too much memory"));

  EXPECT_TRUE(json_of(std::string(100'000, '[')).ends_with("yaml: nested deeper than 64 levels"));
  EXPECT_TRUE(json_of(std::string(5 << 20, ' ')).ends_with("larger than 4194304 bytes"));
}

TEST(Yaml, WhatIsPrintedIsReadAgain) {
  for (const char* text :
       {"plain",   "",     "yes",       "1",    "1.5",  "a: b",  "- x",  "#c", " lead", "multi\nline", "trail\n",
        "q\"uote", "it's", "tab\there", "null", "0x1F", "12:30", "a #b", "{",  "*a",    "end:",        "\n\n"}) {
    json::Object object{{"k", text}, {"l", json::Array{text, json::Object{{"m", text}}}}};
    std::string printed = print_yaml(object);
    auto documents = parse_yaml(printed, "f");
    ASSERT_TRUE(documents) << printed << documents.error().text();
    EXPECT_EQ(to_json(documents->front()), json::Value(object)) << printed;
  }
}

TEST(Yaml, PrintsAsComposeDoes) {
  json::Object object{{"name", "p"},
                      {"list", json::Array{json::Object{{"a", 1}, {"b", "2"}}, "x"}},
                      {"none", nullptr},
                      {"empty", json::Object{}}};
  EXPECT_EQ(print_yaml(object), "name: p\nlist:\n  - a: 1\n    b: \"2\"\n  - x\nnone: null\nempty: {}\n");
}

}  // namespace
}  // namespace berth::compose
