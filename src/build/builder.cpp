#include "build/builder.h"

#include <algorithm>

#include "base/text.h"
#include "build/detail/build.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::build {

Builder::Builder(engine::Engine& engine, std::string directory, std::string secrets)
    : engine_(engine), directory_(std::move(directory)), secrets_(std::move(secrets)), tasks_(engine.parts().loop) {}

Result<std::unique_ptr<Builder>> Builder::open(engine::Engine& engine) {
  std::string directory = engine.config().state_dir + "/build";
  // The run directory is a tmpfs: secrets lie in memory only.
  std::string secrets = engine.config().run_dir + "/build";
  TRY_OK(fs::remove_tree(directory + "/tmp"));
  TRY_OK(fs::remove_tree(secrets));
  for (const std::string& each : {directory, directory + "/tmp", directory + "/cache", secrets})
    TRY_OK(sys::ensure_directories(each, 0711));
  return std::unique_ptr<Builder>(new Builder(engine, std::move(directory), std::move(secrets)));
}

async::Task<> Builder::close() {
  for (const std::weak_ptr<Job>& each : jobs_)
    if (auto job = each.lock()) job->cancel();
  co_await tasks_.join();
}

std::shared_ptr<Job> Builder::start(BuildRequest request, sys::UniqueFd context, image::Progress output) {
  auto job = std::make_shared<Job>(engine_.parts().loop);
  job->output_ = std::move(output);
  std::erase_if(jobs_, [](const auto& each) { return each.expired(); });
  jobs_.push_back(job);
  tasks_.spawn("build", run(job, std::move(request), std::move(context)));
  return job;
}

async::Task<> Builder::run(std::shared_ptr<Job> job, BuildRequest request, sys::UniqueFd context) {
  Build build(*this, job, std::move(request));
  Outcome outcome{co_await build.run(std::move(context)), build.exit_code()};
  job->outcome_ = std::move(outcome);
  job->ended_.set();
}

std::shared_ptr<Builder::Cache> Builder::cache(const std::string& key) {
  std::shared_ptr<Cache>& cache = caches_[key];
  if (!cache) cache = std::make_shared<Cache>(engine_.parts().loop);
  return cache;
}

async::Task<Result<PruneResult>> Builder::prune() {
  PruneResult result;
  CO_TRY(std::vector<std::string> keys, sys::list_directory(directory_ + "/cache"));
  for (const std::string& key : keys) {
    if (auto used = caches_.find(key); used != caches_.end() && used->second->users > 0) continue;
    // Moved away first, so that a step that begins meanwhile gets a new one.
    std::string aside = work_directory() + "/pruned-" + random_hex(8);
    if (::rename(cache_directory(key).c_str(), aside.c_str()) < 0) co_return fail_errno("prune the build cache");
    auto remove = [aside]() -> Result<std::uint64_t> {
      TRY(fs::TreeSize size, fs::measure_tree(aside));
      TRY_OK(fs::remove_tree(aside));
      return size.bytes;
    };
    CO_TRY(std::uint64_t bytes, co_await engine_.parts().loop.blocking(std::move(remove)));
    result.removed.push_back(key);
    result.reclaimed += bytes;
  }
  co_return result;
}

}  // namespace berth::build
