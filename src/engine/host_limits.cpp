#include "engine/host_limits.h"

#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

// Which limits there are.
struct HostLimits {
  bool memory = false;
  bool swap = false;
  bool swappiness = false;
  bool oom_control = false;
  bool cpu_shares = false;
  bool cpu_realtime = false;
  bool pids = false;
  bool io_weight = false;
  bool io_throttle = false;
};

HostLimits limits_of(const CgroupLayout& layout) {
  if (layout.unified) {
    auto text = sys::read_file(layout.unified_path + "/cgroup.controllers");
    std::string controllers = " " + std::string(trim(text.value_or(""))) + " ";
    auto has = [&](std::string_view name) { return controllers.find(fmt::format(" {} ", name)) != std::string::npos; };
    return {.memory = has("memory"),
            .swap = has("memory"),
            .cpu_shares = has("cpu"),
            .pids = has("pids"),
            .io_weight = has("io"),
            .io_throttle = has("io")};
  }
  auto has = [&](const char* controller, std::string_view file) {
    auto point = layout.v1.find(controller);
    return point != layout.v1.end() && (file.empty() || sys::exists(fmt::format("{}/{}", point->second, file)));
  };
  return {.memory = has("memory", ""),
          .swap = has("memory", "memory.memsw.limit_in_bytes"),
          .swappiness = has("memory", "memory.swappiness"),
          .oom_control = has("memory", "memory.oom_control"),
          .cpu_shares = has("cpu", "cpu.shares"),
          .cpu_realtime = has("cpu", "cpu.rt_runtime_us"),
          .pids = has("pids", ""),
          .io_weight = has("blkio", "blkio.weight") || has("blkio", "blkio.bfq.weight"),
          .io_throttle = has("blkio", "blkio.throttle.read_bps_device")};
}

class Adapting {
 public:
  explicit Adapting(ResourceSpec& resources) : resources_(resources) {}

  // Takes a member back to its default when it was set and there is no such limit.
  template <class T>
  void drop(bool supported, T ResourceSpec::* member, std::string_view warning) {
    if (supported || resources_.*member == T{}) return;
    resources_.*member = T{};
    warnings.emplace_back(warning);
  }
  void drop_rates(bool supported, std::vector<DeviceRateSpec> ResourceSpec::* member, std::string_view warning) {
    if (supported || (resources_.*member).empty()) return;
    (resources_.*member).clear();
    warnings.emplace_back(warning);
  }

  std::vector<std::string> warnings;

 private:
  ResourceSpec& resources_;
};

}  // namespace

std::vector<std::string> adapt_to_host(ContainerSpec& spec, const CgroupLayout& layout) {
  const HostLimits host = limits_of(layout);
  ResourceSpec& resources = spec.resources;
  Adapting adapting(resources);
  adapting.drop(host.memory, &ResourceSpec::memory,
                "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation "
                "discarded.");
  if (resources.memory > 0 && resources.memory_swap != -1 && !host.swap) {
    resources.memory_swap = -1;
    adapting.warnings.emplace_back(
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without "
        "swap.");
  }
  adapting.drop(host.swappiness, &ResourceSpec::memory_swappiness,
                "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory "
                "swappiness discarded.");
  adapting.drop(host.memory, &ResourceSpec::memory_reservation,
                "Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation "
                "discarded.");
  adapting.drop(host.oom_control, &ResourceSpec::oom_kill_disable,
                "Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  if (resources.oom_kill_disable && resources.memory == 0)
    adapting.warnings.emplace_back(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running "
        "out of resources.");
  adapting.drop(host.pids, &ResourceSpec::pids_limit,
                "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit "
                "discarded.");
  adapting.drop(host.cpu_shares, &ResourceSpec::cpu_shares,
                "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.");
  adapting.drop(host.io_weight, &ResourceSpec::blkio_weight,
                "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
  adapting.drop_rates(
      host.io_weight, &ResourceSpec::blkio_weight_device,
      "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device "
      "discarded.");
  adapting.drop_rates(host.io_throttle, &ResourceSpec::blkio_read_bps,
                      "Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O "
                      "BPS read limit discarded.");
  adapting.drop_rates(host.io_throttle, &ResourceSpec::blkio_write_bps,
                      "Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. Block I/O "
                      "BPS write limit discarded.");
  adapting.drop_rates(host.io_throttle, &ResourceSpec::blkio_read_iops,
                      "Your kernel does not support IOPS Block read limit or the cgroup is not mounted. Block I/O IOPS "
                      "read limit discarded.");
  adapting.drop_rates(host.io_throttle, &ResourceSpec::blkio_write_iops,
                      "Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O "
                      "IOPS write limit discarded.");
  if (spec.network == "host" && !spec.ports.empty())
    adapting.warnings.emplace_back("Published ports are discarded when using host network mode");
  return std::move(adapting.warnings);
}

Result<void> check_against_host(const ContainerSpec& spec, const CgroupLayout& layout) {
  const ResourceSpec& resources = spec.resources;
  if (resources.cpu_rt_period == 0 && resources.cpu_rt_runtime == 0) return {};
  if (!limits_of(layout).cpu_realtime)
    return fail(ErrorCode::invalid, "Your kernel does not support cgroup cpu real-time {}",
                resources.cpu_rt_period != 0 ? "period" : "runtime");
  if (resources.cpu_rt_period != 0 && resources.cpu_rt_runtime > resources.cpu_rt_period)
    return fail(ErrorCode::invalid, "cpu real-time runtime cannot be higher than cpu real-time period");
  return {};
}

}  // namespace berth::engine
