// The engine core: containers and their execs over an image store, networks and volumes.
//
// Made once by main(), which wires the parts; lives on the loop thread, as do all objects it hands out. Every operation
// on one container runs after the ones before it (an actor's queue); operations of different containers run side by
// side. What an operation acknowledged survives kill -9 at any instruction: state is written before its effect, the
// effect happens before the answer, and open() finishes or undoes what was under way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "async/event.h"
#include "async/loop.h"
#include "async/task_group.h"
#include "engine/attach_window.h"
#include "engine/container.h"
#include "engine/events.h"
#include "engine/exec.h"
#include "engine/id_ranges.h"
#include "engine/paths.h"
#include "engine/preflight.h"
#include "engine/runtimes.h"
#include "engine/seccomp_filter.h"
#include "engine/spec.h"
#include "image/store.h"
#include "network/network.h"
#include "volume/volumes.h"

namespace berth::engine {

struct EngineConfig {
  std::string state_dir = "/var/lib/berth";
  std::string run_dir = "/run/berth";
  std::string libexec_dir;      // where berth-shim is
  std::string guest_tools_dir;  // bound at /.berth where asked for; empty: not installed
  std::string init_program;     // for --init; empty: catatonit or tini-static, found in PATH
  std::string cgroup_parent = "/berth";
  std::string default_runtime;                  // empty: crun when its trial succeeds, else runc
  std::map<std::string, std::string> runtimes;  // further ones: name -> path
  std::uint32_t userns_first = 2'000'000;       // host id of the first range
  std::uint32_t userns_count = 2000;            // ranges of 65536 ids
  std::size_t max_containers = 4096;
};

// What the engine runs on. They outlive it.
struct Parts {
  async::Loop& loop;
  image::Store& images;
  network::Manager& networks;
  volume::Volumes& volumes;
};

struct RemoveOptions {
  bool force = false;           // kills a running one first
  bool remove_volumes = false;  // its anonymous volumes
};

class Engine {
 public:
  // Reads what is on disk, finds running containers again, sweeps what nobody claims, opens activations.
  static async::Task<Result<std::unique_ptr<Engine>>> open(EngineConfig config, Parts parts);
  ~Engine();
  // Before the loop stops: containers keep running, nothing of theirs is touched.
  async::Task<> close();

  // Errors: not_found "No such image: X:latest"; conflict for a taken name; invalid for what cannot be.
  async::Task<Result<std::shared_ptr<Container>>> create(CreateRequest request);
  // By full id, name (with or without leading slash) or unambiguous id prefix; "No such container: X".
  Result<std::shared_ptr<Container>> find(std::string_view reference) const;
  // In order of creation, newest first.
  std::vector<std::shared_ptr<Container>> list() const;
  // Not running, or force. "cannot remove container "/x": container is running: stop the container before removing or
  // force remove".
  async::Task<Result<void>> remove(std::shared_ptr<Container> container, RemoveOptions options);
  // A transient container becomes an ordinary one.
  async::Task<Result<void>> keep(std::shared_ptr<Container> container);
  async::Task<Result<void>> rename(std::shared_ptr<Container> container, std::string name);

  // The container must run: conflict "container ID is not running".
  Result<std::shared_ptr<Exec>> create_exec(std::shared_ptr<Container> container, ExecSpec spec);
  Result<std::shared_ptr<Exec>> find_exec(std::string_view id) const;
  // For what nobody will ask about any more.
  void forget_exec(const std::string& id) { execs_.erase(id); }

  // Containers that use the image, by id; for `rmi`.
  std::vector<std::shared_ptr<Container>> using_image(std::string_view image_id) const;
  std::vector<std::shared_ptr<Container>> using_volume(std::string_view volume) const;
  std::vector<std::shared_ptr<Container>> using_network(std::string_view network_name) const;

  Preflight preflight() const;
  const EngineConfig& config() const { return config_; }
  const Paths& paths() const { return paths_; }
  const Runtimes& runtimes() const { return runtimes_; }
  const CgroupLayout& cgroup_layout() const { return cgroup_layout_; }
  const Parts& parts() const { return parts_; }
  EventBus& events() { return events_; }
  // Compiled once for each set of capabilities, then kept.
  const std::string& seccomp_program(const std::set<std::string>& capabilities) const {
    return seccomp_filters_.program(capabilities);
  }

 private:
  friend class Container;
  friend class Exec;

  Engine(EngineConfig config, Parts parts, Runtimes runtimes, CgroupLayout cgroup_layout);
  void watch_images();
  // A process will be started in a container within milliseconds.
  void expect_process();
  async::Task<Result<void>> choose_runtime();
  async::Task<Result<void>> recover();
  async::Task<Result<void>> resolve(CreateRequest& request);
  Result<void> check_name(std::string_view name) const;
  async::Task<Result<void>> build(std::shared_ptr<Container> container);
  Result<void> copy_root_attributes(const std::vector<std::string>& layers, const std::string& diff) const;
  async::Task<Result<void>> copy_up(std::shared_ptr<Container> container, MountSpec mount);
  Result<std::shared_ptr<Container>> read_container(const std::string& id);
  async::Task<> sweep();
  void start_by_policy();
  void forget(const Container& container);
  async::Task<> discard(Container& container);
  async::Task<> erase(std::shared_ptr<Container> container, bool remove_volumes);

  EngineConfig config_;
  Parts parts_;
  Paths paths_;
  Runtimes runtimes_;
  CgroupLayout cgroup_layout_;
  AttachWindow attach_window_;
  IdRanges id_ranges_;
  EventBus events_;
  mutable SeccompFilters seccomp_filters_;
  std::map<std::string, std::shared_ptr<Container>, std::less<>> containers_;  // by id
  std::map<std::string, std::string, std::less<>> names_;                      // name -> id
  std::map<std::string, std::shared_ptr<Exec>, std::less<>> execs_;            // by id
  bool closing_ = false;
  async::Event opened_;  // what an earlier engine left has been found or swept: containers may start by themselves
  sys::UniqueFd lock_;
  async::TaskGroup tasks_;
};

}  // namespace berth::engine
