// Variables, files of variables, and commands written as one string.
#include <gtest/gtest.h>

#include "base/text.h"
#include "compose/env_file.h"
#include "compose/interpolate.h"
#include "compose/sha256.h"
#include "compose/words.h"
#include "fs/digest.h"

namespace berth::compose {
namespace {

const Variables kVariables{{"A", "a"}, {"EMPTY", ""}, {"N", "A"}};

std::string expand(std::string_view text) {
  Interpolator interpolator(kVariables);
  auto result = interpolator.expand(text);
  return result ? *result : "error: " + result.error().text();
}

struct Pair {
  const char* text;
  const char* expected;
};

TEST(Interpolation, Forms) {
  for (const Pair& pair : {
           Pair{"x $A ${A}y", "x a ay"},
           {"$$A $${A}", "$A ${A}"},
           {"${B:-d} ${B-d} ${EMPTY:-d} ${EMPTY-d}|", "d d d |"},
           {"${A:+x} ${B:+x} ${EMPTY:+x} ${EMPTY+x}", "x   x"},
           {"${B:-${A}} ${B:-${C:-$A}}", "a a"},
           {"${B:-a}b}", "ab}"},
           {"${B:-{}}", "{}"},
           {"$B|${B}", "|"},
           {"${A:?no} ${EMPTY?no}|", "a |"},
           {"${B:?why $A}", "error: required variable B is missing a value: why a"},
           {"${B?}", "error: required variable B is missing a value"},
           {"${EMPTY:?why}", "error: required variable EMPTY is missing a value: why"},
       })
    EXPECT_EQ(expand(pair.text), pair.expected) << pair.text;
}

TEST(Interpolation, WhatIsNoVariableIsRefused) {
  for (const char* text : {"$", "a $ b", "${", "${A", "${}", "${1}", "${A!x}", "$1", "${A:x}", "${A:}"})
    EXPECT_TRUE(expand(text).starts_with("error: invalid interpolation format")) << text << ": " << expand(text);
}

TEST(Interpolation, RemembersWhatWasMissing) {
  Interpolator interpolator(kVariables);
  ASSERT_TRUE(interpolator.expand("$X ${Y} ${Z:-z} $X $A"));
  EXPECT_EQ(interpolator.missing(), (std::vector<std::string>{"X", "Y"}));
}

TEST(Interpolation, HostileTextIsBounded) {
  Variables variables{{"BIG", std::string(1 << 20, 'x')}};
  Interpolator interpolator(variables);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "$BIG";
  EXPECT_EQ(interpolator.expand(text).error().code(), ErrorCode::exhausted);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "${B:-";
  deep += std::string(1000, '}');
  EXPECT_TRUE(expand(deep).contains("nested deeper"));
}

std::string env(std::string_view text) {
  auto lines = parse_env_file(text, "f", kVariables);
  if (!lines) return "error: " + lines.error().text();
  std::string shown;
  for (const auto& [name, value] : *lines) shown += name + (value ? "=[" + *value + "]" : "") + ";";
  return shown;
}

TEST(EnvFile, Forms) {
  for (const Pair& pair : {
           Pair{"A=1\nB = 2 \n\n# c\nexport C=3", "A=[1];B=[2];C=[3];"},
           {"A='x $B #y' # c\nB=\"a\\nb $A\"", "A=[x $B #y];B=[a\nb x $B #y];"},
           {"A=x # c\nB=x#y\nC=#z\nD=", "A=[x];B=[x#y];C=[];D=[];"},
           {"A=\"two\nlines\"\nB=1", "A=[two\nlines];B=[1];"},
           {"NAME\nB=1\r\nC=2\r\n", "NAME;B=[1];C=[2];"},
           {"X=${A}-${B:-d}\nY=$X", "X=[a-d];Y=[a-d];"},
           {"A: yes", "A=[yes];"},
           {"\xEF\xBB\xBF"
            "A=1",
            "A=[1];"},
           {"A=\"x \\$B \\\" \\\\\"", "A=[x $B \" \\];"},
           {"A='x", "error: f:1: unterminated quoted value"},
           {"B=1\n=x", "error: f:2: no variable name before \"=\""},
           {"a b=1", "error: f:1: unexpected character in variable name \"a b\""},
           {"A=\"x\" y", "error: f:1: unexpected text after the closing \""},
           {"A=${B", "error: f:1: invalid interpolation format: ${B: you may need to escape any $ with another $"},
       })
    EXPECT_EQ(env(pair.text), pair.expected) << pair.text;
}

TEST(EnvFile, RawKeepsQuotes) {
  auto lines = parse_raw_env_file("A='x' # y\n# c\nB\nC=$A\n", "f");
  ASSERT_TRUE(lines);
  EXPECT_EQ(*lines, (EnvLines{{"A", "'x' # y"}, {"B", std::nullopt}, {"C", "$A"}}));
}

TEST(Words, SplitAsAShellWould) {
  auto split = [](std::string_view text) {
    auto words = split_words(text);
    return words ? join(*words, "|") : "error: " + words.error().text();
  };
  EXPECT_EQ(split("sh -c 'a b'"), "sh|-c|a b");
  EXPECT_EQ(split("a \"b 'c' \\\" d\" e\\ f ''"), "a|b 'c' \" d|e f|");
  EXPECT_EQ(split("  a\n b\\\nc \"x\\y\""), "a|bc|x\\y");
  EXPECT_EQ(split(""), "");
  EXPECT_EQ(split("a 'b"), "error: invalid command line string: ' is not closed");
}

// The examples of FIPS 180-4, and every length around the ends of blocks beside the library's result.
TEST(Sha256, IsTheStandards) {
  EXPECT_EQ(sha256_text(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_text(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (std::size_t length = 0; length < 200; ++length) {
    std::string text(length, static_cast<char>(0x80 + length));
    EXPECT_EQ(sha256_text(text), fs::sha256_hex(text)) << length;
  }
}

}  // namespace
}  // namespace berth::compose
