// The OCI runtimes of this host: crun first, runc second, others by configuration. At start each is tried with a real
// container, because a runtime that is installed need not work (crun on a cgroup hybrid machine).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/error.h"
#include "engine/sealed_program.h"

namespace berth::engine {

struct Runtime {
  std::string name;
  std::string path;
  std::string version;                    // first line of --version
  std::vector<std::string> hide;          // what must not be seen in its mount namespace (/sys/fs/cgroup/unified)
  bool takes_seccomp_program = false;     // crun: annotation run.oci.seccomp_bpf_data
  std::string trial_error;                // why its trial failed; empty when it succeeded or was not needed
  std::shared_ptr<SealedProgram> sealed;  // of crun and runc; null for others, which may depend on their path
};

class Runtimes {
 public:
  // Looks the programs up in PATH. Nothing found is an error that names the packages.
  static Result<Runtimes> find(std::map<std::string, std::string> configured, std::string default_name);

  // Empty name: the default one. "unknown or invalid runtime name: NAME".
  Result<Runtime> get(std::string_view name) const;
  const std::string& default_name() const { return default_; }
  void set_default(std::string name) { default_ = std::move(name); }
  void note_failed_trial(const std::string& name, std::string error) { runtimes_[name].trial_error = std::move(error); }
  const std::map<std::string, Runtime, std::less<>>& all() const { return runtimes_; }

 private:
  std::map<std::string, Runtime, std::less<>> runtimes_;
  std::string default_;
};

}  // namespace berth::engine
