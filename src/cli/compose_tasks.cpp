#include "cli/compose_tasks.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace berth::cli {

namespace {

constexpr std::size_t kMostThreads = 16;

// The first error of several threads.
class FirstError {
 public:
  void take(Result<void> result) {
    std::lock_guard lock(mutex_);
    if (!result && !error_) error_ = std::move(result).error();
  }
  Result<void> result() {
    if (error_) return std::unexpected(std::move(*error_));
    return {};
  }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace

Result<void> run_together(const std::vector<std::function<Result<void>()>>& jobs) {
  if (jobs.size() == 1) return jobs.front()();
  FirstError first;
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(jobs.size(), kMostThreads); ++i)
      threads.emplace_back([&] {
        for (std::size_t job; (job = next.fetch_add(1)) < jobs.size();) first.take(jobs[job]());
      });
  }
  return first.result();
}

Result<void> in_dependency_order(const compose::Project& project, const std::vector<std::string>& services,
                                 Direction direction, const std::function<Result<void>(const compose::Service&)>& act) {
  std::set<std::string> waiting(services.begin(), services.end());
  std::map<std::string, std::set<std::string>> before;  // by service: those of `services` that must be done first
  for (const std::string& name : services)
    for (const compose::Dependency& dependency : project.services.find(name)->second.depends_on) {
      if (!waiting.contains(dependency.service)) continue;
      if (direction == Direction::dependencies_first)
        before[name].insert(dependency.service);
      else
        before[dependency.service].insert(name);
    }
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Error> error;
  auto work = [&] {
    std::unique_lock lock(mutex);
    while (!error && !waiting.empty()) {
      auto ready = std::ranges::find_if(waiting, [&](const std::string& name) { return before[name].empty(); });
      if (ready == waiting.end()) {
        changed.wait(lock);
        continue;
      }
      std::string name = *ready;
      waiting.erase(ready);
      lock.unlock();
      auto done = act(project.services.find(name)->second);
      lock.lock();
      if (!done && !error) error = std::move(done).error();
      for (auto& [other, names] : before) names.erase(name);
      changed.notify_all();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(services.size(), kMostThreads); ++i) threads.emplace_back(work);
    work();
  }
  if (error) return std::unexpected(std::move(*error));
  return {};
}

}  // namespace berth::cli
