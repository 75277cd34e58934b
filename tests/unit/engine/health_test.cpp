#include "engine/health.h"

#include <gtest/gtest.h>

namespace berth::engine {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

HealthProbe probe(std::int64_t second, int code) {
  return {Time{second * kSecond}, Time{second * kSecond + 1}, code, ""};
}

TEST(Health, OneSuccessIsHealthyAndRetriesFailuresAreNot) {
  HealthSpec check{.test = {"CMD", "true"}, .retries = 2};
  HealthStatus status;
  EXPECT_FALSE(note_probe(check, Time{kSecond}, probe(2, 1), status));
  EXPECT_EQ(status.state, "starting");
  EXPECT_TRUE(note_probe(check, Time{kSecond}, probe(3, 0), status));
  EXPECT_EQ(status.state, "healthy");
  EXPECT_EQ(status.failing_streak, 0);
  EXPECT_FALSE(note_probe(check, Time{kSecond}, probe(4, 1), status));
  EXPECT_EQ(status.state, "healthy");
  EXPECT_TRUE(note_probe(check, Time{kSecond}, probe(5, -1), status));
  EXPECT_EQ(status.state, "unhealthy");
  EXPECT_EQ(status.failing_streak, 2);
}

TEST(Health, FailuresOfTheStartPeriodDoNotCount) {
  HealthSpec check{.test = {"CMD", "true"}, .start_period = 10 * kSecond, .retries = 1};
  HealthStatus status;
  note_probe(check, Time{100 * kSecond}, probe(105, 1), status);
  EXPECT_EQ(status.state, "starting");
  EXPECT_EQ(status.failing_streak, 0);
  note_probe(check, Time{100 * kSecond}, probe(110, 1), status);
  EXPECT_EQ(status.state, "unhealthy");
}

TEST(Health, KeepsTheLastFive) {
  HealthSpec check{.test = {"CMD", "true"}};
  HealthStatus status;
  for (int i = 1; i <= 8; ++i) note_probe(check, Time{1}, probe(i, i), status);
  ASSERT_EQ(status.log.size(), kHealthLogLength);
  EXPECT_EQ(status.log.front().exit_code, 4);
  EXPECT_EQ(status.log.back().exit_code, 8);
}

TEST(Health, ChecksMoreOftenInTheStartPeriod) {
  HealthSpec check{.test = {"CMD", "true"}, .interval = 20 * kSecond, .start_period = 10 * kSecond};
  HealthStatus status;
  EXPECT_EQ(health_interval(check, status, Time{kSecond}, Time{2 * kSecond}), std::chrono::seconds(5));
  EXPECT_EQ(health_interval(check, status, Time{kSecond}, Time{12 * kSecond}), std::chrono::seconds(20));
  status.state = "healthy";
  EXPECT_EQ(health_interval(check, status, Time{kSecond}, Time{2 * kSecond}), std::chrono::seconds(20));
  check.start_period = 0;
  status.state = "starting";
  EXPECT_EQ(health_interval(check, status, Time{kSecond}, Time{2 * kSecond}), std::chrono::seconds(20));
}

TEST(Health, WhatIsAskedGoesBeforeTheImage) {
  HealthSpec image{.test = {"CMD", "a"}, .interval = 7, .retries = 4};
  EXPECT_FALSE(merge_health(std::nullopt, std::nullopt));
  EXPECT_EQ(merge_health(std::nullopt, image)->test, image.test);
  auto merged = merge_health(HealthSpec{.timeout = 9}, image);
  EXPECT_EQ(merged->test, image.test);
  EXPECT_EQ(merged->interval, 7);
  EXPECT_EQ(merged->timeout, 9);
  EXPECT_EQ(merged->retries, 4);
  auto none = merge_health(HealthSpec{.test = {"NONE"}}, image);
  EXPECT_FALSE(has_check(none));
}

TEST(Health, RefusesWhatCannotBe) {
  EXPECT_EQ(check_health({.test = {"CMD", "a"}, .interval = 5}).error().text(),
            "Interval in Healthcheck cannot be less than 1ms");
  EXPECT_EQ(check_health({.test = {"CMD", "a"}, .retries = -1}).error().text(),
            "Retries in Healthcheck cannot be negative");
  EXPECT_EQ(check_health({.test = {"BAD", "a"}}).error().text(), "Unknown healthcheck type 'BAD' (expected 'CMD')");
  EXPECT_TRUE(check_health({.test = {"NONE"}}));
  EXPECT_FALSE(decode_health(json::parse(R"({"Test": "true"})").value()));
}

}  // namespace
}  // namespace berth::engine
