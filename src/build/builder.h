// Builds images from Dockerfiles: Docker's classic builder, with BuildKit's mounts and heredocs.
//
//   auto job = builder.start(request, context, output);
//   co_await job->wait();
//   job->outcome()
//
// Each step gives an image; the images are the cache (image::Store::find_step). RUN steps are ordinary containers in
// user namespaces, removed with their step. On disk: <state>/build/tmp/<random> for a build's context, emptied by
// open(); <state>/build/cache/<hex> for RUN --mount=type=cache, kept until prune(). See docs/design/build.md.
//
// Thread: the loop's. A job runs in the builder's own tasks: the one who started it may go and cancel it. kill -9
// leaves finished steps; their containers are removed when the engine opens.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/event.h"
#include "async/task_group.h"
#include "engine/engine.h"
#include "image/auth.h"
#include "image/progress.h"
#include "image/store.h"

namespace berth::build {

struct BuildRequest {
  std::string dockerfile = "Dockerfile";  // its path in the context
  std::string remote;  // an http(s) URL of a context or a Dockerfile, or a git repository; empty: none
  std::vector<oci::Reference> tags;
  std::string target;
  std::optional<oci::Platform> platform;
  std::map<std::string, std::optional<std::string>> arguments;
  std::map<std::string, std::string> labels;
  std::vector<std::string> cache_from;
  bool use_cache = true;
  bool pull = false;  // base images anew, even those that are here
  bool quiet = false;
  bool remove = true;              // the containers of steps that went well
  bool force_remove = false;       // those of a step that failed, too
  engine::ResourceSpec resources;  // of each step's container
  std::int64_t shm_size = 0;
  std::string network;  // empty: bridge
  std::vector<std::string> extra_hosts;
  std::map<std::string, image::Credentials> credentials;  // by registry
  std::map<std::string, std::string> secrets;             // id -> bytes; never written to a disk
  std::map<std::string, std::string> agents;              // id -> path of an ssh agent's socket on this machine
};

struct Outcome {
  Result<image::ImagePtr> image;
  int exit_code = 0;  // of the command whose failure ended the build
};

class Job {
 public:
  explicit Job(async::Loop& loop) : cancel_(loop), ended_(loop), stop_(std::make_shared<std::atomic<bool>>(false)) {}
  // Also returns when the waiting task is cancelled.
  async::Task<> wait() { co_await ended_.wait(); }
  bool ended() const { return ended_.is_set(); }
  // It says nothing more, ends soon and undoes what it has not finished.
  void cancel() {
    output_ = nullptr;
    stop_->store(true);
    cancel_.set();
  }
  const Outcome& outcome() const { return *outcome_; }

 private:
  friend class Builder;
  friend class Build;
  async::Event cancel_;
  async::Event ended_;
  std::shared_ptr<std::atomic<bool>> stop_;  // for what runs on other threads
  image::Progress output_;
  std::optional<Outcome> outcome_;
};

struct PruneResult {
  std::vector<std::string> removed;
  std::uint64_t reclaimed = 0;
};

class Builder {
 public:
  // Removes what builds of an earlier process left behind.
  static Result<std::unique_ptr<Builder>> open(engine::Engine& engine);
  // Cancels what runs and waits for it.
  async::Task<> close();

  // context: a tar archive of any compression, read to its end. output is called as long as the job is not cancelled.
  std::shared_ptr<Job> start(BuildRequest request, sys::UniqueFd context, image::Progress output);
  // Removes the directories of --mount=type=cache that no step uses now.
  async::Task<Result<PruneResult>> prune();

  engine::Engine& engine() const { return engine_; }
  std::string work_directory() const { return directory_ + "/tmp"; }
  std::string secrets_directory() const { return secrets_; }

  // One cache directory: its users, and the turn of those who want it for themselves.
  struct Cache {
    explicit Cache(async::Loop& loop) : turn(loop) {}
    async::Mutex turn;
    int users = 0;
  };
  std::string cache_directory(const std::string& key) const { return directory_ + "/cache/" + key; }
  std::shared_ptr<Cache> cache(const std::string& key);

 private:
  Builder(engine::Engine& engine, std::string directory, std::string secrets);
  async::Task<> run(std::shared_ptr<Job> job, BuildRequest request, sys::UniqueFd context);

  engine::Engine& engine_;
  std::string directory_;
  std::string secrets_;
  std::map<std::string, std::shared_ptr<Cache>> caches_;
  std::vector<std::weak_ptr<Job>> jobs_;
  async::TaskGroup tasks_;
};

}  // namespace berth::build
