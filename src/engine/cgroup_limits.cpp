// Limits of a control group that exists, written to the kernel's files of cgroup v1 or v2
// (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst). Numbers are converted as the OCI runtimes convert them.
#include <algorithm>

#include "base/text.h"
#include "engine/cgroup.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr std::int64_t kPeriod = 100'000;  // microseconds; the kernel's default

struct Quota {
  std::int64_t quota = 0;  // microseconds; 0: unchanged, -1: none
  std::int64_t period = 0;
};

Quota quota_of(const ResourceSpec& limits) {
  if (limits.nano_cpus > 0) return {limits.nano_cpus * kPeriod / 1'000'000'000, kPeriod};
  return {limits.cpu_quota, limits.cpu_period};
}

// 2..262144 shares become 1..10000 weight.
std::int64_t weight_of_shares(std::int64_t shares) {
  return 1 + (std::clamp<std::int64_t>(shares, 2, 262'144) - 2) * 9999 / 262'142;
}

std::string number_or(std::int64_t value, std::string_view unlimited) {
  return value < 0 ? std::string(unlimited) : std::to_string(value);
}

struct Write {
  std::string file;
  std::string value;
};

Result<void> write_all(const std::string& directory, const std::vector<Write>& writes) {
  for (const Write& write : writes) TRY_OK(sys::write_value(directory + "/" + write.file, write.value));
  return {};
}

Result<void> set_unified(const std::string& directory, const ResourceSpec& limits) {
  std::vector<Write> writes;
  if (limits.memory > 0) {
    // memory.swap.max is swap alone. Docker's default is as much swap as memory.
    std::int64_t swap = limits.memory_swap == 0 ? limits.memory : limits.memory_swap - limits.memory;
    if (limits.memory_swap < 0) swap = -1;
    writes.push_back({"memory.max", std::to_string(limits.memory)});
    if (sys::exists(directory + "/memory.swap.max")) writes.push_back({"memory.swap.max", number_or(swap, "max")});
  }
  if (limits.memory_reservation > 0) writes.push_back({"memory.low", std::to_string(limits.memory_reservation)});
  if (limits.cpu_shares > 0) writes.push_back({"cpu.weight", std::to_string(weight_of_shares(limits.cpu_shares))});
  if (Quota cpu = quota_of(limits); cpu.quota != 0 || cpu.period != 0)
    writes.push_back({"cpu.max", fmt::format("{} {}", number_or(cpu.quota == 0 ? -1 : cpu.quota, "max"),
                                             cpu.period == 0 ? kPeriod : cpu.period)});
  if (!limits.cpuset_cpus.empty()) writes.push_back({"cpuset.cpus", limits.cpuset_cpus});
  if (!limits.cpuset_mems.empty()) writes.push_back({"cpuset.mems", limits.cpuset_mems});
  if (limits.pids_limit != 0) writes.push_back({"pids.max", number_or(limits.pids_limit, "max")});
  if (limits.blkio_weight != 0) writes.push_back({"io.bfq.weight", std::to_string(limits.blkio_weight)});
  return write_all(directory, writes);
}

// The kernel refuses memory over memory and swap together at every moment, so the one that grows goes last.
Result<void> set_memory(const std::string& directory, const ResourceSpec& limits) {
  std::int64_t both = limits.memory_swap == 0 ? limits.memory * 2 : limits.memory_swap;
  Write memory{"memory.limit_in_bytes", std::to_string(limits.memory)};
  Write swap{"memory.memsw.limit_in_bytes", std::to_string(both)};
  if (!sys::exists(directory + "/" + swap.file)) return write_all(directory, {memory});
  auto text = sys::read_file(directory + "/" + swap.file);
  auto now = text ? parse_number<std::uint64_t>(trim(*text)) : std::nullopt;
  bool grows = both < 0 || (now && static_cast<std::uint64_t>(both) > *now);
  return grows ? write_all(directory, {swap, memory}) : write_all(directory, {memory, swap});
}

}  // namespace

Result<void> Cgroup::set_limits(const ResourceSpec& limits) const {
  if (layout_.unified) return set_unified(directory(""), limits);
  if (limits.memory > 0) TRY_OK(set_memory(directory("memory"), limits));
  if (limits.memory_reservation > 0)
    TRY_OK(write_all(directory("memory"), {{"memory.soft_limit_in_bytes", std::to_string(limits.memory_reservation)}}));
  std::vector<Write> cpu, cpuset;
  if (limits.cpu_shares > 0) cpu.push_back({"cpu.shares", std::to_string(limits.cpu_shares)});
  Quota quota = quota_of(limits);
  if (quota.period != 0) cpu.push_back({"cpu.cfs_period_us", std::to_string(quota.period)});
  if (quota.quota != 0) cpu.push_back({"cpu.cfs_quota_us", std::to_string(quota.quota)});
  if (limits.cpu_rt_period != 0) cpu.push_back({"cpu.rt_period_us", std::to_string(limits.cpu_rt_period)});
  if (limits.cpu_rt_runtime != 0) cpu.push_back({"cpu.rt_runtime_us", std::to_string(limits.cpu_rt_runtime)});
  TRY_OK(write_all(directory("cpu"), cpu));
  if (!limits.cpuset_cpus.empty()) cpuset.push_back({"cpuset.cpus", limits.cpuset_cpus});
  if (!limits.cpuset_mems.empty()) cpuset.push_back({"cpuset.mems", limits.cpuset_mems});
  TRY_OK(write_all(directory("cpuset"), cpuset));
  if (limits.pids_limit != 0) TRY_OK(write_all(directory("pids"), {{"pids.max", number_or(limits.pids_limit, "max")}}));
  if (limits.blkio_weight != 0)
    TRY_OK(write_all(directory("blkio"), {{"blkio.weight", std::to_string(limits.blkio_weight)}}));
  return {};
}

}  // namespace berth::engine
