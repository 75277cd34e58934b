// How berth-engine is told what to do: flags, and the same words as keys of a JSON file (/etc/berth/engine.json).
//
//   berth-engine --state-dir /srv/berth --registry-mirror https://mirror.example
//   {"state-dir": "/srv/berth", "registry-mirror": ["https://mirror.example"]}
//
// Flags replace what the file says; of repeatable ones the two are joined. An unknown key or flag is an error.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "engine/engine.h"
#include "image/store.h"

namespace berth::docker {

struct Options {
  engine::EngineConfig engine;
  network::Config network;
  std::string socket;         // of the whole API; empty: <run-dir>/engine.sock
  std::string socket_group;   // who may connect besides root
  std::string portal_socket;  // of the restricted API; empty: <run-dir>/engine-portal.sock
  std::string portal_group;
  std::vector<std::string> insecure_registries;
  std::vector<std::string> registry_mirrors;
  image::StoreLimits image_limits;
  log::Level log_level = log::Level::info;

  // Instead of serving:
  bool help = false;
  bool version = false;
  bool remove_from_host = false;   // deletes bridges and firewall rules of this instance
  bool list_crash_points = false;  // for the crash tests
};

constexpr char kDefaultConfigFile[] = "/etc/berth/engine.json";

// arguments: without the program's name. libexec: where this program lies, with berth-shim and berth-unpack beside it.
Result<Options> parse_options(const std::vector<std::string>& arguments, std::string libexec);
std::string usage();

}  // namespace berth::docker
