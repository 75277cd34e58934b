#include "build/dockerfile.h"

#include <gtest/gtest.h>

namespace berth::build {
namespace {

std::vector<Instruction> parse(std::string_view text) {
  auto file = parse_dockerfile(text);
  EXPECT_TRUE(file.has_value()) << file.error().text();
  return file ? file->instructions : std::vector<Instruction>();
}

std::string error_of(std::string_view text) {
  auto file = parse_dockerfile(text);
  return file ? "" : file.error().text();
}

TEST(Dockerfile, SplitsInstructions) {
  auto list = parse("\xEF\xBB\xBF# a comment\n\nfrom busybox as base\n  RUN   echo  hi  \r\nCMD\n");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].name, "FROM");
  EXPECT_EQ(list[0].rest, "busybox as base");
  EXPECT_EQ(list[0].line, 3);
  EXPECT_EQ(list[1].rest, "echo  hi");
  EXPECT_EQ(list[1].text, "RUN   echo  hi");
  EXPECT_EQ(list[2].rest, "");
}

TEST(Dockerfile, JoinsContinuedLines) {
  auto list = parse("FROM x\nRUN a && \\\n# not part of it\n\n  b && \\  \n  c\nENV A=b\\\\\nUSER u\n");
  ASSERT_EQ(list.size(), 4U);
  EXPECT_EQ(list[1].rest, "a &&   b &&   c");
  EXPECT_EQ(list[2].rest, "A=b\\\\") << "a doubled escape is a literal one";
  EXPECT_EQ(list[3].line, 8);
}

TEST(Dockerfile, TakesTheEscapeDirective) {
  auto list = parse("# escape=`\nFROM x\nRUN a `\n  b\nCOPY c:\\ d:\\\n");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[1].rest, "a   b");
  EXPECT_EQ(list[2].rest, "c:\\ d:\\");
  EXPECT_EQ(error_of("# escape=x\nFROM a\n"),
            "dockerfile parse error on line 1: invalid escape token 'x' does not match ` or \\");
  EXPECT_NE(error_of("# escape=`\n# escape=`\nFROM a\n"), "");
  EXPECT_EQ(parse("# note\n# escape=`\nFROM x\nRUN a `\nUSER b\n").size(), 3U) << "after a comment it is one itself";
}

TEST(Dockerfile, TakesFlags) {
  auto list =
      parse("FROM x\nCOPY --from=base --chown=\"a b\" src dst\nRUN -- --x\nHEALTHCHECK --interval=5s CMD x --y=1\n");
  EXPECT_EQ(list[1].flags, (std::vector<std::string>{"--from=base", "--chown=a b"}));
  EXPECT_EQ(list[1].rest, "src dst");
  EXPECT_TRUE(list[2].flags.empty());
  EXPECT_EQ(list[2].rest, "--x");
  EXPECT_EQ(list[3].rest, "CMD x --y=1");
}

TEST(Dockerfile, ReadsHeredocs) {
  auto list = parse("FROM x\nRUN <<EOF\necho $a\n# kept\nEOF\nCOPY <<-'A' <<B /dst/\n\tone\n\tA\ntwo\nB\nUSER u\n");
  ASSERT_EQ(list.size(), 4U);
  ASSERT_EQ(list[1].heredocs.size(), 1U);
  EXPECT_EQ(list[1].heredocs[0], (Heredoc{"EOF", "echo $a\n# kept\n", true}));
  ASSERT_EQ(list[2].heredocs.size(), 2U);
  EXPECT_EQ(list[2].heredocs[0], (Heredoc{"A", "one\n", false}));
  EXPECT_EQ(list[2].heredocs[1], (Heredoc{"B", "two\n", true}));
  EXPECT_EQ(list[3].name, "USER");
  EXPECT_TRUE(parse("FROM x\nRUN echo \"a <<B\" 1<2\n")[1].heredocs.empty());
  EXPECT_EQ(error_of("FROM x\nRUN <<EOF\nx\n"), "dockerfile parse error on line 2: unterminated heredoc");
}

TEST(Dockerfile, TellsErrorsAsDockerDoes) {
  EXPECT_EQ(error_of("FRO x\n"), "dockerfile parse error on line 1: unknown instruction: FRO (did you mean FROM?)");
  EXPECT_EQ(error_of("FROM x\n\nquux y\n"), "dockerfile parse error on line 3: unknown instruction: quux");
  EXPECT_EQ(error_of(""), "file with no instructions");
  EXPECT_EQ(error_of("# only\n"), "file with no instructions");
}

TEST(Dockerfile, BoundsItsWork) {
  std::string text = "FROM x\n";
  for (int i = 0; i < 100'001; ++i) text += "USER u\n";
  EXPECT_NE(error_of(text), "");
  EXPECT_NE(error_of(std::string(1 << 20, 'x')), "");
}

}  // namespace
}  // namespace berth::build
