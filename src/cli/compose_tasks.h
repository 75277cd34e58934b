// Several calls to the engine at once: each on a thread of its own, since the client blocks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compose/project.h"

namespace berth::cli {

// Runs all jobs, some at once; the error of the first that failed, after all have ended.
Result<void> run_together(const std::vector<std::function<Result<void>()>>& jobs);

template <class Items, class Act>
Result<void> for_each_together(const Items& items, const Act& act) {
  std::vector<std::function<Result<void>()>> jobs;
  for (const auto& item : items) jobs.push_back([&act, &item] { return act(item); });
  return run_together(jobs);
}

enum class Direction { dependencies_first, dependents_first };

// Runs act for each of the services as soon as it is done for those that stand before it; services that have nothing to
// do with each other go on at once. After an error nothing more is begun; it is returned when all have ended.
Result<void> in_dependency_order(const compose::Project& project, const std::vector<std::string>& services,
                                 Direction direction, const std::function<Result<void>(const compose::Service&)>& act);

}  // namespace berth::cli
