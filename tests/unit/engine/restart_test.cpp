#include "engine/restart.h"

#include <gtest/gtest.h>

namespace berth::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Restart, WaitsTwiceAsLongEachTimeUpToAMinute) {
  RestartRule rule;
  RestartSpec always{"always", 0};
  std::vector<std::chrono::nanoseconds> waits;
  for (int i = 0; i < 12; ++i) waits.push_back(rule.after(always, {.exit_code = 1}).value());
  EXPECT_EQ(waits[0], milliseconds(100));
  EXPECT_EQ(waits[1], milliseconds(200));
  EXPECT_EQ(waits[9], milliseconds(51'200));
  EXPECT_EQ(waits[10], seconds(60));
  EXPECT_EQ(waits[11], seconds(60));
}

TEST(Restart, ARunOfTenSecondsBeginsAnew) {
  RestartRule rule;
  RestartSpec always{"always", 0};
  for (int i = 0; i < 5; ++i) (void)rule.after(always, {.exit_code = 1});
  EXPECT_EQ(rule.after(always, {.exit_code = 1, .length = seconds(10)}), milliseconds(100));
  EXPECT_EQ(rule.after(always, {.exit_code = 1, .length = seconds(9)}), milliseconds(200));
}

TEST(Restart, CancelledMeansEnded) {
  RestartRule rule;
  rule.cancel();
  EXPECT_FALSE(rule.after({"always", 0}, {.exit_code = 1}));
  rule.reset();
  EXPECT_EQ(rule.after({"always", 0}, {.exit_code = 1}), milliseconds(100));
}

TEST(Restart, PoliciesDiffer) {
  struct Row {
    RestartSpec policy;
    EndedRun run;
    bool restarts;
  };
  for (const Row& row : {
           Row{{"no", 0}, {.exit_code = 1}, false},
           Row{{"always", 0}, {.exit_code = 0}, true},
           Row{{"always", 0}, {.exit_code = 0, .manually_stopped = true}, true},
           Row{{"unless-stopped", 0}, {.exit_code = 0}, true},
           Row{{"unless-stopped", 0}, {.exit_code = 0, .manually_stopped = true}, false},
           Row{{"on-failure", 0}, {.exit_code = 0}, false},
           Row{{"on-failure", 0}, {.exit_code = 3, .restarts = 1000}, true},
           Row{{"on-failure", 2}, {.exit_code = 3, .restarts = 1}, true},
           Row{{"on-failure", 2}, {.exit_code = 3, .restarts = 2}, false},
       })
    EXPECT_EQ(wants_restart(row.policy, row.run), row.restarts)
        << row.policy.name << ":" << row.policy.maximum_retries << " after " << row.run.exit_code;
}

}  // namespace
}  // namespace berth::engine
