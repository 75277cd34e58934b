// What was asked of a container, complete and resolved: image names became ids, defaults are filled in. Written to disk
// before create is answered and never changed afterwards but by rename and update.
//
// Values; every struct is described, so it goes to and from JSON as it stands (base/json.h). Field names are ours, not
// Docker's: src/docker translates.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"

namespace berth::engine {

// The program that a container, an exec or an activation runs.
struct ProcessSpec {
  std::vector<std::string> args;    // args[0] is looked up in PATH when it has no slash
  std::vector<std::string> env;     // "K=V"
  std::string working_dir;          // absolute; empty: "/"
  std::string user;                 // "", "name", "uid", "name:group", "uid:gid"
  std::vector<std::string> groups;  // supplementary, names or numbers
  bool tty = false;
  bool privileged = false;
};
BOOST_DESCRIBE_STRUCT(ProcessSpec, (), (args, env, working_dir, user, groups, tty, privileged))

struct PortSpec {
  std::string host_ip;          // empty: all addresses
  std::uint16_t host_port = 0;  // 0: any free one
  std::uint16_t container_port = 0;
  std::string protocol = "tcp";      // tcp or udp
  std::uint16_t host_port_last = 0;  // of a range, of which the first free one is taken; 0: host_port alone
};
BOOST_DESCRIBE_STRUCT(PortSpec, (), (host_ip, host_port, container_port, protocol, host_port_last))

// A place in a network.
struct AttachmentSpec {
  std::string network;               // its name
  std::vector<std::string> aliases;  // further names there
  std::vector<std::string> links;    // "NAME:ALIAS", names for this container alone
  std::string ipv4;                  // empty: any free one
  std::string ipv6;
  std::vector<std::string> link_local;             // further addresses of its interface
  std::string mac;                                 // empty: made from the address
  std::map<std::string, std::string> driver_opts;  // kept and shown
  int gateway_priority = 0;                        // the highest has the default route, of equals the first
};
BOOST_DESCRIBE_STRUCT(AttachmentSpec, (),
                      (network, aliases, links, ipv4, ipv6, link_local, mac, driver_opts, gateway_priority))

struct MountSpec {
  std::string type;    // bind, volume or tmpfs
  std::string source;  // bind: absolute host path; volume: its name; tmpfs: empty
  std::string target;  // absolute path in the container
  bool read_only = false;
  bool copy_up = true;         // volume: an empty one gets what the image has at target
  bool anonymous = false;      // volume: removed with the container by rm -v and --rm
  bool create_source = false;  // bind: a missing source becomes a directory (-v does, --mount does not)
  std::string options;         // tmpfs: "size=64m,mode=1777"
  std::string propagation;     // bind: empty is rprivate
  std::string mode;            // what -v said after the second colon, for inspect
  std::string subpath;         // volume: the directory of it that is mounted; must exist when the container starts
  bool chown = false;          // ":U": the tree is given to the ids of the container's user at each start
  bool non_recursive = false;  // bind: without what is mounted below the source
  bool inherited = false;      // came by --volumes-from
  std::map<std::string, std::string> volume_labels;   // volume: of one that this mount makes
  std::map<std::string, std::string> volume_options;  // the same
};
BOOST_DESCRIBE_STRUCT(MountSpec, (),
                      (type, source, target, read_only, copy_up, anonymous, create_source, options, propagation, mode,
                       subpath, chown, non_recursive, inherited, volume_labels, volume_options))

struct UlimitSpec {
  std::string name;  // "nofile"
  std::int64_t soft = 0;
  std::int64_t hard = 0;
};
BOOST_DESCRIBE_STRUCT(UlimitSpec, (), (name, soft, hard))

// A weight, or a rate of bytes or operations a second, of one block device.
struct DeviceRateSpec {
  std::string path;  // on the host
  std::uint64_t rate = 0;
};
BOOST_DESCRIBE_STRUCT(DeviceRateSpec, (), (path, rate))

// 0 and empty mean no limit.
struct ResourceSpec {
  std::int64_t memory = 0;              // bytes
  std::int64_t memory_swap = 0;         // bytes of memory and swap together; -1: unlimited swap
  std::int64_t memory_reservation = 0;  // bytes
  std::int64_t nano_cpus = 0;           // 1e9 is one processor
  std::int64_t cpu_shares = 0;
  std::int64_t cpu_period = 0;  // microseconds
  std::int64_t cpu_quota = 0;   // microseconds
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::int64_t pids_limit = 0;
  bool oom_kill_disable = false;
  std::vector<UlimitSpec> ulimits;
  std::optional<std::int64_t> memory_swappiness;  // 0 to 100
  std::int64_t cpu_rt_period = 0;                 // microseconds
  std::int64_t cpu_rt_runtime = 0;                // microseconds
  std::uint16_t blkio_weight = 0;                 // 10 to 1000
  std::vector<DeviceRateSpec> blkio_weight_device;
  std::vector<DeviceRateSpec> blkio_read_bps;
  std::vector<DeviceRateSpec> blkio_write_bps;
  std::vector<DeviceRateSpec> blkio_read_iops;
  std::vector<DeviceRateSpec> blkio_write_iops;
};
BOOST_DESCRIBE_STRUCT(ResourceSpec, (),
                      (memory, memory_swap, memory_reservation, nano_cpus, cpu_shares, cpu_period, cpu_quota,
                       cpuset_cpus, cpuset_mems, pids_limit, oom_kill_disable, ulimits, memory_swappiness,
                       cpu_rt_period, cpu_rt_runtime, blkio_weight, blkio_weight_device, blkio_read_bps,
                       blkio_write_bps, blkio_read_iops, blkio_write_iops))

struct DeviceSpec {
  std::string host_path;
  std::string container_path;
  std::string permissions = "rwm";
};
BOOST_DESCRIBE_STRUCT(DeviceSpec, (), (host_path, container_path, permissions))

// Devices by what they can do rather than by name: --gpus, and CDI names (driver "cdi").
struct DeviceRequestSpec {
  std::string driver;
  int count = 0;  // -1: all
  std::vector<std::string> device_ids;
  std::vector<std::vector<std::string>> capabilities;  // any of these sets
  std::map<std::string, std::string> options;
};
BOOST_DESCRIBE_STRUCT(DeviceRequestSpec, (), (driver, count, device_ids, capabilities, options))

struct LogSpec {
  std::string driver = "json-file";            // json-file, local, journald or none
  std::map<std::string, std::string> options;  // as given, for inspect
  std::int64_t max_size = 0;                   // bytes; 0: no limit
  int max_files = 1;
};
BOOST_DESCRIBE_STRUCT(LogSpec, (), (driver, options, max_size, max_files))

struct RestartSpec {
  std::string name = "no";  // no, always, unless-stopped or on-failure
  int maximum_retries = 0;  // on-failure: 0 is for ever
  friend bool operator==(const RestartSpec&, const RestartSpec&) = default;
};
BOOST_DESCRIBE_STRUCT(RestartSpec, (), (name, maximum_retries))

// A command that the engine runs inside from time to time to learn whether the container does its work. Times are in
// nanoseconds, and 0 asks for the default (engine/health.h).
struct HealthSpec {
  std::vector<std::string> test;  // {"CMD", ARGS...} or {"CMD-SHELL", LINE}; empty or {"NONE"}: none is run
  std::int64_t interval = 0;
  std::int64_t timeout = 0;
  std::int64_t start_period = 0;    // failures do not count during it
  std::int64_t start_interval = 0;  // between checks during it
  int retries = 0;                  // failures in a row that make it unhealthy
};
BOOST_DESCRIBE_STRUCT(HealthSpec, (), (test, interval, timeout, start_period, start_interval, retries))

// A listening address that starts the container and runs a program inside with the accepted socket as its standard
// input, output and error.
struct ActivationSpec {
  std::string name;
  std::string listen;  // "0.0.0.0:2010", "127.0.0.1:2010", "[::]:2010"
  ProcessSpec exec;
  int max_connections = 64;
};
BOOST_DESCRIBE_STRUCT(ActivationSpec, (), (name, listen, exec, max_connections))

// What the container is and runs.
struct ContainerIdentity {
  std::string id;    // 64 hex digits
  std::string name;  // without Docker's leading slash
  Time created;
  std::string image;     // as it was asked for
  std::string image_id;  // sha256:...

  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  ProcessSpec process;  // args = entrypoint + cmd; env and the rest already merged with the image's
  std::string hostname;
  std::string domainname;
  std::map<std::string, std::string> labels;
  std::vector<std::string> exposed_ports;  // "80/tcp"
  std::vector<std::string> volumes;        // anonymous volumes' targets, as asked or from the image
  std::string stop_signal;                 // empty: SIGTERM
  std::optional<int> stop_timeout;         // seconds; absent: 10
  bool open_stdin = false;
  bool stdin_once = false;
  bool attach_stdin = false;
  bool attach_stdout = false;
  bool attach_stderr = false;
  std::optional<HealthSpec> health;  // merged with the image's
  std::vector<std::string> shell;    // what CMD-SHELL runs its line with; empty: /bin/sh -c
};
BOOST_DESCRIBE_STRUCT(ContainerIdentity, (),
                      (id, name, created, image, image_id, entrypoint, cmd, process, hostname, domainname, labels,
                       exposed_ports, volumes, stop_signal, stop_timeout, open_stdin, stdin_once, attach_stdin,
                       attach_stdout, attach_stderr, health, shell))

// How it is kept apart from the host and from the others, and what it is given of the host.
struct ContainerHosting {
  std::string network = "bridge";        // bridge, none, host, workspaces, a network's name, or container:ID
  std::vector<AttachmentSpec> networks;  // where it is or will be, in the order of its interfaces
  std::vector<std::string> links;        // "NAME:ALIAS", on the network `bridge`
  std::vector<PortSpec> ports;
  bool publish_all = false;
  std::vector<std::string> extra_hosts;  // "name:ip"
  std::vector<std::string> dns;
  std::vector<std::string> dns_search;
  std::vector<std::string> dns_options;
  std::string mac_address;
  std::string pid_mode;       // "", host or container:ID
  std::string ipc_mode;       // "", private, shareable, none, host or container:ID
  std::string uts_mode;       // "" or host
  std::string cgroupns_mode;  // "", private or host
  std::string userns_mode;    // "" or host
  bool privileged = false;
  bool read_only_root = false;
  std::vector<std::string> cap_add;
  std::vector<std::string> cap_drop;
  bool no_new_privileges = false;
  bool seccomp_unconfined = false;
  bool init = false;
  bool auto_remove = false;
  std::map<std::string, std::string> tmpfs;  // target -> options
  std::vector<MountSpec> mounts;
  std::vector<DeviceSpec> devices;
  std::map<std::string, std::string> sysctls;
  ResourceSpec resources;
  std::int64_t shm_size = 0;  // bytes; 0: 64 MiB
  int oom_score_adj = 0;
  LogSpec log;
  RestartSpec restart;
  std::string runtime;                                     // empty: the engine's choice
  std::optional<std::vector<std::string>> masked_paths;    // absent: Docker's, filled in by the engine
  std::optional<std::vector<std::string>> readonly_paths;  // the same

