#include "engine/defaults.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "engine/health.h"
#include "engine/runtime_config.h"
#include "engine/signals.h"
#include "fs/root_dir.h"

namespace berth::engine {

namespace {

constexpr std::string_view kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view variable_name(std::string_view variable) { return split_once(variable, '=').first; }

// Later ones replace earlier ones of the same name, at the earlier one's place.
void merge_env(std::vector<std::string>& env, const std::vector<std::string>& more) {
  for (const std::string& variable : more) {
    auto same = std::find_if(env.begin(), env.end(),
                             [&](const auto& e) { return variable_name(e) == variable_name(variable); });
    // "-e NAME" without a value takes the variable away; it is kept as asked, and no process gets it.
    bool has_value = variable.find('=') != std::string::npos;
    if (same == env.end())
      env.push_back(variable);
    else if (has_value)
      *same = variable;
    else
      env.erase(same);
  }
}

void complete_process(CreateRequest& request, const oci::ContainerDefaults& image) {
  ContainerSpec& spec = request.spec;
  bool reset = request.entrypoint && request.entrypoint->size() == 1 && request.entrypoint->front().empty();
  if (request.entrypoint && !request.entrypoint->empty()) {
    if (!reset) spec.entrypoint = *request.entrypoint;
    spec.cmd = request.cmd.value_or(std::vector<std::string>());
  } else {
    spec.entrypoint = image.entrypoint.value_or(std::vector<std::string>());
    spec.cmd = request.cmd && !request.cmd->empty() ? *request.cmd : image.cmd.value_or(std::vector<std::string>());
  }
  spec.process.args = spec.entrypoint;
  spec.process.args.insert(spec.process.args.end(), spec.cmd.begin(), spec.cmd.end());

  std::vector<std::string> asked = std::move(spec.process.env);
  spec.process.env = {std::string(kPath)};
  merge_env(spec.process.env, image.env);
  merge_env(spec.process.env, asked);
  if (spec.process.user.empty()) spec.process.user = image.user;
  if (spec.process.working_dir.empty()) spec.process.working_dir = image.working_dir;
  if (spec.stop_signal.empty()) spec.stop_signal = image.stop_signal;
  spec.shell = image.shell.value_or(std::vector<std::string>());
}

Result<void> complete_health(ContainerSpec& spec, const oci::ContainerDefaults& image) {
  std::optional<HealthSpec> of_image;
  if (image.healthcheck) {
    TRY(of_image, annotate(decode_health(*image.healthcheck), "the image's Healthcheck"));
  }
  spec.health = merge_health(std::move(spec.health), of_image);
  return {};
}

void complete_names(ContainerSpec& spec) {
  if (spec.uts_mode == "host" || spec.network == "host") {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    if (spec.hostname.empty()) spec.hostname = name;
  }
  if (spec.hostname.empty()) spec.hostname = spec.id.substr(0, 12);
}

void complete_paths(ContainerSpec& spec) {
  if (spec.privileged) {
    spec.masked_paths.emplace();
    spec.readonly_paths.emplace();
    return;
  }
  if (!spec.masked_paths)
    spec.masked_paths = {"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
                         "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
                         "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                         "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
  if (!spec.readonly_paths)
    spec.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

}  // namespace

Result<void> check_resources(const ResourceSpec& resources) {
  constexpr std::int64_t kLeastMemory = 6 << 20;
  if (resources.memory < 0 || (resources.memory > 0 && resources.memory < kLeastMemory))
    return fail(ErrorCode::invalid, "Minimum memory limit allowed is 6MB");
  if (resources.memory_swap > 0 && resources.memory == 0)
    return fail(ErrorCode::invalid, "You should always set the Memory limit when using Memoryswap limit");
  if (resources.memory_swap > 0 && resources.memory_swap < resources.memory)
    return fail(ErrorCode::invalid, "Minimum memoryswap limit should be larger than memory limit");
  long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (resources.nano_cpus < 0 || resources.nano_cpus > processors * 1'000'000'000LL)
    return fail(ErrorCode::invalid, "range of CPUs is from 0.01 to {}.00, as there are only {} CPUs available",
                processors, processors);
  if (resources.nano_cpus > 0 && (resources.cpu_quota != 0 || resources.cpu_period != 0))
    return fail(ErrorCode::invalid, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (resources.memory_reservation > 0 && resources.memory_reservation < kLeastMemory)
    return fail(ErrorCode::invalid, "Minimum memory reservation allowed is 6MB");
  if (resources.memory > 0 && resources.memory < resources.memory_reservation)
    return fail(ErrorCode::invalid, "Minimum memory limit can not be less than memory reservation limit, see usage");
  if (auto swappiness = resources.memory_swappiness; swappiness && (*swappiness < -1 || *swappiness > 100))
    return fail(ErrorCode::invalid, "Invalid value: {}, valid memory swappiness range is 0-100", *swappiness);
  if (resources.cpu_period != 0 && (resources.cpu_period < 1000 || resources.cpu_period > 1'000'000))
    return fail(ErrorCode::invalid,
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  if (resources.cpu_quota > 0 && resources.cpu_quota < 1000)
    return fail(ErrorCode::invalid, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (resources.blkio_weight != 0 && (resources.blkio_weight < 10 || resources.blkio_weight > 1000))
    return fail(ErrorCode::invalid, "Range of blkio weight is from 10 to 1000");
  return {};
}

Result<void> check_restart(const RestartSpec& restart) {
  auto is = [&](std::string_view name) { return restart.name == name; };
  if (!is("") && !is("no") && !is("always") && !is("on-failure") && !is("unless-stopped"))
    return fail(
        ErrorCode::invalid,
        "invalid restart policy: unknown policy '{}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        restart.name);
  if (restart.maximum_retries < 0)
    return fail(ErrorCode::invalid, "invalid restart policy: maximum retry count cannot be negative");
  if (restart.maximum_retries != 0 && !is("on-failure"))
    return fail(ErrorCode::invalid, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  return {};
}

namespace {

Result<void> check_mounts(const ContainerSpec& spec) {
  for (const MountSpec& mount : spec.mounts) {
    if (!mount.target.starts_with("/"))
      return fail(ErrorCode::invalid,
                  "invalid mount config for type \"{}\": invalid mount path: '{}' mount path must be absolute",
                  mount.type, mount.target);
    if (fs::clean_path(mount.target).empty())
      return fail(ErrorCode::invalid, "invalid volume specification: '{}': destination can't be '/'", mount.target);
    if (mount.type == "bind" && !mount.source.starts_with("/"))
      return fail(ErrorCode::invalid,
                  "invalid mount config for type \"bind\": invalid mount path: '{}' mount path must be absolute",
                  mount.source);
    if (mount.source.find('\n') != std::string::npos || mount.target.find('\n') != std::string::npos)
      return fail(ErrorCode::invalid, "invalid mount: a path holds a newline");
  }
  for (std::size_t i = 0; i < spec.mounts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (fs::clean_path(spec.mounts[i].target) == fs::clean_path(spec.mounts[j].target))
        return fail(ErrorCode::invalid, "Duplicate mount point: {}", spec.mounts[i].target);
  return {};
}

Result<void> check_modes(const ContainerSpec& spec) {
  auto one_of = [](std::string_view value, std::initializer_list<std::string_view> known) {
    return std::find(known.begin(), known.end(), value) != known.end();
  };
  if (!one_of(spec.pid_mode, {"", "host"}) && !joined_container(spec.pid_mode))
    return fail(ErrorCode::invalid, "invalid PID mode: {}", spec.pid_mode);
  if (!one_of(spec.ipc_mode, {"", "private", "shareable", "none", "host"}) && !joined_container(spec.ipc_mode))
    return fail(ErrorCode::invalid, "invalid IPC mode: {}", spec.ipc_mode);
  if (!one_of(spec.uts_mode, {"", "host"})) return fail(ErrorCode::invalid, "invalid UTS mode: {}", spec.uts_mode);
  if (!one_of(spec.userns_mode, {"", "host"}))
    return fail(ErrorCode::invalid, "invalid userns mode: {}", spec.userns_mode);
  if (!one_of(spec.cgroupns_mode, {"", "private", "host"}))
    return fail(ErrorCode::invalid, "invalid cgroup namespace mode: {}", spec.cgroupns_mode);
  if (!one_of(spec.log.driver, {"json-file", "local", "none"}))
    return fail(ErrorCode::invalid, "error looking up logging plugin {}: plugin \"{}\" not found", spec.log.driver,
                spec.log.driver);
  TRY_OK(check_restart(spec.restart));
  if (spec.auto_remove && !one_of(spec.restart.name, {"", "no"}))
    return fail(ErrorCode::invalid, "can't create 'AutoRemove' container with restart policy");
  if (spec.health) TRY_OK(check_health(*spec.health));
  if (!spec.stop_signal.empty()) {
    if (auto number = parse_signal(spec.stop_signal); !number) return std::unexpected(std::move(number).error());
  }
  return {};
}

}  // namespace

Result<void> complete(CreateRequest& request, const oci::ImageConfig& image) {
  ContainerSpec& spec = request.spec;
  complete_names(spec);
  complete_process(request, image.config);
  complete_paths(spec);
  TRY_OK(complete_health(spec, image.config));
  if (spec.process.args.empty()) return fail(ErrorCode::invalid, "no command specified");
  std::map<std::string, std::string> labels = image.config.labels;
  for (const auto& [key, value] : spec.labels) labels[key] = value;
  spec.labels = std::move(labels);
  for (const std::string& port : image.config.exposed_ports)
    if (std::find(spec.exposed_ports.begin(), spec.exposed_ports.end(), port) == spec.exposed_ports.end())
      spec.exposed_ports.push_back(port);
  for (const std::string& target : image.config.volumes)
    if (std::find(spec.volumes.begin(), spec.volumes.end(), target) == spec.volumes.end())
      spec.volumes.push_back(target);
  std::string& directory = spec.process.working_dir;
  if (!directory.empty() && !directory.starts_with("/"))
    return fail(ErrorCode::invalid, "the working directory '{}' is invalid, it needs to be an absolute path",
                directory);
  if (auto known = capabilities_of(spec); !known) return std::unexpected(std::move(known).error());
  TRY_OK(check_resources(spec.resources));
  TRY_OK(check_mounts(spec));
  return check_modes(spec);
}

}  // namespace berth::engine
