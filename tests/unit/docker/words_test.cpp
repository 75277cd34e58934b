// Filters, versions, fields, file modes: the small words of the API.
#include <gtest/gtest.h>

#include "docker/api.h"
#include "docker/fields.h"
#include "docker/file_mode.h"
#include "docker/filters.h"
#include "docker/frame.h"
#include "docker/options.h"

namespace berth::docker {
namespace {

Result<Filters> filters(const std::string& text) {
  return Filters::parse(text, {"label", "name", "dangling", "status"});
}

TEST(Filters, ReadsBothShapes) {
  auto list = filters(R"({"label":["a=b","c"],"name":["web"]})");
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->labels({{"a", "b"}, {"c", "x"}}));
  EXPECT_FALSE(list->labels({{"a", "z"}, {"c", "x"}}));
  EXPECT_FALSE(list->labels({{"a", "b"}}));
  auto map = filters(R"({"status":{"running":true,"exited":false}})");
  ASSERT_TRUE(map);
  EXPECT_TRUE(map->exact("status", "running"));
  EXPECT_FALSE(map->exact("status", "exited"));
  EXPECT_TRUE(map->exact("name", "anything"));
}

TEST(Filters, RefusesInDockersWords) {
  for (const char* bad : {"{bad", "[]", R"({"label":"a"})", R"({"label":[1]})"})
    EXPECT_EQ(filters(bad).error().text(), "invalid filter") << bad;
  EXPECT_EQ(filters(R"({"colour":["red"]})").error().text(), "invalid filter 'colour'");
  EXPECT_EQ(filters(R"({"dangling":["maybe"]})")->truth("dangling", true).error().text(),
            "invalid filter 'dangling=[maybe]'");
  EXPECT_FALSE(*filters(R"({"dangling":["0"]})")->truth("dangling", true));
}

TEST(Filters, PatternsAreRegularExpressions) {
  EXPECT_TRUE(matches_pattern("eb", "web"));
  EXPECT_TRUE(matches_pattern("^web$", "web"));
  EXPECT_FALSE(matches_pattern("^eb", "web"));
  EXPECT_FALSE(matches_pattern("we$", "web"));
  EXPECT_TRUE(matches_pattern("^w.b-[0-9]+$", "web-12"));
  EXPECT_FALSE(matches_pattern("^w.b-[0-9]+$", "web-x"));
  EXPECT_TRUE(matches_pattern("a(", "a("));
}

TEST(Filters, AHostilePatternEndsSoon) { EXPECT_FALSE(matches_pattern("^(a+)+$", std::string(60, 'a') + "b")); }

TEST(Versions, CompareAsNumbers) {
  EXPECT_EQ(compare_versions("1.9", "1.24"), -1);
  EXPECT_EQ(compare_versions("1.47", "1.47"), 0);
  EXPECT_EQ(compare_versions("2.0", "1.47"), 1);
  EXPECT_EQ(compare_versions("", "1.47"), 1);
}

TEST(Versions, NegotiateInDockersWords) {
  EXPECT_TRUE(check_version(""));
  EXPECT_TRUE(check_version("1.24"));
  EXPECT_TRUE(check_version("1.47"));
  EXPECT_EQ(check_version("1.99").error().text(),
            "client version 1.99 is too new. Maximum supported API version is 1.47");
  EXPECT_EQ(check_version("1.12").error().text(),
            "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a "
            "newer version");
}

TEST(Fields, KnowsWhatIsNotSet) {
  for (const char* unset : {"null", "false", "0", "\"\"", "[]", "{}", "[0,0]", R"({"a":{"b":null}})"})
    EXPECT_TRUE(is_unset(*json::parse(unset))) << unset;
  for (const char* set : {"true", "1", "-1", "\"x\"", "[1]", R"({"a":"b"})"})
    EXPECT_FALSE(is_unset(*json::parse(set))) << set;
}

TEST(Fields, RefuseWhatIsLeft) {
  auto body = *json::parse(R"({"Taken": 1, "Strange": 2, "Known": 3, "Unset": []})");
  Fields fields(body, "Here");
  EXPECT_EQ(fields.take<int>("Taken"), 1);
  EXPECT_EQ(fields.finish().error().text(), "Here.Strange is not supported by this engine");
  EXPECT_EQ(fields.finish_body({"Known"}).error().text(), "Here.Known is not supported by this engine");
  EXPECT_TRUE(fields.finish_body({"Taken", "Unset", "Absent"}));
  EXPECT_TRUE(fields.finish_body());
  fields.take<std::string>("Strange");
  EXPECT_EQ(fields.finish_body().error().text(), fields.finish().error().text());
}

TEST(Frames, HaveABigEndianLength) {
  EXPECT_EQ(frame_header(StreamKind::stderr_, 0x01020304), std::string("\2\0\0\0\1\2\3\4", 8));
}

TEST(FileModes, AreGos) {
  EXPECT_EQ(go_file_mode(S_IFREG | 0644), 0644U);
  EXPECT_EQ(go_file_mode(S_IFDIR | 01777), 0x80000000U | 1U << 20 | 0777U);
  EXPECT_EQ(go_file_mode(S_IFLNK | 0777), 1U << 27 | 0777U);
  EXPECT_EQ(go_file_mode(S_IFREG | 04755), 1U << 23 | 0755U);
}

TEST(Options, FlagsAndTheirErrors) {
  auto options = parse_options({"--state-dir", "/s", "--run-dir=/r", "--registry-mirror", "https://a",
                                "--registry-mirror", "https://b", "--userns-first", "100000", "--log-level", "debug"},
                               "/lib");
  ASSERT_TRUE(options) << options.error().text();
  EXPECT_EQ(options->engine.state_dir, "/s");
  EXPECT_EQ(options->socket, "/r/engine.sock");
  EXPECT_EQ(options->portal_socket, "/r/engine-portal.sock");
  EXPECT_EQ(options->network.state_dir, "/s/network");
  EXPECT_EQ(options->registry_mirrors.size(), 2U);
  EXPECT_EQ(options->engine.userns_first, 100000U);
  EXPECT_FALSE(options->network.pools.empty());
  EXPECT_EQ(parse_options({"--no-such"}, "/lib").error().text(), "unknown flag: --no-such");
  EXPECT_EQ(parse_options({"--socket"}, "/lib").error().text(), "flag needs an argument: --socket");
  EXPECT_EQ(parse_options({"word"}, "/lib").error().text(), "unexpected argument: word");
  EXPECT_FALSE(parse_options({"--userns-first", "7"}, "/lib"));
  EXPECT_FALSE(parse_options({"--address-pool", "10.0.0.0"}, "/lib"));
}

}  // namespace
}  // namespace berth::docker
