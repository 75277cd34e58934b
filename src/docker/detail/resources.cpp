#include "docker/detail/resources.h"

#include <algorithm>

namespace berth::docker::detail {

namespace {

using engine::DeviceRateSpec;
using engine::ResourceSpec;

// {"Path": "/dev/sda", "Rate": 1048576}; weights are called Weight.
Result<std::vector<DeviceRateSpec>> decode_rates(Fields& host, std::string_view key, std::string_view value_key) {
  std::vector<DeviceRateSpec> rates;
  auto list = host.take<std::vector<json::Value>>(key);
  for (const json::Value& value : list) {
    Fields fields(value, host.path_of(key));
    rates.push_back({fields.take<std::string>("Path"), fields.take<std::uint64_t>(value_key)});
    TRY_OK(fields.finish());
  }
  return rates;
}

json::Value print_rates(const std::vector<DeviceRateSpec>& rates, std::string_view value_key) {
  json::Array shown;
  for (const DeviceRateSpec& rate : rates) shown.push_back(json::Object{{"Path", rate.path}, {value_key, rate.rate}});
  return shown;
}

Result<void> decode_block_io(Fields& host, ResourceSpec& resources) {
  resources.blkio_weight = host.take<std::uint16_t>("BlkioWeight");
  TRY(resources.blkio_weight_device, decode_rates(host, "BlkioWeightDevice", "Weight"));
  TRY(resources.blkio_read_bps, decode_rates(host, "BlkioDeviceReadBps", "Rate"));
  TRY(resources.blkio_write_bps, decode_rates(host, "BlkioDeviceWriteBps", "Rate"));
  TRY(resources.blkio_read_iops, decode_rates(host, "BlkioDeviceReadIOps", "Rate"));
  TRY(resources.blkio_write_iops, decode_rates(host, "BlkioDeviceWriteIOps", "Rate"));
  return {};
}

void decode_numbers(Fields& host, ResourceSpec& resources) {
  resources.memory = host.take<std::int64_t>("Memory");
  resources.memory_swap = host.take<std::int64_t>("MemorySwap");
  resources.memory_reservation = host.take<std::int64_t>("MemoryReservation");
  resources.nano_cpus = host.take<std::int64_t>("NanoCpus");
  resources.cpu_shares = host.take<std::int64_t>("CpuShares");
  resources.cpu_period = host.take<std::int64_t>("CpuPeriod");
  resources.cpu_quota = host.take<std::int64_t>("CpuQuota");
  resources.cpu_rt_period = host.take<std::int64_t>("CpuRealtimePeriod");
  resources.cpu_rt_runtime = host.take<std::int64_t>("CpuRealtimeRuntime");
  resources.cpuset_cpus = host.take<std::string>("CpusetCpus");
  resources.cpuset_mems = host.take<std::string>("CpusetMems");
  resources.oom_kill_disable = host.take<bool>("OomKillDisable");
  // -1 is what the clients send for "not set".
  resources.memory_swappiness = host.take<std::optional<std::int64_t>>("MemorySwappiness");
  if (resources.memory_swappiness == -1) resources.memory_swappiness.reset();
  // Withdrawn from Docker's API: without effect there too.
  host.drop({"KernelMemory", "KernelMemoryTCP"});
}

}  // namespace

Result<void> decode_resources(Fields& host, ResourceSpec& resources) {
  decode_numbers(host, resources);
  // -1 and 0 both say "no limit".
  resources.pids_limit = std::max<std::int64_t>(host.take<std::int64_t>("PidsLimit"), 0);
  auto ulimits = host.take<std::vector<json::Value>>("Ulimits");
  for (const json::Value& value : ulimits) {
    Fields ulimit(value, "HostConfig.Ulimits");
    resources.ulimits.push_back(
        {ulimit.take<std::string>("Name"), ulimit.take<std::int64_t>("Soft"), ulimit.take<std::int64_t>("Hard")});
    TRY_OK(ulimit.finish());
  }
  return decode_block_io(host, resources);
}

Result<engine::RestartSpec> decode_restart(const json::Value& object) {
  Fields fields(object, "HostConfig.RestartPolicy");
  engine::RestartSpec restart;
  std::string name = fields.take<std::string>("Name");
  if (!name.empty()) restart.name = name;
  restart.maximum_retries = fields.take<int>("MaximumRetryCount");
  TRY_OK(fields.finish());
  return restart;
}

Result<engine::UpdateRequest> decode_update(const json::Value& body) {
  if (body.is_null()) return fail(ErrorCode::invalid, "invalid JSON: got EOF while reading request body");
  engine::UpdateRequest request;
  Fields fields(body, "");
  decode_numbers(fields, request.resources);
  request.resources.blkio_weight = fields.take<std::uint16_t>("BlkioWeight");
  if (auto pids = fields.take<std::optional<std::int64_t>>("PidsLimit"))
    request.pids_limit = std::max<std::int64_t>(*pids, 0);
  if (const json::Value* restart = fields.take_value("RestartPolicy"); restart != nullptr && !is_unset(*restart)) {
    TRY(request.restart, decode_restart(*restart));
  }
  TRY_OK(fields.finish());
  return request;
}

void print_resources(const ResourceSpec& resources, json::Object& host) {
  json::Array ulimits;
  for (const engine::UlimitSpec& limit : resources.ulimits)
    ulimits.push_back(json::Object{{"Name", limit.name}, {"Hard", limit.hard}, {"Soft", limit.soft}});
  host["CpuShares"] = resources.cpu_shares;
  host["Memory"] = resources.memory;
  host["NanoCpus"] = resources.nano_cpus;
  host["BlkioWeight"] = resources.blkio_weight;
  host["BlkioWeightDevice"] = print_rates(resources.blkio_weight_device, "Weight");
  host["BlkioDeviceReadBps"] = print_rates(resources.blkio_read_bps, "Rate");
  host["BlkioDeviceWriteBps"] = print_rates(resources.blkio_write_bps, "Rate");
  host["BlkioDeviceReadIOps"] = print_rates(resources.blkio_read_iops, "Rate");
  host["BlkioDeviceWriteIOps"] = print_rates(resources.blkio_write_iops, "Rate");
  host["CpuPeriod"] = resources.cpu_period;
  host["CpuQuota"] = resources.cpu_quota;
  host["CpuRealtimePeriod"] = resources.cpu_rt_period;
  host["CpuRealtimeRuntime"] = resources.cpu_rt_runtime;
  host["CpusetCpus"] = resources.cpuset_cpus;
  host["CpusetMems"] = resources.cpuset_mems;
  host["MemoryReservation"] = resources.memory_reservation;
  host["MemorySwap"] = resources.memory_swap;
  host["MemorySwappiness"] =
      resources.memory_swappiness ? json::Value(*resources.memory_swappiness) : json::Value(nullptr);
  host["OomKillDisable"] = resources.oom_kill_disable;
  host["PidsLimit"] = resources.pids_limit == 0 ? json::Value(nullptr) : json::Value(resources.pids_limit);
  host["Ulimits"] = std::move(ulimits);
  host["CpuCount"] = 0;
  host["CpuPercent"] = 0;
  host["IOMaximumIOps"] = 0;
  host["IOMaximumBandwidth"] = 0;
}

}  // namespace berth::docker::detail
