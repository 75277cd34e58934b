// The control group of one container, on cgroup v1, hybrid and v2 (cgroups(7)).
//
// The OCI runtime makes it and sets its limits; this class reads and changes it afterwards, and removes it. Thread:
// any; calls are a few reads or writes of kernel files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/spec.h"

namespace berth::engine {

struct CgroupStats {
  std::uint64_t cpu_usage_ns = 0;
  std::uint64_t cpu_user_ns = 0;
  std::uint64_t cpu_system_ns = 0;
  std::uint64_t memory_usage = 0;          // bytes
  std::uint64_t memory_inactive_file = 0;  // bytes of usage that can be dropped at once
  std::uint64_t memory_limit = 0;          // bytes; 0: none
  std::uint64_t memory_max_usage = 0;
  std::uint64_t pids_current = 0;
  std::uint64_t pids_limit = 0;  // 0: none
  std::uint64_t io_read_bytes = 0;
  std::uint64_t io_write_bytes = 0;
};

// How the machine mounts its cgroups; read once.
struct CgroupLayout {
  bool unified = false;                          // v2 only
  std::string unified_path;                      // of cgroup2, also on hybrid machines
  std::map<std::string, std::string> v1;         // controller (or name=systemd) -> mount point
  std::vector<std::string> hierarchies() const;  // every distinct mount point
  static Result<CgroupLayout> detect(const std::string& mountinfo = "/proc/self/mountinfo");
};

class Cgroup {
 public:
  // path: from the root of each hierarchy, for example /berth/ID.
  Cgroup(const CgroupLayout& layout, std::string path) : layout_(layout), path_(std::move(path)) {}

  bool exists() const;
  // Every process in it and below, as the host's pids.
  Result<std::vector<int>> processes() const;
  Result<CgroupStats> stats() const;
  // Whether the kernel has killed something in it for lack of memory.
  bool oom_killed() const;
  // Sets the limits that are not 0 or empty; pids_limit -1 takes that limit away. The others stay.
  Result<void> set_limits(const ResourceSpec& limits) const;
  Result<void> freeze() const;
  Result<void> thaw() const;
  // SIGKILL to everything in it (cgroup.kill, or one by one until none is left).
  Result<void> kill_all() const;
  // Removes it in every hierarchy, with what is below; absent is fine. busy while processes are in it.
  Result<void> remove() const;
  // Names of the groups below path (container ids), over all hierarchies.
  std::vector<std::string> children() const;

 private:
  std::string directory(const std::string& controller) const;

  CgroupLayout layout_;
  std::string path_;
};

}  // namespace berth::engine