  std::vector<ActivationSpec> activations;
  std::int64_t idle_timeout = 0;  // seconds without connection or process beyond PID 1 until it is stopped; 0: never
  bool guest_tools = false;       // mounts the guest tools at /.berth
  bool owned_by_portal = false;
  bool transient = false;  // a step of a build: it goes with the engine's process that runs the build

  // Chosen by the engine. 0 size: the host's user namespace.
  std::uint32_t userns_base = 0;
  std::uint32_t userns_size = 0;
};
BOOST_DESCRIBE_STRUCT(ContainerHosting, (),
                      (network, networks, links, ports, publish_all, extra_hosts, dns, dns_search, dns_options,
                       mac_address, pid_mode, ipc_mode, uts_mode, cgroupns_mode, userns_mode, privileged,
                       read_only_root, cap_add, cap_drop, no_new_privileges, seccomp_unconfined, init, auto_remove,
                       tmpfs, mounts, devices, sysctls, resources, shm_size, oom_score_adj, log, restart, runtime,
                       masked_paths, readonly_paths, activations, idle_timeout, guest_tools, owned_by_portal, transient,
                       userns_base, userns_size))

// Further ways of confining it, or of sharing with others and with the host.
struct ContainerSharing {
  std::vector<std::string> volumes_from;      // "CONTAINER[:ro]", as asked; their mounts are in `mounts` already
  std::vector<std::string> security_options;  // as asked, for inspect
  std::string seccomp_profile;                // Docker's JSON; empty: the engine's own
  std::string cgroup_parent;                  // empty: the engine's
  std::map<std::string, std::string> annotations;
  std::vector<DeviceRequestSpec> device_requests;
  std::vector<std::string> device_cgroup_rules;  // "c 1:3 rwm"
};
BOOST_DESCRIBE_STRUCT(ContainerSharing, (),
                      (volumes_from, security_options, seccomp_profile, cgroup_parent, annotations, device_requests,
                       device_cgroup_rules))

// On disk one flat object.
struct ContainerSpec : ContainerIdentity, ContainerHosting, ContainerSharing {};
BOOST_DESCRIBE_STRUCT(ContainerSpec, (ContainerIdentity, ContainerHosting, ContainerSharing), ())

// What create is asked for: a ContainerSpec in which id, created, image_id, process.args, userns_* and the image's
// defaults are not yet filled in; these tell apart "not given" from "given empty".
struct CreateRequest {
  ContainerSpec spec;
  std::optional<std::vector<std::string>> entrypoint;  // {""} resets the image's
  std::optional<std::vector<std::string>> cmd;
};

// What `update` changes: members that are 0, empty or absent stay as they are.
struct UpdateRequest {
  ResourceSpec resources;                  // pids_limit and ulimits of it are not looked at
  std::optional<std::int64_t> pids_limit;  // 0 takes the limit away
  std::optional<RestartSpec> restart;
};

}  // namespace berth::engine
