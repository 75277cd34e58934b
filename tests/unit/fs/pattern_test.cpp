#include "fs/pattern.h"

#include <gtest/gtest.h>

namespace berth::fs {
namespace {

bool matches(std::string_view pattern, std::string_view name) { return matches_path(pattern, name).value_or(false); }

TEST(Pattern, MatchesAsGoDoes) {
  // From the table of Go's own documentation of filepath.Match: what each form means.
  EXPECT_TRUE(matches("abc", "abc"));
  EXPECT_TRUE(matches("*", "abc"));
  EXPECT_TRUE(matches("*c", "abc"));
  EXPECT_TRUE(matches("a*/b", "abc/b"));
  EXPECT_FALSE(matches("a*/b", "a/c/b"));
  EXPECT_FALSE(matches("a*", "ab/c"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "a/c"));
  EXPECT_TRUE(matches("a[b-d]e", "ace"));
  EXPECT_FALSE(matches("a[^b-d]e", "ace"));
  EXPECT_TRUE(matches("a\\*b", "a*b"));
  EXPECT_FALSE(matches("a\\*b", "axb"));
  EXPECT_TRUE(matches("[\\]a]", "]"));
  EXPECT_TRUE(matches("a*b*c*d", "axxbxxcxxd"));
}

TEST(Pattern, RefusesBrokenOnes) {
  for (const char* pattern : {"[", "[a", "a[", "[]a", "\\", "[a-]", "a\\"})
    EXPECT_FALSE(matches_path(pattern, "a").has_value()) << pattern;
}

TEST(Pattern, TakesTimeInProportion) {
  std::string name(2000, 'a'), pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", name));
}

TEST(IgnoreList, ExcludesWhatLiesBelow) {
  auto list = IgnoreList::parse("# comment\n\nnode_modules\n/build/\n*.log\n");
  ASSERT_TRUE(list.has_value());
  EXPECT_TRUE(list->excludes("node_modules"));
  EXPECT_TRUE(list->excludes("node_modules/a/b.js"));
  EXPECT_TRUE(list->excludes("build/x"));
  EXPECT_TRUE(list->excludes("a.log"));
  EXPECT_FALSE(list->excludes("sub/a.log")) << "a pattern without ** is anchored";
  EXPECT_FALSE(list->excludes("sub/node_modules"));
}

TEST(IgnoreList, TakesBackInOrder) {
  auto list = IgnoreList::parse("*\n!src\n!*.md\nREADME.md\n");
  ASSERT_TRUE(list.has_value());
  EXPECT_TRUE(list->excludes("a.c"));
  EXPECT_FALSE(list->excludes("src"));
  EXPECT_FALSE(list->excludes("src/deep/a.c"));
  EXPECT_FALSE(list->excludes("other.md"));
  EXPECT_TRUE(list->excludes("README.md"));
}

TEST(IgnoreList, TwoStarsAreAnyDepth) {
  auto list = IgnoreList::parse("**/*.o\ndocs/**/draft\n**/cache/**\n");
  ASSERT_TRUE(list.has_value());
  EXPECT_TRUE(list->excludes("a.o"));
  EXPECT_TRUE(list->excludes("x/y/a.o"));
  EXPECT_TRUE(list->excludes("docs/draft"));
  EXPECT_TRUE(list->excludes("docs/a/b/draft/x"));
  EXPECT_TRUE(list->excludes("x/cache/y"));
  EXPECT_FALSE(list->excludes("docs/a/final"));
}

TEST(IgnoreList, KnowsWhereToLookForWhatIsTakenBack) {
  auto list = IgnoreList::parse("vendor\n!vendor/keep/*.txt\n");
  ASSERT_TRUE(list.has_value());
  EXPECT_TRUE(list->may_take_back_below("vendor"));
  EXPECT_TRUE(list->may_take_back_below("vendor/keep"));
  EXPECT_FALSE(list->may_take_back_below("vendor/other"));
  EXPECT_FALSE(list->excludes("vendor/keep/a.txt"));
  EXPECT_TRUE(list->excludes("vendor/keep/a.bin"));
}

TEST(IgnoreList, RefusesNonsense) {
  EXPECT_FALSE(IgnoreList::parse("!\n").has_value());
  EXPECT_FALSE(IgnoreList::parse("[a\n").has_value());
}

}  // namespace
}  // namespace berth::fs
