#include "docker/detail/host_config.h"

#include <algorithm>

#include "base/text.h"
#include "docker/detail/resources.h"
#include "docker/fields.h"
#include "network/spec.h"

namespace berth::docker::detail {

namespace {

using engine::ContainerSpec;
using Words = std::vector<std::string>;

Result<void> decode_namespaces(Fields& host, ContainerSpec& spec) {
  spec.pid_mode = host.take<std::string>("PidMode");
  spec.ipc_mode = host.take<std::string>("IpcMode");
  spec.uts_mode = host.take<std::string>("UTSMode");
  spec.userns_mode = host.take<std::string>("UsernsMode");
  spec.cgroupns_mode = host.take<std::string>("CgroupnsMode");
  std::string network = host.take<std::string>("NetworkMode");
  spec.network = network.empty() || network == "default" ? network::kBridgeNetwork : network;
  return {};
}

// "10m", a positive number of files, and what chooses attributes for `logs --details`.
Result<void> apply_log_option(const std::string& key, const std::string& text, engine::LogSpec& log) {
  const bool to_file = log.driver == "json-file" || log.driver == "local";
  if (key == "max-size" && to_file) {
    if (text == "-1") return {};
    TRY(log.max_size, parse_bytes(text));
  } else if (key == "max-file" && to_file) {
    auto files = parse_number<int>(text);
    if (!files || *files < 1) return fail(ErrorCode::invalid, "max-file cannot be less than 1");
    log.max_files = *files;
  } else if (key == "compress" && to_file) {
    if (text != "true" && text != "false")
      return fail(ErrorCode::invalid, "error parsing compress option: invalid value \"{}\"", text);
  } else if (key == "mode") {
    // Neither kind holds the container up here, unless its disk does.
    if (text != "blocking" && text != "non-blocking")
      return fail(ErrorCode::invalid, "logging mode \"{}\" is not valid: use blocking or non-blocking", text);
  } else if (key != "max-buffer-size" &&
             (log.driver != "json-file" || (key != "labels" && key != "env" && key != "tag"))) {
    return fail(ErrorCode::invalid, "unknown log opt '{}' for {} log driver", key, log.driver);
  }
  return {};
}

Result<void> decode_log(const json::Value* value, ContainerSpec& spec) {
  if (value == nullptr) return {};
  Fields fields(*value, "HostConfig.LogConfig");
  engine::LogSpec& log = spec.log;
  std::string driver = fields.take<std::string>("Type");
  if (!driver.empty()) log.driver = driver;
  log.options = fields.take<std::map<std::string, std::string>>("Config");
  if (log.driver == "local") {
    log.max_size = 20 << 20;
    log.max_files = 5;
  }
  for (const auto& [key, text] : log.options) TRY_OK(apply_log_option(key, text, log));
  return fields.finish();
}

Result<void> decode_tmpfs(Fields& host, ContainerSpec& spec) {
  spec.tmpfs = host.take<std::map<std::string, std::string>>("Tmpfs");
  for (const auto& [target, options] : spec.tmpfs)
    if (!target.starts_with('/'))
      return fail(ErrorCode::invalid, "invalid mount path: '{}' mount path must be absolute", target);
  return {};
}

}  // namespace

Result<void> decode_host_config(const json::Value& object, ContainerSpec& spec) {
  Fields host(object, "HostConfig");
  TRY_OK(decode_resources(host, spec.resources));
  TRY_OK(decode_security(host, spec));
  TRY_OK(decode_namespaces(host, spec));
  TRY_OK(decode_ports(host.take_value("PortBindings"), spec));
  TRY_OK(decode_log(host.take_value("LogConfig"), spec));
  if (const json::Value* restart = host.take_value("RestartPolicy")) {
    TRY(spec.restart, decode_restart(*restart));
  }
  TRY_OK(decode_devices(host, spec));
  TRY_OK(decode_tmpfs(host, spec));
  TRY_OK(decode_binds(host.take<Words>("Binds"), spec));
  if (const json::Value* mounts = host.take_value("Mounts")) TRY_OK(decode_mounts(*mounts, spec));
  spec.auto_remove = host.take<bool>("AutoRemove");
  spec.init = host.take<bool>("Init");
  spec.runtime = host.take<std::string>("Runtime");
  spec.publish_all = host.take<bool>("PublishAllPorts");
  spec.links = host.take<Words>("Links");
  spec.extra_hosts = host.take<Words>("ExtraHosts");
  TRY_OK(check_extra_hosts(spec.extra_hosts));
  spec.dns = host.take<Words>("Dns");
  spec.dns_search = host.take<Words>("DnsSearch");
  spec.dns_options = host.take<Words>("DnsOptions");
  spec.process.groups = host.take<Words>("GroupAdd");
  spec.sysctls = host.take<std::map<std::string, std::string>>("Sysctls");
  spec.shm_size = host.take<std::int64_t>("ShmSize");
  if (spec.shm_size < 0) return fail(ErrorCode::invalid, "SHM size can not be less than 0");
  spec.oom_score_adj = host.take<int>("OomScoreAdj");
  if (spec.oom_score_adj < -1000 || spec.oom_score_adj > 1000)
    return fail(ErrorCode::invalid, "Invalid value {}, range for oom score adj is [-1000, 1000]", spec.oom_score_adj);
  spec.volumes_from = host.take<Words>("VolumesFrom");
  spec.cgroup_parent = host.take<std::string>("CgroupParent");
  spec.annotations = host.take<std::map<std::string, std::string>>("Annotations");
  if (auto driver = host.take<std::string>("VolumeDriver"); !driver.empty() && driver != "local")
    return fail(ErrorCode::invalid, "error looking up volume plugin {}: plugin \"{}\" not found", driver, driver);
  if (!host.take<std::map<std::string, std::string>>("StorageOpt").empty())
    return fail(ErrorCode::invalid, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  std::string isolation = host.take<std::string>("Isolation");
  if (!isolation.empty() && isolation != "default")
    return fail(ErrorCode::invalid, "invalid isolation ({}): linux only supports 'default'", isolation);
  // The client's own matters: where it wrote the id, how large its terminal was.
  host.drop({"ContainerIDFile", "ConsoleSize"});
  return host.finish();
}

}  // namespace berth::docker::detail
