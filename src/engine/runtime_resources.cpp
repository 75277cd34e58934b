#include "engine/runtime_resources.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>

#include "base/text.h"

namespace berth::engine {

namespace {

json::Value device_rule(bool allow, std::string_view type, std::int64_t major, std::int64_t minor,
                        std::string_view access) {
  json::Object rule{{"allow", allow}, {"access", access}};
  if (!type.empty()) rule["type"] = type;
  if (major >= 0) rule["major"] = major;
  if (minor >= 0) rule["minor"] = minor;
  return rule;
}

struct DeviceRule {
  std::string type;
  std::int64_t major = -1;  // -1: any
  std::int64_t minor = -1;
  std::string access;
};

// "TYPE MAJOR:MINOR ACCESS", with * for any number.
Result<DeviceRule> parse_device_rule(const std::string& text) {
  auto bad = [&] { return fail(ErrorCode::invalid, "invalid device cgroup rule format: '{}'", text); };
  std::vector<std::string> words = split(text, ' ');
  if (words.size() != 3) return bad();
  DeviceRule rule{words[0], -1, -1, words[2]};
  auto [major, minor] = split_once(words[1], ':');
  if ((rule.type != "a" && rule.type != "b" && rule.type != "c") || !minor || rule.access.empty() ||
      rule.access.size() > 3 || rule.access.find_first_not_of("rwm") != std::string::npos)
    return bad();
  for (auto [word, number] : {std::pair{major, &rule.major}, {*minor, &rule.minor}}) {
    if (word == "*") continue;
    auto parsed = parse_number<std::uint32_t>(word);
    if (!parsed) return bad();
    *number = *parsed;
  }
  return rule;
}

json::Array device_rules(const ContainerSpec& spec, const std::vector<RuntimeDevice>& devices) {
  json::Array rules;
  if (spec.privileged) {
    rules.push_back(device_rule(true, "", -1, -1, "rwm"));
    return rules;
  }
  // null, zero, full, tty, urandom, random, ptmx, pts/*; making nodes is allowed, using others is not.
  static constexpr std::array<std::pair<int, int>, 8> kUsable = {
      {{1, 3}, {1, 5}, {1, 7}, {5, 0}, {1, 9}, {1, 8}, {5, 2}, {136, -1}}};
  rules.push_back(device_rule(false, "", -1, -1, "rwm"));
  for (auto [major, minor] : kUsable) rules.push_back(device_rule(true, "c", major, minor, "rwm"));
  rules.push_back(device_rule(true, "c", -1, -1, "m"));
  rules.push_back(device_rule(true, "b", -1, -1, "m"));
  for (const RuntimeDevice& device : devices)
    rules.push_back(device_rule(true, std::string(1, device.type), device.major, device.minor, device.access));
  for (const std::string& text : spec.device_cgroup_rules)
    if (auto rule = parse_device_rule(text))
      rules.push_back(device_rule(true, rule->type, rule->major, rule->minor, rule->access));
  return rules;
}

json::Value memory_of(const ResourceSpec& asked) {
  json::Object memory;
  if (asked.memory > 0) {
    memory["limit"] = asked.memory;
    // Docker: as much swap as memory unless told.
    memory["swap"] = asked.memory_swap != 0 ? asked.memory_swap : asked.memory * 2;
  }
  if (asked.memory_reservation > 0) memory["reservation"] = asked.memory_reservation;
  if (asked.memory_swappiness) memory["swappiness"] = *asked.memory_swappiness;
  if (asked.oom_kill_disable) memory["disableOOMKiller"] = true;
  return memory;
}

json::Value cpu_of(const ResourceSpec& asked) {
  constexpr std::int64_t kPeriod = 100'000;
  json::Object cpu;
  if (asked.nano_cpus > 0) {
    cpu["period"] = kPeriod;
    cpu["quota"] = asked.nano_cpus * kPeriod / 1'000'000'000;
  }
  if (asked.cpu_period > 0) cpu["period"] = asked.cpu_period;
  if (asked.cpu_quota != 0) cpu["quota"] = asked.cpu_quota;
  if (asked.cpu_shares > 0) cpu["shares"] = asked.cpu_shares;
  if (asked.cpu_rt_period > 0) cpu["realtimePeriod"] = asked.cpu_rt_period;
  if (asked.cpu_rt_runtime > 0) cpu["realtimeRuntime"] = asked.cpu_rt_runtime;
  if (!asked.cpuset_cpus.empty()) cpu["cpus"] = asked.cpuset_cpus;
  if (!asked.cpuset_mems.empty()) cpu["mems"] = asked.cpuset_mems;
  return cpu;
}

// A device that is gone by now is left out: create has checked them.
json::Array rates_of(const std::vector<DeviceRateSpec>& rates, std::string_view value_key) {
  json::Array list;
  for (const DeviceRateSpec& rate : rates) {
    struct stat status{};
    if (::stat(rate.path.c_str(), &status) < 0 || !S_ISBLK(status.st_mode)) continue;
    list.push_back(
        json::Object{{"major", major(status.st_rdev)}, {"minor", minor(status.st_rdev)}, {value_key, rate.rate}});
  }
  return list;
}

json::Value block_io_of(const ResourceSpec& asked) {
  json::Object io;
  if (asked.blkio_weight != 0) io["weight"] = asked.blkio_weight;
  auto put = [&](std::string_view key, const std::vector<DeviceRateSpec>& rates, std::string_view value_key) {
    if (json::Array list = rates_of(rates, value_key); !list.empty()) io[key] = std::move(list);
  };
  put("weightDevice", asked.blkio_weight_device, "weight");
  put("throttleReadBpsDevice", asked.blkio_read_bps, "rate");
  put("throttleWriteBpsDevice", asked.blkio_write_bps, "rate");
  put("throttleReadIOPSDevice", asked.blkio_read_iops, "rate");
  put("throttleWriteIOPSDevice", asked.blkio_write_iops, "rate");
  return io;
}

}  // namespace

Result<void> check_device_rule(const std::string& rule) {
  if (auto parsed = parse_device_rule(rule); !parsed) return std::unexpected(std::move(parsed).error());
  return {};
}

json::Value runtime_devices(const std::vector<RuntimeDevice>& devices) {
  json::Array list;
  for (const RuntimeDevice& device : devices)
    list.push_back(json::Object{{"path", device.path},
                                {"type", std::string(1, device.type)},
                                {"major", device.major},
                                {"minor", device.minor},
                                {"fileMode", device.mode},
                                {"uid", 0},
                                {"gid", 0}});
  return list;
}

json::Value runtime_resources(const ContainerSpec& spec, const std::vector<RuntimeDevice>& devices) {
  const ResourceSpec& asked = spec.resources;
  json::Object resources{{"devices", device_rules(spec, devices)}};
  auto put = [&](std::string_view key, json::Value value) {
    if (!value.get_object().empty()) resources[key] = std::move(value);
  };
  put("memory", memory_of(asked));
  put("cpu", cpu_of(asked));
  put("blockIO", block_io_of(asked));
  if (asked.pids_limit > 0) resources["pids"] = json::Object{{"limit", asked.pids_limit}};
  return resources;
}

}  // namespace berth::engine
