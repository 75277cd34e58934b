// The files of one run of a container, made just before its shim is spawned: the bundle with the runtime configuration,
// the shim's own configuration, and what is mounted over /etc/hosts, /etc/hostname and /etc/resolv.conf.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "network/address.h"

namespace berth::engine {

struct RunFiles {
  std::string shim_conf;
};

// Fails with `invalid` and Docker's texts where the spec asks for what is not there: a user, a bind source.
Result<RunFiles> make_run_files(const Engine& engine, const Container& container, const Runtime& runtime,
                                const std::vector<std::string>& layers);
// Changes of the files of a container that runs, in place, for they are mounted in it: lines for the container's own
// addresses come and go, all else in /etc/hosts stays.
struct HostsEdit {
  std::vector<network::Ip> add, remove;
};
Result<void> edit_hosts_file(const Engine& engine, const Container& container, const HostsEdit& edit);
Result<void> use_own_resolver(const Engine& engine, const Container& container);

// Whether it gets a network namespace of its own, neither the host's nor another container's.
bool has_own_network(const ContainerSpec& spec);
// From the root of each hierarchy.
std::string cgroup_path(const EngineConfig& config, const ContainerSpec& spec);

}  // namespace berth::engine
