// GET /containers/{id}/stats: what the control group and the network namespace count, once or every second.
#include <unistd.h>

#include "base/text.h"
#include "docker/api.h"
#include "docker/policy.h"
#include "sys/file.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

constexpr std::chrono::seconds kInterval{1};

// Processor time of the whole machine, in nanoseconds: the first line of /proc/stat (proc(5)).
std::uint64_t system_cpu_time() {
  auto text = sys::read_file("/proc/stat");
  if (!text) return 0;
  std::uint64_t ticks = 0;
  std::string_view line = std::string_view(*text).substr(0, text->find('\n'));
  int column = 0;
  for (const std::string& word : split(line, ' ')) {
    auto number = parse_number<std::uint64_t>(word);
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    if (number && column++ < 8) ticks += *number;
  }
  return ticks * (1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

// {"eth0": {...}} from /proc/PID/net/dev, which shows the namespace of PID.
json::Value print_interfaces(std::int64_t pid) {
  json::Object interfaces;
  auto text = sys::read_file(fmt::format("/proc/{}/net/dev", pid));
  if (!text) return interfaces;
  for (const std::string& line : split(*text, '\n')) {
    auto [name, rest] = split_once(line, ':');
    if (!rest || trim(name) == "lo") continue;
    std::vector<std::uint64_t> numbers;
    for (const std::string& word : split(*rest, ' '))
      if (auto number = parse_number<std::uint64_t>(word)) numbers.push_back(*number);
    if (numbers.size() < 12) continue;
    interfaces[trim(name)] = json::Object{
        {"rx_bytes", numbers[0]}, {"rx_packets", numbers[1]}, {"rx_errors", numbers[2]},  {"rx_dropped", numbers[3]},
        {"tx_bytes", numbers[8]}, {"tx_packets", numbers[9]}, {"tx_errors", numbers[10]}, {"tx_dropped", numbers[11]}};
  }
  return interfaces;
}

struct Sample {
  Time read;
  engine::CgroupStats stats;
  std::uint64_t system_cpu = 0;
};

json::Value print_cpu(const Sample& sample) {
  if (!sample.read.is_set())
    return json::Object{
        {"cpu_usage", json::Object{{"total_usage", 0}, {"usage_in_kernelmode", 0}, {"usage_in_usermode", 0}}},
        {"throttling_data", json::Object{{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
  return json::Object{
      {"cpu_usage", json::Object{{"total_usage", sample.stats.cpu_usage_ns},
                                 {"usage_in_kernelmode", sample.stats.cpu_system_ns},
                                 {"usage_in_usermode", sample.stats.cpu_user_ns}}},
      {"system_cpu_usage", sample.system_cpu},
      {"online_cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
      {"throttling_data", json::Object{{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
}

json::Value print_memory(const engine::CgroupStats& stats) {
  std::uint64_t machine =
      static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return json::Object{{"usage", stats.memory_usage},
                      {"max_usage", stats.memory_max_usage},
                      // Under both names: clients look for either, by the version of the host's cgroups.
                      {"stats", json::Object{{"inactive_file", stats.memory_inactive_file},
                                             {"total_inactive_file", stats.memory_inactive_file}}},
                      {"limit", stats.memory_limit == 0 ? machine : stats.memory_limit}};
}

json::Value print_io(const engine::CgroupStats& stats) {
  auto entry = [](const char* operation, std::uint64_t bytes) {
    return json::Object{{"major", 0}, {"minor", 0}, {"op", operation}, {"value", bytes}};
  };
  return json::Object{{"io_service_bytes_recursive",
                       json::Array{entry("read", stats.io_read_bytes), entry("write", stats.io_write_bytes)}},
                      {"io_serviced_recursive", nullptr},
                      {"io_queue_recursive", nullptr},
                      {"io_service_time_recursive", nullptr},
                      {"io_wait_time_recursive", nullptr},
                      {"io_merged_recursive", nullptr},
                      {"io_time_recursive", nullptr},
                      {"sectors_recursive", nullptr}};
}

json::Value print_stats(const engine::Container& container, const Sample& before, const Sample& now) {
  json::Object pids{{"current", now.stats.pids_current}};
  if (now.stats.pids_limit != 0) pids["limit"] = now.stats.pids_limit;
  return json::Object{{"name", "/" + container.spec().name},
                      {"id", container.id()},
                      {"read", format_rfc3339(now.read)},
                      {"preread", format_rfc3339(before.read)},
                      {"num_procs", 0},
                      {"pids_stats", std::move(pids)},
                      {"blkio_stats", print_io(now.stats)},
                      {"storage_stats", json::Object{}},
                      {"cpu_stats", print_cpu(now)},
                      {"precpu_stats", print_cpu(before)},
                      {"memory_stats", print_memory(now.stats)},
                      {"networks", print_interfaces(container.status().process.pid)}};
}

// A container that does not run has nothing to count; Docker answers with zeros and no time.
Sample take_sample(const engine::Container& container) {
  auto stats = container.stats();
  if (!stats) return {};
  return {.read = now(), .stats = *stats, .system_cpu = system_cpu_time()};
}

Task<Result<void>> stats(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  bool stream = exchange.request.query.truth("stream", true);
  bool one_shot = exchange.request.query.truth("one-shot");
  if (stream && one_shot) co_return fail(ErrorCode::invalid, "cannot have stream=true and one-shot=true");
  CO_TRY_OK(co_await exchange.start_stream(200, "application/json"));
  Sample before;
  if (!stream && !one_shot && container->running()) {
    before = take_sample(*container);
    co_await async::sleep_for(kInterval);
  }
  do {
    Sample sample = take_sample(*container);
    std::string line = json::print(print_stats(*container, before, sample)) + "\n";
    CO_TRY_OK(co_await exchange.write(line));
    before = sample;
    if (stream) co_await async::sleep_for(kInterval);
  } while (stream && !container->removed() && !co_await async::cancelled());
  co_return Result<void>();
}

}  // namespace

void add_stats_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /containers/{id}/stats", stats, {.on_gone = http::OnGone::cancel});
}

}  // namespace berth::docker
