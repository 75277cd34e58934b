#include "base/text.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/rollback.h"
#include "base/time.h"

namespace berth {
namespace {

TEST(Text, SplitsAndJoins) {
  EXPECT_EQ(split("a,b,,c", ','), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
  EXPECT_EQ(join({"a", "b"}, "--"), "a--b");
  EXPECT_EQ(split_once("k=v=w", '=').second, "v=w");
  EXPECT_FALSE(split_once("k", '=').second);
}

TEST(Text, Numbers) {
  EXPECT_EQ(parse_number<int>("42"), 42);
  for (const char* bad : {"", " 1", "1 ", "+1", "1x", "99999999999"}) EXPECT_FALSE(parse_number<int>(bad)) << bad;
}

TEST(Text, Sizes) {
  EXPECT_EQ(*parse_bytes("512m"), 512 << 20);
  EXPECT_EQ(*parse_bytes("1.5g"), 1536LL << 20);
  EXPECT_EQ(*parse_bytes("7"), 7);
  EXPECT_EQ(*parse_bytes("1KiB"), 1024);
  EXPECT_EQ(*parse_bytes("1kb"), 1024);
  for (const char* bad : {"", "m", "1x", "-1", "1mm", "nan", "99999999999999999p"})
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  EXPECT_EQ(human_size(1'234'567), "1.235MB");
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size_binary(512.0 * 1024 * 1024), "512MiB");
}

TEST(Text, Base64) {
  for (std::string bytes : {"", "f", "fo", "foo", "foob"}) EXPECT_EQ(*base64_decode(base64_encode(bytes)), bytes);
  EXPECT_EQ(base64_encode("fo"), "Zm8=");
  EXPECT_EQ(*base64_decode("_-8"), "\xff\xef");
  EXPECT_FALSE(base64_decode("a!b"));
}

TEST(Text, Names) {
  for (const char* good : {"ab", "a1", "A_b.c-d"}) EXPECT_TRUE(is_container_name(good)) << good;
  for (const char* bad : {"", "a", "_a", "-a", "a b", "a/b", "\xc3\xa4\xc3\xa4"})
    EXPECT_FALSE(is_container_name(bad)) << bad;
}

TEST(Time, Rfc3339) {
  for (const char* text : {"2026-11-22T10:52:51.123456789Z", "2026-11-22T10:52:51Z", "2026-11-22T10:52:51.5Z"})
    EXPECT_EQ(format_rfc3339(*parse_rfc3339(text)), text);
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("2026-11-22T10:52:51+02:00")), "2026-11-22T08:52:51Z");
  EXPECT_FALSE(parse_rfc3339("0001-01-01T00:00:00Z")->is_set());
  EXPECT_EQ(format_rfc3339(Time{}), "0001-01-01T00:00:00Z");
  for (const char* bad : {"", "2026", "2026-13-01T00:00:00Z", "2026-11-22T10:52:51", "2026-11-22T10:52:51.Z", "x"})
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
}

TEST(Time, Durations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  for (const char* bad : {"", "5", "s", "1x", "1h-"}) EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(human_duration(500ms), "Less than a second");
  EXPECT_EQ(human_duration(1s), "1 second");
  EXPECT_EQ(human_duration(59s), "59 seconds");
  EXPECT_EQ(human_duration(61s), "About a minute");
  EXPECT_EQ(human_duration(3h), "3 hours");
  EXPECT_EQ(human_duration(72h), "3 days");
}

TEST(Json, DepthAndTrailingTextAreRefused) {
  EXPECT_FALSE(json::parse(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(json::parse("{} x"));
  EXPECT_FALSE(json::parse("{\"a\":}"));
  EXPECT_TRUE(json::parse(" {\"a\":1} "));
}

TEST(Error, TextReadsFromTheOutside) {
  Result<int> result = fail(ErrorCode::not_found, "no file");
  auto outer = annotate(annotate(std::move(result), "read {}", "x"), "start");
  EXPECT_EQ(outer.error().text(), "start: read x: no file");
  EXPECT_EQ(outer.error().code(), ErrorCode::not_found);
  EXPECT_EQ(http_status(outer.error().code()), 404);
}

TEST(Rollback, RunsBackwardsUnlessCommitted) {
  std::string order;
  {
    Rollback rollback;
    rollback.push([&] { order += 'a'; });
    rollback.push([&] { order += 'b'; });
  }
  EXPECT_EQ(order, "ba");
  {
    Rollback rollback;
    rollback.push([&] { order += 'c'; });
    rollback.commit();
  }
  EXPECT_EQ(order, "ba");
}

}  // namespace
}  // namespace berth
