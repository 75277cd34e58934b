#include "cli/compose_tasks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

namespace berth::cli {
namespace {

// "a" depends on nothing, "b" and "c" on "a", "d" on both.
compose::Project diamond() {
  compose::Project project;
  for (const auto& [name, dependencies] : std::initializer_list<std::pair<std::string, std::vector<std::string>>>{
           {"a", {}}, {"b", {"a"}}, {"c", {"a"}}, {"d", {"b", "c"}}}) {
    compose::Service& service = project.services[name];
    service.name = name;
    for (const std::string& dependency : dependencies) service.depends_on.push_back({dependency});
  }
  return project;
}

const std::vector<std::string> kAll{"a", "b", "c", "d"};

std::vector<std::string> order_of(Direction direction, const std::vector<std::string>& services) {
  std::mutex mutex;
  std::vector<std::string> order;
  auto done = in_dependency_order(diamond(), services, direction, [&](const compose::Service& service) -> Result<void> {
    std::lock_guard lock(mutex);
    order.push_back(service.name);
    return {};
  });
  EXPECT_TRUE(done);
  return order;
}

TEST(DependencyOrder, BothDirections) {
  std::vector<std::string> order = order_of(Direction::dependencies_first, kAll);
  ASSERT_EQ(order.size(), 4U);
  EXPECT_EQ(order.front(), "a");
  EXPECT_EQ(order.back(), "d");
  order = order_of(Direction::dependents_first, kAll);
  EXPECT_EQ(order.front(), "d");
  EXPECT_EQ(order.back(), "a");
  // Who is not asked for is not waited for.
  EXPECT_EQ(order_of(Direction::dependencies_first, {"d", "a"}).size(), 2U);
  EXPECT_TRUE(order_of(Direction::dependencies_first, {}).empty());
}

TEST(DependencyOrder, WhatIsIndependentGoesOnAtOnce) {
  std::mutex mutex;
  std::condition_variable both;
  int inside = 0;
  auto done = in_dependency_order(
      diamond(), kAll, Direction::dependencies_first, [&](const compose::Service& service) -> Result<void> {
        if (service.name != "b" && service.name != "c") return {};
        std::unique_lock lock(mutex);
        ++inside;
        both.notify_all();
        // Neither leaves before the other is in.
        bool met = both.wait_for(lock, std::chrono::seconds(10), [&] { return inside == 2; });
        return met ? Result<void>() : fail(ErrorCode::timeout, "alone");
      });
  EXPECT_TRUE(done);
}

TEST(DependencyOrder, AnErrorEndsIt) {
  std::mutex mutex;
  std::vector<std::string> order;
  auto done = in_dependency_order(diamond(), kAll, Direction::dependencies_first,
                                  [&](const compose::Service& service) -> Result<void> {
                                    std::lock_guard lock(mutex);
                                    order.push_back(service.name);
                                    return service.name == "b" ? fail(ErrorCode::io, "b failed") : Result<void>();
                                  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text(), "b failed");
  EXPECT_EQ(std::ranges::count(order, "d"), 0);
}

TEST(RunTogether, AllRunAndTheFirstErrorIsTold) {
  std::atomic<int> count = 0;
  std::vector<std::function<Result<void>()>> jobs;
  for (int i = 0; i < 100; ++i)
    jobs.push_back([&count, i]() -> Result<void> {
      ++count;
      return i == 50 ? fail(ErrorCode::io, "the 50th") : Result<void>();
    });
  auto done = run_together(jobs);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text(), "the 50th");
  EXPECT_EQ(count, 100);
  EXPECT_TRUE(run_together({}));
}

}  // namespace
}  // namespace berth::cli
