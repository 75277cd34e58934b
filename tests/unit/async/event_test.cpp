#include "async/event.h"

#include <gtest/gtest.h>

#include <vector>

#include "async/fd.h"
#include "async/task_group.h"
#include "sys/unix_socket.h"

namespace berth::async {
namespace {

using namespace std::chrono_literals;

// Runs one task to its end on a loop of its own.
template <class Make>
void run(Loop& loop, Make make) {
  TaskGroup group(loop);
  auto whole = [](Loop& l, Make m) -> Task<> {
    co_await m();
    l.stop();
  };
  group.spawn("test", whole(loop, make));
  loop.run();
}

Task<> record(Mutex& mutex, std::vector<int>& order, int number) {
  auto lock = co_await mutex.lock();
  order.push_back(number);
  co_await yield();
  order.push_back(number);
}

TEST(Mutex, IsFairAndExclusive) {
  Loop loop(1);
  Mutex mutex(loop);
  std::vector<int> order;
  TaskGroup group(loop);
  for (int i = 0; i < 5; ++i) group.spawn("locker", record(mutex, order, i));
  run(loop, [&]() -> Task<> { co_await group.join(); });
  EXPECT_EQ(order, (std::vector<int>{0, 0, 1, 1, 2, 2, 3, 3, 4, 4}));
  EXPECT_FALSE(mutex.locked());
}

TEST(Mutex, ACancelledWaiterDoesNotLoseTheLock) {
  Loop loop(1);
  Mutex mutex(loop);
  std::vector<int> order;
  TaskGroup doomed(loop), group(loop);
  auto holder = [](Mutex& m, TaskGroup& others) -> Task<> {
    auto lock = co_await m.lock();
    co_await yield();
    others.cancel();
    co_await yield();
  };
  group.spawn("holder", holder(mutex, doomed));
  doomed.spawn("cancelled", record(mutex, order, 1));
  group.spawn("next", record(mutex, order, 2));
  run(loop, [&]() -> Task<> {
    co_await group.join();
    co_await doomed.join();
  });
  EXPECT_EQ(order, (std::vector<int>{1, 1, 2, 2}));
}

TEST(Notifier, WakesWhoWaitsAndNobodyElse) {
  Loop loop(1);
  Notifier notifier(loop);
  int woken = 0;
  TaskGroup group(loop);
  auto waiter = [](Notifier& n, int& count) -> Task<> {
    co_await n.wait();
    ++count;
  };
  group.spawn("a", waiter(notifier, woken));
  group.spawn("b", waiter(notifier, woken));
  run(loop, [&]() -> Task<> {
    co_await yield();
    EXPECT_EQ(woken, 0);
    notifier.notify_all();
    co_await group.join();
    EXPECT_EQ(woken, 2);
    EXPECT_FALSE(co_await notifier.wait_for(1ms));
  });
}

TEST(Notifier, ANoticeBeatsTheTimeLimit) {
  Loop loop(1);
  Notifier notifier(loop);
  TaskGroup group(loop);
  bool noticed = false;
  auto waiter = [](Notifier& n, bool& result) -> Task<> { result = co_await n.wait_for(1h); };
  group.spawn("waiter", waiter(notifier, noticed));
  run(loop, [&]() -> Task<> {
    co_await yield();
    notifier.notify_all();
    co_await group.join();
  });
  EXPECT_TRUE(noticed);
}

TEST(Event, StaysSet) {
  Loop loop(1);
  Event event(loop);
  run(loop, [&]() -> Task<> {
    EXPECT_FALSE(co_await event.wait_for(1ms));
    event.set();
    co_await event.wait();
    EXPECT_TRUE(co_await event.wait_for(0ns));
    EXPECT_TRUE(co_await event.wait_for(std::chrono::nanoseconds::max()));
  });
}

TEST(TaskGroup, CancelEndsWaits) {
  Loop loop(1);
  TaskGroup group(loop);
  auto forever = []() -> Task<> { co_await sleep_for(std::chrono::hours(1)); };
  group.spawn("sleeper", forever());
  run(loop, [&]() -> Task<> {
    co_await yield();
    EXPECT_EQ(group.size(), 1u);
    group.cancel();
    co_await group.join();
    EXPECT_EQ(group.size(), 0u);
  });
}

TEST(Loop, BlockingWorkComesBackWithItsResult) {
  Loop loop(2);
  auto main_thread = std::this_thread::get_id();
  run(loop, [&]() -> Task<> {
    auto there = co_await loop.blocking([] { return std::this_thread::get_id(); });
    EXPECT_TRUE(there != main_thread);
    EXPECT_TRUE(std::this_thread::get_id() == main_thread);
    auto failed = co_await loop.blocking([]() -> Result<int> { return fail(ErrorCode::busy, "no"); });
    EXPECT_EQ(failed.error().code(), ErrorCode::busy);
  });
}

TEST(Fd, ReadsWritesAndTellsTheEnd) {
  Loop loop(1);
  run(loop, [&]() -> Task<> {
    auto pair = sys::socket_pair(SOCK_STREAM);
    EXPECT_TRUE(pair);
    Fd a(loop, std::move(pair->first));
    {
      Fd b(loop, std::move(pair->second));
      EXPECT_TRUE(co_await b.write_all("hello"));
    }
    char buffer[16];
    auto got = co_await a.read_some(buffer);
    EXPECT_EQ(std::string_view(buffer, got.value_or(0)), "hello");
    got = co_await a.read_some(buffer);
    EXPECT_EQ(got.value_or(99), 0u);
  });
}

}  // namespace
}  // namespace berth::async
