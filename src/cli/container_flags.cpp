// The flags of run and create, in the words of their help.
#include "base/text.h"
#include "cli/container_config.h"

namespace berth::cli {

namespace {

ParseValue into_list(std::vector<json::Value>& list, Result<json::Value> (*parse)(std::string_view)) {
  return [&list, parse](std::string_view text) -> Result<void> {
    TRY(json::Value value, parse(text));
    list.push_back(std::move(value));
    return {};
  };
}

// Checked here, where the flag is named in the message, and kept as text.
ParseValue checked(Strings& list, Result<json::Value> (*parse)(std::string_view)) {
  return [&list, parse](std::string_view text) -> Result<void> {
    TRY_OK(parse(text));
    list.emplace_back(text);
    return {};
  };
}

Result<void> parse_stream(Strings& list, std::string_view text) {
  std::string stream = to_lower(text);
  if (stream != "stdin" && stream != "stdout" && stream != "stderr")
    return fail(ErrorCode::invalid, "valid streams are STDIN, STDOUT and STDERR");
  list.push_back(stream);
  return {};
}

// "all", or a number of devices.
Result<json::Value> parse_gpus(std::string_view text) {
  auto count = text == "all" ? std::optional<int>(-1) : parse_number<int>(text);
  if (!count) return fail(ErrorCode::invalid, "\"{}\" is neither \"all\" nor a number of GPUs", text);
  json::Array sets;  // Array{Array{...}} would be a copy of the inner one
  sets.push_back(json::Array{"gpu"});
  return json::Object{{"Driver", ""}, {"Count", *count}, {"Capabilities", std::move(sets)}};
}

void declare_process(Flags& flags, ContainerOptions& o) {
  flags.add("tty,t", o.tty, "Give the container a terminal");
  flags.add("interactive,i", o.interactive, "Keep stdin open");
  flags.add_value(
      "attach,a", "list", [&o](std::string_view text) { return parse_stream(o.attach, text); },
      "Attach only to this of STDIN, STDOUT and STDERR");
  flags.add("env,e", o.env, "Set an environment variable: KEY=VALUE, or KEY to pass on one's own");
  flags.add("env-file", o.env_files, "Read environment variables from a file, one a line");
  flags.add("label,l", o.labels, "Set a label: KEY=VALUE");
  flags.add("label-file", o.label_files, "Read labels from a file, one a line");
  flags.add("user,u", o.user, "Run as this user: NAME|UID[:GROUP|GID]");
  flags.add("group-add", o.group_add, "Add a supplementary group");
  flags.add("workdir,w", o.workdir, "Start in this directory of the container");
  flags.add("hostname,h", o.hostname, "The container's host name");
  flags.add("domainname", o.domainname, "The container's NIS domain name");
  flags.add("entrypoint", o.entrypoint, "Run this instead of the image's entry point");
  flags.add("init", o.init, "Run a small init as PID 1, which forwards signals and reaps processes");
  flags.add("stop-signal", o.stop_signal, "The signal that asks the container to stop");
  flags.add("stop-timeout", o.stop_timeout, "Seconds to wait before a container that does not stop is killed");
  flags.add("annotation", o.annotations, "An annotation for the runtime: KEY=VALUE");
}

void declare_surroundings(Flags& flags, ContainerOptions& o) {
  flags.add("volume,v", o.volumes, "Mount a directory or a volume: SOURCE:TARGET[:ro]");
  flags.add_value("mount", "mount", into_list(o.mounts, parse_mount), "Mount by keys: type=bind,source=S,target=T,...");
  flags.add("volumes-from", o.volumes_from, "Mount what another container mounts");
  flags.add("volume-driver", o.volume_driver, "The driver of the container's volumes");
  flags.add("tmpfs", o.tmpfs, "Mount a tmpfs: PATH[:OPTIONS]");
  flags.add("read-only", o.read_only, "Mount the root file system read-only");
  flags.add("privileged", o.privileged, "All capabilities, all devices, and the host's user namespace");
  flags.add("cap-add", o.cap_add, "Add a capability");
  flags.add("cap-drop", o.cap_drop, "Drop a capability");
  flags.add("security-opt", o.security_opts, "A security option, such as seccomp=FILE or no-new-privileges");
  flags.add("device", o.devices, "Give the container a device: HOST[:CONTAINER[:rwm]]");
  flags.add("device-cgroup-rule", o.device_cgroup_rules, "Allow devices by rule: \"c 1:3 rwm\"");
  flags.add_value("gpus", "gpu-request", into_list(o.device_requests, parse_gpus),
                  "GPUs for the container: a number, or all");
  flags.add_value("ulimit", "ulimit", checked(o.ulimits, parse_ulimit), "A resource limit: NAME=SOFT[:HARD]");
  flags.add("sysctl", o.sysctls, "A kernel setting of the container's namespaces: KEY=VALUE");
  flags.add("storage-opt", o.storage_opts, "An option of the storage driver: KEY=VALUE");
  flags.add("log-driver", o.log_driver, "Where the container's output goes");
  flags.add("log-opt", o.log_opts, "An option of the log driver: KEY=VALUE");
  flags.add("runtime", o.runtime, "The OCI runtime");
  flags.add("userns", o.userns, "The user namespace: an own one, or host");
  flags.add("pid", o.pid, "The PID namespace: an own one, host, or container:NAME");
  flags.add("ipc", o.ipc, "The IPC namespace");
  flags.add("uts", o.uts, "The UTS namespace");
  flags.add("cgroupns", o.cgroupns, "The cgroup namespace: private or host");
  flags.add("cgroup-parent", o.cgroup_parent, "The cgroup above the container's");
  flags.add("isolation", o.isolation, "The isolation technology");
}

}  // namespace

void declare_updatable_flags(Flags& flags, ContainerOptions& o) {
  flags.add_bytes("memory,m", o.memory, "The most memory");
  flags.add_bytes("memory-reservation", o.memory_reservation, "Memory to come down to when the host is short");
  auto swap = [&o](std::string_view text) -> Result<void> {
    if (text == "-1") {
      o.memory_swap = -1;
      return {};
    }
    TRY(o.memory_swap, parse_bytes(text));
    return {};
  };
  flags.add_value("memory-swap", "bytes", swap, "The most memory and swap together; -1: no limit");
  auto cpus = [&o](std::string_view text) -> Result<void> {
    TRY(o.nano_cpus, parse_cpus(text));
    return {};
  };
  flags.add_value("cpus", "decimal", cpus, "The most processor time, in processors: 1.5");
  flags.add("cpu-shares,c", o.cpu_shares, "The weight among those that want processor time");
  flags.add("cpu-period", o.cpu_period, "The period of the processor quota, in microseconds");
  flags.add("cpu-quota", o.cpu_quota, "The processor quota of a period, in microseconds");
  flags.add("cpu-rt-period", o.cpu_rt_period, "The period of the real-time quota, in microseconds");
  flags.add("cpu-rt-runtime", o.cpu_rt_runtime, "The real-time quota of a period, in microseconds");
  flags.add("cpuset-cpus", o.cpuset_cpus, "The processors to run on: 0-3, 0,1");
  flags.add("cpuset-mems", o.cpuset_mems, "The memory nodes to use: 0-3, 0,1");
  flags.add("pids-limit", o.pids_limit, "The most processes; -1: no limit");
  flags.add("blkio-weight", o.blkio_weight, "The weight among those that want the disk, 10 to 1000");
  flags.add("restart", o.restart, "When to start it again: no, always, unless-stopped, on-failure[:TIMES]");
}

namespace {

void declare_limits(Flags& flags, ContainerOptions& o) {
  declare_updatable_flags(flags, o);
  flags.add("memory-swappiness", o.memory_swappiness, "How willingly memory is swapped out, 0 to 100");
  flags.add_bytes("kernel-memory", o.kernel_memory, "The most kernel memory");
  flags.add_bytes("shm-size", o.shm_size, "The size of /dev/shm");
  for (auto [name, list, help] :
       {std::tuple{"blkio-weight-device", &o.blkio_weight_device, "The weight for one disk: PATH:WEIGHT"},
        {"device-read-bps", &o.device_read_bps, "The most bytes a second read from a disk: PATH:RATE"},
        {"device-write-bps", &o.device_write_bps, "The most bytes a second written to a disk: PATH:RATE"},
        {"device-read-iops", &o.device_read_iops, "The most reads a second from a disk: PATH:RATE"},
        {"device-write-iops", &o.device_write_iops, "The most writes a second to a disk: PATH:RATE"}})
    flags.add(name, *list, help);
  flags.add("oom-score-adj", o.oom_score_adj, "How soon the kernel kills it when memory is short, -1000 to 1000");
  flags.add("oom-kill-disable", o.oom_kill_disable, "Never kill it for want of memory");
}

void declare_network(Flags& flags, ContainerOptions& o) {
  flags.add("network", o.networks, "The network: bridge, none, host, container:NAME, or the name of one");
  flags.add("net", o.networks, "The same as --network");
  flags.add("network-alias", o.network_aliases, "A further name in the network");
  flags.add("publish,p", o.publish, "Publish a port: [IP:][HOST_PORT:]PORT[/udp]");
  flags.add("publish-all,P", o.publish_all, "Publish all exposed ports at free ports of the host");
  flags.add("expose", o.expose, "Name a port that the container listens on");
  flags.add("add-host", o.add_hosts, "A line for /etc/hosts: NAME:IP, or NAME:host-gateway");
  flags.add("dns", o.dns, "A DNS server");
  flags.add("dns-option", o.dns_options, "A resolver option");
  flags.add("dns-search", o.dns_search, "A domain to search");
  flags.add("link", o.links, "Link to another container: NAME[:ALIAS]");
  flags.add("link-local-ip", o.link_local_ips, "A link-local address");
  flags.add("mac-address", o.mac_address, "The MAC address");
  flags.add("ip", o.ip, "The IPv4 address in the network");
  flags.add("ip6", o.ip6, "The IPv6 address in the network");
}

void declare_health(Flags& flags, ContainerOptions& o) {
  flags.add("health-cmd", o.health_cmd, "A command that tells whether the container is healthy");
  flags.add("health-interval", o.health_interval, "Time between two checks");
  flags.add("health-timeout", o.health_timeout, "Time that a check may take");
  flags.add("health-start-period", o.health_start_period, "Time during which a failed check does not count");
  flags.add("health-start-interval", o.health_start_interval, "Time between two checks during the start period");
  flags.add("health-retries", o.health_retries, "Failed checks in a row that make it unhealthy");
  flags.add("no-healthcheck", o.no_healthcheck, "Run no health check, not even the image's");
}

}  // namespace

void declare_container_flags(Flags& flags, ContainerOptions& o) {
  flags.add("name", o.name, "The container's name");
  flags.add("platform", o.platform, "The platform of the image: linux/arm64");
  flags.add("pull", o.pull, "When to pull the image: always, missing, never").defaults_to("\"missing\"");
  flags.add("quiet,q", o.quiet, "Pull without showing progress");
  flags.add("cidfile", o.cidfile, "Write the container's id to this file");
  flags.add("rm", o.remove, "Remove the container, and its unnamed volumes, when it ends");
  declare_process(flags, o);
  declare_surroundings(flags, o);
  declare_limits(flags, o);
  declare_network(flags, o);
  declare_health(flags, o);
}

}  // namespace berth::cli
