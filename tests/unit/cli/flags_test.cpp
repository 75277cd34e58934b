#include "cli/flags.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

struct Options {
  bool detach = false, tty = false, interactive = false, proxy = true;
  std::string name;
  std::optional<std::string> entrypoint;
  std::vector<std::string> env;
  std::optional<std::int64_t> limit, memory;
};

class FlagsTest : public testing::Test {
 protected:
  FlagsTest() {
    flags.add("detach,d", options.detach, "Leave it running");
    flags.add("tty,t", options.tty, "A terminal");
    flags.add("interactive,i", options.interactive, "Stdin");
    flags.add("sig-proxy", options.proxy, "Signals").defaults_to("true");
    flags.add("name", options.name, "The name");
    flags.add("entrypoint", options.entrypoint, "The entry point");
    flags.add("env,e", options.env, "A variable");
    flags.add("limit", options.limit, "A limit");
    flags.add_bytes("memory,m", options.memory, "The memory");
  }

  std::vector<std::string> parse(std::vector<std::string> arguments) {
    auto words = flags.parse(arguments);
    EXPECT_TRUE(words) << words.error().text();
    return words ? *words : std::vector<std::string>{"<failed>"};
  }
  std::string error(std::vector<std::string> arguments) {
    auto words = flags.parse(arguments);
    return words ? "<no error>" : words.error().text();
  }

  Options options;
  Flags flags;
};

using Words = std::vector<std::string>;

TEST_F(FlagsTest, ReadsEveryWayToGiveAValue) {
  EXPECT_EQ(parse({"--name", "a", "-e", "A=1", "-eB=2", "-e=C=3", "--env=D=4", "word"}), Words{"word"});
  EXPECT_EQ(options.name, "a");
  EXPECT_EQ(options.env, (Words{"A=1", "B=2", "C=3", "D=4"}));
}

TEST_F(FlagsTest, ReadsGroupedSwitches) {
  EXPECT_EQ(parse({"-dit", "-eX=1"}), Words{});
  EXPECT_TRUE(options.detach && options.interactive && options.tty);
  EXPECT_EQ(parse({"-ite", "Y=2"}), Words{});
  EXPECT_EQ(options.env, (Words{"X=1", "Y=2"}));
}

TEST_F(FlagsTest, SwitchesTakeTruthOnlyByEquals) {
  EXPECT_EQ(parse({"--sig-proxy=false", "--detach", "true", "-t=0"}), Words{"true"});
  EXPECT_FALSE(options.proxy);
  EXPECT_TRUE(options.detach);
  EXPECT_FALSE(options.tty);
}

TEST_F(FlagsTest, ReadsFlagsAfterWordsUnlessTheWordsAreForeign) {
  EXPECT_EQ(parse({"image", "-d", "--", "-t"}), (Words{"image", "-t"}));
  EXPECT_TRUE(options.detach);
  EXPECT_FALSE(options.tty);
  flags.stop_at_first_word();
  EXPECT_EQ(parse({"-i", "image", "printf", "-t", "--", "--version", "a b"}),
            (Words{"image", "printf", "-t", "--", "--version", "a b"}));
  EXPECT_FALSE(options.tty);
}

TEST_F(FlagsTest, ADashAloneAndAnEmptyWordAreWords) { EXPECT_EQ(parse({"-", "", "-d"}), (Words{"-", ""})); }

TEST_F(FlagsTest, AnEmptyValueIsAValue) {
  parse({"--entrypoint="});
  ASSERT_TRUE(options.entrypoint);
  EXPECT_EQ(*options.entrypoint, "");
}

TEST_F(FlagsTest, ReadsSizes) {
  parse({"-m", "512m"});
  EXPECT_EQ(options.memory, 512 << 20);
}

TEST_F(FlagsTest, FailsInDockersWords) {
  EXPECT_EQ(error({"--x"}), "unknown flag: --x");
  EXPECT_EQ(error({"--x=1"}), "unknown flag: --x");
  EXPECT_EQ(error({"-x"}), "unknown shorthand flag: 'x' in -x");
  EXPECT_EQ(error({"-dxt"}), "unknown shorthand flag: 'x' in -xt");
  EXPECT_EQ(error({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(error({"-de"}), "flag needs an argument: 'e' in -e");
  EXPECT_EQ(error({"---x"}), "bad flag syntax: ---x");
  EXPECT_EQ(error({"--=x"}), "bad flag syntax: --=x");
  EXPECT_EQ(
      error({"--detach=maybe"}),
      "invalid argument \"maybe\" for \"-d, --detach\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax");
  EXPECT_EQ(error({"--limit", "a"}),
            "invalid argument \"a\" for \"--limit\" flag: strconv.ParseInt: parsing \"a\": invalid syntax");
  EXPECT_EQ(error({"-m", "1x"}), "invalid argument \"1x\" for \"-m, --memory\" flag: invalid suffix: 'x'");
  EXPECT_EQ(error({"-m", "x"}), "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'");
}

TEST_F(FlagsTest, HelpEndsTheReading) {
  parse({"--help", "--x"});
  EXPECT_TRUE(flags.help_wanted());
}

TEST(Flags, ShortHMeansHelpUnlessItIsAFlag) {
  Flags plain;
  ASSERT_TRUE(plain.parse(std::vector<std::string>{"-h"}));
  EXPECT_TRUE(plain.help_wanted());
  std::string host;
  Flags with_host;
  with_host.add("hostname,h", host, "The host name");
  ASSERT_TRUE(with_host.parse(std::vector<std::string>{"-h", "web"}));
  EXPECT_FALSE(with_host.help_wanted());
  EXPECT_EQ(host, "web");
}

TEST(Flags, DescribesThemselvesSortedAndWrapped) {
  bool all = false;
  std::string name;
  Flags flags;
  flags.add("name", name, "The name").defaults_to("\"x\"");
  flags.add("all,a", all, "Stopped ones too");
  EXPECT_EQ(flags.describe(),
            "  -a, --all           Stopped ones too\n"
            "      --name string   The name (default \"x\")\n");
  EXPECT_EQ(wrap_text("aa bb cc", 5), (std::vector<std::string>{"aa bb", "cc"}));
}

}  // namespace
}  // namespace berth::cli
