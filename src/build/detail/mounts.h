// What RUN --mount puts into a step's container, and what must be undone after it.
//
// Directories are bound; files of secrets lie in the run directory, which is a tmpfs, for as long as the step runs. An
// ssh agent's socket is one of ours that passes everything on to the client's agent: an agent answers only its own user
// and root, and a container's root is neither.
//
// Thread: the loop's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "build/detail/build.h"

namespace berth::build {

class StepMounts {
 public:
  explicit StepMounts(Build& build);
  ~StepMounts();
  StepMounts(const StepMounts&) = delete;
  StepMounts& operator=(const StepMounts&) = delete;

  async::Task<Result<void>> prepare(std::vector<RunMount> mounts, std::string working_directory);
  // After the container has gone.
  async::Task<> release();

  const std::vector<engine::MountSpec>& mounts() const { return mounts_; }
  const std::map<std::string, std::string>& tmpfs() const { return tmpfs_; }
  const std::vector<std::string>& env() const { return env_; }
  // Mount points, which are no change of the image.
  std::vector<std::string> targets() const;
  // What of them the cache must know: the content of what is bound from the context.
  const std::string& digest() const { return digest_; }

 private:
  async::Task<Result<void>> add_bind(RunMount mount);
  async::Task<Result<void>> add_cache(RunMount mount);
  Result<void> add_secret(RunMount mount);
  Result<void> add_agent(RunMount mount);
  async::Task<Result<std::string>> copy_out(RootPtr root, std::string path);
  void bind(std::string source, std::string target, bool read_only);
  Result<std::string> secrets_directory();

  struct HeldCache {
    std::shared_ptr<Builder::Cache> cache;
    async::Mutex::Lock turn;
  };
  Build& build_;
  std::vector<engine::MountSpec> mounts_;
  std::map<std::string, std::string> tmpfs_;
  std::vector<std::string> env_;
  std::string digest_;
  std::string secrets_;
  std::vector<HeldCache> caches_;
  async::TaskGroup agents_;
};

}  // namespace berth::build
