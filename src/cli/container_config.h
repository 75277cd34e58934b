// What `run` and `create` are told about the container: their flags, and the body of POST /containers/create that comes
// of them. Only what was given is sent, so the daemon's defaults hold; what the daemon lacks, it refuses by name.
//
// Sources: Docker Engine API v1.50 (ContainerCreate), `docker run` reference.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "cli/flags.h"

namespace berth::cli {

using Strings = std::vector<std::string>;
using Number = std::optional<std::int64_t>;
using Text = std::optional<std::string>;

struct ContainerOptions {
  std::string name, platform, pull = "missing", cidfile;
  bool remove = false, quiet = false;

  // The process.
  bool tty = false, interactive = false, init = false, read_only = false, privileged = false;
  Strings attach, env, env_files, labels, label_files, group_add;
  Text entrypoint, stop_signal, hostname, domainname;
  Number stop_timeout;
  std::string user, workdir;

  // Its surroundings.
  Strings volumes, volumes_from, tmpfs, cap_add, cap_drop, security_opts, devices, device_cgroup_rules, ulimits,
      sysctls, storage_opts, log_opts, annotations;
  std::vector<json::Value> mounts, device_requests;
  std::string volume_driver, log_driver, runtime, userns, pid, ipc, uts, cgroupns, cgroup_parent, restart, isolation;

  // Limits.
  Number memory, memory_reservation, memory_swap, memory_swappiness, kernel_memory, shm_size, cpu_shares, cpu_period,
      cpu_quota, cpu_rt_period, cpu_rt_runtime, pids_limit, oom_score_adj, nano_cpus, blkio_weight;
  Strings blkio_weight_device, device_read_bps, device_write_bps, device_read_iops, device_write_iops;
  std::string cpuset_cpus, cpuset_mems;
  bool oom_kill_disable = false;

  // The network.
  Strings networks, network_aliases, publish, expose, add_hosts, dns, dns_options, dns_search, links, link_local_ips;
  std::string mac_address, ip, ip6;
  bool publish_all = false;

  // The health check.
  std::string health_cmd, health_interval, health_timeout, health_start_period, health_start_interval;
  Number health_retries;
  bool no_healthcheck = false;
};

void declare_container_flags(Flags& flags, ContainerOptions& options);
// Those of them that `update` takes too.
void declare_updatable_flags(Flags& flags, ContainerOptions& options);

// The streams that are attached: what -a says, or all (stdin with -i) unless detached.
struct Attached {
  bool in = false, out = false, err = false;
};
Attached attached_streams(const ContainerOptions& options, bool detached);

// words: the image, then the command. `invalid` with Docker's texts.
Result<json::Value> make_create_body(const ContainerOptions& options, const Strings& words, Attached attached);

// The body of POST /containers/{id}/update.
Result<json::Value> make_update_body(const ContainerOptions& options);

// The pieces, which have tests of their own.
//
// "[IP:][HOST_PORT:]PORT[/PROTO]", with ranges: adds to PortBindings and ExposedPorts.
Result<void> parse_publish(std::string_view text, json::Object& bindings, json::Object& exposed);
// "80", "8000-8010/udp".
Result<void> parse_expose(std::string_view text, json::Object& exposed);
// "type=bind,source=/a,target=/b,readonly" as an element of HostConfig.Mounts.
Result<json::Value> parse_mount(std::string_view text);
// "nofile=1024:2048".
Result<json::Value> parse_ulimit(std::string_view text);
// "1.5" in billionths.
Result<std::int64_t> parse_cpus(std::string_view text);
// KEY=VALUE lines; a line of KEY alone takes the value of this process's environment when from_environment is set.
Result<Strings> read_env_file(const std::string& path, bool from_environment);
// KEY without '=' takes its value from this process's environment, or goes when there is none.
Strings complete_env(const Strings& env);

}  // namespace berth::cli
