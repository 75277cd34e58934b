// The workspaces of one engine: create, find, list, start, stop, replace, remove.
//
// All state is the engine's: a container ws-NAME whose labels are the Spec, and the volumes NAME-home and NAME-state
// whose labels say whose data they are. Every operation may be killed at any step and called again: what was half made
// is then finished.
//
// Thread: the loop's. Changes run one after the other, so numbers and names are given out once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/event.h"
#include "workspace/engine_client.h"

namespace berth::workspace {

// A workspace as it is now.
struct Status {
  Spec spec;
  std::string state;  // running, paused, or stopped
  Time created;
  std::optional<int> connections;  // absent between two containers, see Workspaces::replace
  Time last_used;                  // not set: never
};

struct CreateRequest {
  std::string name;
  std::string keys;         // as pasted
  std::string image;        // empty: the default
  std::int64_t memory = 0;  // bytes; 0: the default
  std::int64_t nano_cpus = 0;
};

// What replace changes; empty and absent: as it was.
struct Change {
  std::string image;
  std::optional<std::int64_t> memory;
  std::optional<std::int64_t> nano_cpus;
};

struct Created {
  Status status;
  bool existed = false;
};

class Workspaces {
 public:
  Workspaces(async::Loop& loop, EngineClient& engine, Settings settings);

  // The workspace of this name: a new one, or the one that is there when all of the keys are its keys; then nothing
  // changes. name_taken: by a workspace, or by the kept data of one, with other keys. A new workspace is stopped; the
  // first connection starts it.
  async::Task<Outcome<Created>> create(CreateRequest request);
  // no_such_workspace when there is none.
  async::Task<Outcome<Status>> find(std::string name);
  // By name.
  async::Task<Outcome<std::vector<Status>>> list();
  async::Task<Outcome<Status>> start(std::string name);
  async::Task<Outcome<Status>> stop(std::string name);
  // A new container over the same data, with the same port, host keys and keys.
  async::Task<Outcome<Status>> replace(std::string name, Change change);
  // Ends its sessions. With data also what it has stored, even when only that is left.
  async::Task<Outcome<>> remove(std::string name, bool with_data);
  // Finishes replacements that were cut off. At the start of the portal.
  async::Task<Outcome<>> recover();

  const Settings& settings() const { return settings_; }
  EngineClient& engine() { return engine_; }

 private:
  async::Task<Outcome<Spec>> plan(CreateRequest request);
  // The volumes that were made now; those that are there must belong to all of the keys.
  async::Task<Outcome<std::vector<std::string>>> ensure_volumes(Spec spec);
  async::Task<Outcome<>> create_container(Spec spec);
  async::Task<> remove_volumes(std::vector<std::string> volumes);
  async::Task<Outcome<>> finish_replacement(std::string name);

  EngineClient& engine_;
  Settings settings_;
  async::Mutex changes_;
};

}  // namespace berth::workspace
