#include "build/stages.h"

#include <gtest/gtest.h>

#include "build/arguments.h"
#include "build/metadata.h"

namespace berth::build {
namespace {

Result<Plan> plan(std::string_view text) {
  auto file = parse_dockerfile(text);
  if (!file) return std::unexpected(file.error());
  return plan_stages(*std::move(file));
}

std::string error_of(std::string_view text) {
  auto made = plan(text);
  return made ? "" : made.error().text();
}

TEST(Stages, AreFound) {
  auto made = plan("ARG V=1\nFROM --platform=linux/amd64 a:$V AS One\nRUN x\nFROM one\nUSER u\n");
  ASSERT_TRUE(made.has_value()) << made.error().text();
  ASSERT_EQ(made->stages.size(), 2U);
  EXPECT_EQ(made->arguments.size(), 1U);
  EXPECT_EQ(made->stages[0].name, "one");
  EXPECT_EQ(made->stages[0].image, "a:$V");
  EXPECT_EQ(made->stages[0].platform, "linux/amd64");
  EXPECT_EQ(stages_until(*made, "ONE").value_or(9), 1U);
  EXPECT_EQ(stages_until(*made, "1").value_or(9), 2U);
  EXPECT_EQ(stages_until(*made, "").value_or(9), 2U);
  EXPECT_EQ(stages_until(*made, "x").error().text(), "target stage \"x\" could not be found");
}

TEST(Stages, TellErrorsAsDockerDoes) {
  const std::pair<const char*, const char*> kCases[] = {
      {"RUN x\n", "no build stage in current context"},
      {"ARG x\n", "no build stage in current context"},
      {"FROM\n", "dockerfile parse error on line 1: FROM requires either one or three arguments"},
      {"FROM a as\n", "dockerfile parse error on line 1: FROM requires either one or three arguments"},
      {"FROM a as 1b\n",
       "dockerfile parse error on line 1: invalid name for build stage: \"1b\", name can't start with a number or "
       "contain symbols"},
      {"FROM a\nCOPY x\n",
       "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination "
       "could not be determined"},
      {"FROM a\nADD --from=b x y\n", "dockerfile parse error on line 2: unknown flag: --from"},
      {"FROM a\nRUN --x=1 y\n", "dockerfile parse error on line 2: unknown flag: --x"},
      {"FROM a\nENV A\n", "dockerfile parse error on line 2: ENV must have two arguments"},
      {"FROM a\nENV A=b c\n",
       "dockerfile parse error on line 2: Syntax error - can't find = in \"c\". Must be of the form: name=value"},
      {"FROM a\nSHELL x\n", "dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form"},
      {"FROM a\nVOLUME []\n", "dockerfile parse error on line 2: VOLUME requires at least one argument"},
      {"FROM a\nWORKDIR\n", "dockerfile parse error on line 2: WORKDIR requires exactly one argument"},
      {"FROM a\nHEALTHCHECK FOO\n", "dockerfile parse error on line 2: Unknown type \"foo\" in HEALTHCHECK (try CMD)"},
  };
  for (const auto& [text, expected] : kCases) EXPECT_EQ(error_of(text), expected) << text;
}

TEST(RunMounts, AreRead) {
  auto cache = parse_run_mount("type=cache,target=/c,id=x,sharing=locked,mode=0700,uid=5,ro");
  ASSERT_TRUE(cache.has_value()) << cache.error().text();
  EXPECT_EQ(cache->target, "/c");
  EXPECT_EQ(cache->sharing, "locked");
  EXPECT_EQ(cache->mode, 0700U);
  EXPECT_EQ(cache->read_only, true);
  EXPECT_FALSE(parse_run_mount("type=none,target=/x").has_value());
  EXPECT_FALSE(parse_run_mount("type=cache").has_value());
  EXPECT_FALSE(parse_run_mount("type=bind,target=/x,colour=red").has_value());
}

Draft draft_of(std::initializer_list<const char*> lines) {
  Draft draft;
  for (const char* line : lines) {
    auto step = parse_instruction(line);
    EXPECT_TRUE(step.has_value()) << line;
    std::vector<std::string> env = draft.config.env;
    auto applied = apply_metadata(*step, variables_of(env), '\\', draft);
    EXPECT_TRUE(applied.has_value()) << line << ": " << applied.error().text();
  }
  return draft;
}

TEST(Metadata, ChangesTheConfiguration) {
  Draft draft = draft_of({"ENV A=1 B=\"x y\"", "ENV A=2 C=$A", "ENV old style value", "LABEL k=v \"m n\"='o'",
                          "EXPOSE 80 9000-9001/udp", "WORKDIR /a", "WORKDIR b/$A", "VOLUME [\"/v\"]", "VOLUME /w /v",
                          "USER u:g", "STOPSIGNAL 9", "MAINTAINER me"});
  const oci::ContainerDefaults& config = draft.config;
  EXPECT_EQ(config.env, (std::vector<std::string>{"A=2", "B=x y", "C=1", "old=style value"}));
  EXPECT_EQ(config.labels.at("m n"), "o");
  EXPECT_EQ(config.exposed_ports, (std::vector<std::string>{"80/tcp", "9000/udp", "9001/udp"}));
  EXPECT_EQ(config.working_dir, "/a/b/2");
  EXPECT_EQ(config.volumes, (std::vector<std::string>{"/v", "/w"}));
  EXPECT_EQ(draft.author, "me");
}

TEST(Metadata, CommandsFollowTheShell) {
  Draft draft = draft_of({"SHELL [\"/bin/bash\", \"-ec\"]", "CMD echo $A", "HEALTHCHECK --retries=3 CMD true"});
  EXPECT_EQ(draft.config.cmd, (std::vector<std::string>{"/bin/bash", "-ec", "echo $A"}));
  Draft inherited;
  inherited.config.cmd = std::vector<std::string>{"base"};
  auto step = parse_instruction("ENTRYPOINT [\"x\"]");
  ASSERT_TRUE(apply_metadata(*step, variables_of({}), '\\', inherited).has_value());
  EXPECT_FALSE(inherited.config.cmd.has_value()) << "the base image's CMD was for its own ENTRYPOINT";
}

TEST(Metadata, ChangeLinesAreLimited) {
  auto changed = apply_changes({}, {"CMD [\"a\"]", "ENV X=1", ""});
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->env, (std::vector<std::string>{"X=1"}));
  EXPECT_EQ(apply_changes({}, {"RUN x"}).error().text(), "run is not a valid change command");
  EXPECT_FALSE(apply_changes({}, {"FROM x"}).has_value());
}

TEST(Arguments, FollowTheReference) {
  Arguments arguments({{"GIVEN", "cli"}, {"http_proxy", "p"}, {"SPARE", "s"}, {"NAMED", std::nullopt}},
                      {"linux", "amd64", ""}, {"linux", "arm64", "v8"});
  arguments.declare_global("V", "1");
  EXPECT_EQ(arguments.global("V"), "1");
  EXPECT_EQ(arguments.global("TARGETARCH"), "arm64");
  arguments.begin_stage();
  EXPECT_FALSE(arguments.find("V", {}).has_value()) << "a stage sees only what it declares";
  arguments.declare("V", std::nullopt);
  arguments.declare("GIVEN", "default");
  arguments.declare("EMPTY", std::nullopt);
  EXPECT_EQ(arguments.find("V", {}), "1");
  EXPECT_EQ(arguments.find("GIVEN", {}), "cli");
  EXPECT_EQ(arguments.find("V", {"V=env"}), "env");
  EXPECT_EQ(arguments.declared({"V=env"}), (std::vector<std::string>{"GIVEN=cli"}));
  EXPECT_EQ(arguments.for_run({}), (std::vector<std::string>{"GIVEN=cli", "V=1", "http_proxy=p"}));
  EXPECT_EQ(arguments.unused(), (std::vector<std::string>{"NAMED", "SPARE"}));
}

}  // namespace
}  // namespace berth::build
