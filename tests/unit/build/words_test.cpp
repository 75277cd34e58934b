#include "build/words.h"

#include <gtest/gtest.h>

#include <map>

namespace berth::build {
namespace {

std::optional<std::string> lookup(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> kValues = {
      {"a", "one"}, {"empty", ""}, {"path", "/x/y/z.tar.gz"}, {"two", "b c"}, {"_1", "under"}};
  auto found = kValues.find(name);
  return found == kValues.end() ? std::nullopt : std::optional(found->second);
}

std::string text(std::string_view from) {
  auto done = expand(from, lookup, '\\');
  return done ? *done : "error: " + done.error().text();
}

TEST(Expand, ReplacesVariables) {
  EXPECT_EQ(text("$a ${a} $none x$a$a"), "one one  xoneone");
  EXPECT_EQ(text("$_1"), "under");
  EXPECT_EQ(text("\\$a '$a' \"$a\" \\x"), "$a $a one x");
  EXPECT_EQ(text("$"), "$");
  EXPECT_EQ(text("$-"), "$-");
  EXPECT_EQ(text("a\\"), "a");
  EXPECT_EQ(text("\"\\\" \\$a \\x\""), "\" $a \\x");
}

TEST(Expand, KnowsModifiers) {
  EXPECT_EQ(text("${a:-w}|${empty:-w}|${none:-w}|${empty-w}|${none-w}"), "one|w|w||w");
  EXPECT_EQ(text("${a:+w}|${empty:+w}|${none:+w}|${empty+w}"), "w|||w");
  EXPECT_EQ(text("${none:-${a}-$a}"), "one-one");
  EXPECT_EQ(text("${none:?no value}"), "error: none: no value");
  EXPECT_EQ(text("${path#*/}|${path##*/}|${path%.*}|${path%%.*}"), "x/y/z.tar.gz|z.tar.gz|/x/y/z.tar|/x/y/z");
  EXPECT_EQ(text("${path/x/w}|${path//\\//-}"), "/w/y/z.tar.gz|-x-y-z.tar.gz");
  EXPECT_EQ(text("${a:=x}"), "error: unsupported modifier (=) in substitution");
}

TEST(Expand, RefusesWhatIsNotClosed) {
  for (const char* bad : {"${a", "${", "${}", "'a", "\"a", "${a:-", "${a:-x", "${a/x"})
    EXPECT_FALSE(expand(bad, lookup, '\\').has_value()) << bad;
}

TEST(Expand, CutsWords) {
  auto words = expand_words("x $two '$two y' \"a  b\" $empty \"\"", lookup, '\\');
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(*words, (std::vector<std::string>{"x", "b", "c", "$two y", "a  b", ""}));
}

TEST(Expand, KeepsQuotesInHeredocs) {
  EXPECT_EQ(expand_variables("'$a' \"x\" \\$a \\n", lookup, '\\').value_or("?"), "'one' \"x\" $a \\n");
}

TEST(Expand, BoundsNesting) {
  std::string nested = "x";
  for (int i = 0; i < 1000; ++i) nested = "${none:-" + nested + "}";
  EXPECT_FALSE(expand(nested, lookup, '\\').has_value());
}

TEST(Words, SplitsOutsideQuotes) {
  EXPECT_EQ(split_words("a='b c' \"d e\"=f g\\ h", '\\'), (std::vector<std::string>{"a='b c'", "\"d e\"=f", "g\\ h"}));
}

TEST(Words, ReadsExecForm) {
  EXPECT_EQ(parse_exec_form("[\"a\", \"b c\"]"), (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(parse_exec_form("[]"), (std::vector<std::string>{}));
  EXPECT_FALSE(parse_exec_form("['a']").has_value());
  EXPECT_FALSE(parse_exec_form("[1]").has_value());
  EXPECT_FALSE(parse_exec_form("a").has_value());
}

}  // namespace
}  // namespace berth::build
