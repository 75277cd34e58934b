// What was asked of a workspace, and how it is kept and made: as labels of its container and of its data volumes, and
// as the body of the engine's POST /containers/create. The engine's labels are the only database, so the portal may be
// killed at any time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "workspace/key.h"
#include "workspace/ports.h"

namespace berth::workspace {

using Labels = std::map<std::string, std::string>;

// Of a workspace's container, and of its data volumes: the name.
inline constexpr std::string_view kNameLabel = "berth.workspace";
// Of the container: the rest of the Spec as JSON.
inline constexpr std::string_view kSpecLabel = "berth.workspace.spec";
// Of a data volume: whose it is, as lines of keys.
inline constexpr std::string_view kKeysLabel = "berth.workspace.keys";
// Of the container that announces a replacement (Workspaces::replace); it has kSpecLabel, but not kNameLabel.
inline constexpr std::string_view kNextLabel = "berth.workspace.next";

struct Spec {
  std::string name;
  std::string image;
  std::vector<PublicKey> keys;
  std::int64_t memory = 512 << 20;  // bytes
  std::int64_t nano_cpus = 0;       // 1e9 is one processor; 0: no limit
  int number = 0;                   // owns ten ports, see ports.h
  friend bool operator==(const Spec&, const Spec&) = default;
};

// What is the same for all workspaces of a portal.
struct Settings {
  std::string default_image = "berth/workspace:latest";
  std::int64_t default_memory = 512 << 20;  // bytes
  std::int64_t idle_timeout = 600;          // seconds; 0: a workspace is never stopped
  std::int64_t session_timeout = 900;       // seconds without input or output until a shell ends; 0: never
  std::string listen_address = "0.0.0.0";   // where workspaces' ports are
  std::uint16_t port_base = kDefaultPortBase;
  std::string network = "workspaces";
  std::int64_t pids_limit = 512;
};

inline constexpr std::int64_t kLeastMemory = 16 << 20;

Labels labels_of(const Spec& spec);
// internal when the labels are not those of a workspace.
Outcome<Spec> spec_of(const Labels& labels);
// The value of kSpecLabel.
std::string print_spec(const Spec& spec);

Labels volume_labels(const Spec& spec);

// The create request of the workspace's container: PID 1 is a process that only reaps, and a connection to the ssh port
// gets a process of its own (docs/design/activation.md). image_date: when the image was built, as people read it.
json::Value container_body(const Spec& spec, const Settings& settings, std::string_view image_date);
// That of the container which announces the replacement: the same image and spec, but no address, never started.
json::Value announcement_body(const Spec& spec);

}  // namespace berth::workspace
