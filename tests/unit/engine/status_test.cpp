#include "engine/status.h"

#include <gtest/gtest.h>

namespace berth::engine {
namespace {

constexpr State kStates[] = {State::created, State::starting, State::running, State::paused,
                             State::exited,  State::removing, State::dead,    State::restarting};
constexpr Change kChanges[] = {Change::start,  Change::started,         Change::start_failed, Change::never_started,
                               Change::pause,  Change::unpause,         Change::exit,         Change::shim_lost,
                               Change::remove, Change::exit_to_restart, Change::give_up};

TEST(State, AWholeLife) {
  State state = State::created;
  for (auto [change, after] : {std::pair{Change::start, State::starting},
                               {Change::started, State::running},
                               {Change::pause, State::paused},
                               {Change::unpause, State::running},
                               {Change::exit, State::exited},
                               {Change::start, State::starting},
                               {Change::start_failed, State::exited},
                               {Change::remove, State::removing}}) {
    auto next = next_state(state, change);
    ASSERT_TRUE(next);
    EXPECT_EQ(*next, after);
    state = *next;
  }
}

TEST(State, NothingLeadsOutOfRemovingButRemovalAgain) {
  for (Change change : kChanges) EXPECT_EQ(next_state(State::removing, change).has_value(), change == Change::remove);
}

TEST(State, OnlyRestingContainersAreRemoved) {
  for (State state : kStates) {
    bool resting =
        state == State::created || state == State::exited || state == State::dead || state == State::removing;
    EXPECT_EQ(next_state(state, Change::remove).has_value(), resting) << state_name(state);
  }
}

TEST(State, AFailedFirstStartLeavesItCreated) {
  EXPECT_EQ(next_state(State::starting, Change::never_started), State::created);
  EXPECT_FALSE(next_state(State::running, Change::never_started));
}

TEST(State, ARestartingContainerIsStartedOrGivenUp) {
  for (State state : {State::running, State::paused})
    EXPECT_EQ(next_state(state, Change::exit_to_restart), State::restarting);
  EXPECT_EQ(next_state(State::restarting, Change::start), State::starting);
  EXPECT_EQ(next_state(State::restarting, Change::give_up), State::exited);
  EXPECT_FALSE(next_state(State::restarting, Change::remove));
  EXPECT_FALSE(next_state(State::exited, Change::give_up));
}

TEST(State, ADeadContainerIsNeverStarted) { EXPECT_FALSE(next_state(State::dead, Change::start)); }

TEST(StatusText, IsDockers) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  ContainerStatus status;
  Time now{10'000 * kSecond};
  EXPECT_EQ(status_text(status, now), "Created");
  status.state = State::running;
  status.started_at = Time{(10'000 - 5) * kSecond};
  EXPECT_EQ(status_text(status, now), "Up 5 seconds");
  status.health.emplace();
  EXPECT_EQ(status_text(status, now), "Up 5 seconds (health: starting)");
  status.health->state = "healthy";
  EXPECT_EQ(status_text(status, now), "Up 5 seconds (healthy)");
  status.state = State::paused;
  EXPECT_EQ(status_text(status, now), "Up 5 seconds (Paused)");
  status.state = State::exited;
  status.exit_code = 137;
  status.finished_at = Time{(10'000 - 7200) * kSecond};
  EXPECT_EQ(status_text(status, now), "Exited (137) 2 hours ago");
}

TEST(Status, SurvivesTheDisk) {
  ContainerStatus status;
  status.state = State::paused;
  status.process = {42, 4711, "boot"};
  status.anonymous_volumes = {"v"};
  auto back = json::decode<ContainerStatus>(json::encode(status));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->state, State::paused);
  EXPECT_EQ(back->process.start_time, 4711u);
  EXPECT_EQ(back->anonymous_volumes, status.anonymous_volumes);
}

}  // namespace
}  // namespace berth::engine
