// What of HostConfig takes confinement from a container or adds to it: capabilities, security options, devices.
#include <algorithm>

#include "base/text.h"
#include "docker/detail/host_config.h"
#include "docker/fields.h"
#include "engine/runtime_resources.h"
#include "sys/file.h"

namespace berth::docker::detail {

namespace {

using engine::ContainerSpec;
using Words = std::vector<std::string>;

// AppArmor, where the host has it, confines no container here: a profile that was asked for would not be applied.
bool host_has_apparmor() {
  auto enabled = sys::read_file("/sys/module/apparmor/parameters/enabled");
  return enabled && trim(*enabled) == "Y";
}

Result<void> apply_seccomp(std::string_view value, ContainerSpec& spec) {
  if (value == "unconfined") {
    spec.seccomp_unconfined = true;
  } else if (value != "builtin") {
    TRY(json::Value profile, annotate(json::parse(value), "Decoding seccomp profile failed"));
    if (!profile.is_object() || json::string_or(profile, "defaultAction").empty())
      return fail(ErrorCode::invalid, "Decoding seccomp profile failed: it has no defaultAction");
    spec.seccomp_profile = std::string(value);
  }
  return {};
}

Result<void> apply_option(const std::string& option, ContainerSpec& spec) {
  if (option == "no-new-privileges") {
    spec.no_new_privileges = true;
    return {};
  }
  // SELinux labels nothing here, as with Docker where the host does without it.
  if (option == "disable") return {};
  // The older spelling has a colon.
  std::size_t separator = std::min(option.find('='), option.find(':'));
  if (separator == std::string::npos) return fail(ErrorCode::invalid, "invalid --security-opt 1: \"{}\"", option);
  std::string key = option.substr(0, separator), value = option.substr(separator + 1);
  if (key == "label") return {};
  if (key == "seccomp") return apply_seccomp(value, spec);
  if (key == "no-new-privileges") {
    if (value != "true" && value != "false")
      return fail(ErrorCode::invalid, "invalid --security-opt 2: \"{}\"", option);
    spec.no_new_privileges = value == "true";
    return {};
  }
  if (key == "apparmor") {
    if (value != "unconfined" && host_has_apparmor())
      return fail(ErrorCode::invalid, "invalid --security-opt: \"{}\" is not supported by this engine", option);
    return {};
  }
  return fail(ErrorCode::invalid, "invalid --security-opt 2: \"{}\"", option);
}

}  // namespace

Result<void> decode_security(Fields& host, ContainerSpec& spec) {
  spec.privileged = host.take<bool>("Privileged");
  spec.process.privileged = spec.privileged;
  spec.cap_add = host.take_words("CapAdd").value_or(Words());
  spec.cap_drop = host.take_words("CapDrop").value_or(Words());
  spec.read_only_root = host.take<bool>("ReadonlyRootfs");
  spec.security_options = host.take<Words>("SecurityOpt");
  for (const std::string& option : spec.security_options) TRY_OK(apply_option(option, spec));
  // null asks for the defaults; a list, an empty one too, for these paths alone.
  spec.masked_paths = host.take<std::optional<Words>>("MaskedPaths");
  spec.readonly_paths = host.take<std::optional<Words>>("ReadonlyPaths");
  return {};
}

Result<void> decode_devices(Fields& host, ContainerSpec& spec) {
  auto devices = host.take<std::vector<json::Value>>("Devices");
  for (const json::Value& value : devices) {
    Fields device(value, "HostConfig.Devices");
    spec.devices.push_back({device.take<std::string>("PathOnHost"), device.take<std::string>("PathInContainer"),
                            device.take<std::string>("CgroupPermissions")});
    TRY_OK(device.finish());
  }
  spec.device_cgroup_rules = host.take<Words>("DeviceCgroupRules");
  for (const std::string& rule : spec.device_cgroup_rules) TRY_OK(engine::check_device_rule(rule));
  auto requests = host.take<std::vector<json::Value>>("DeviceRequests");
  for (const json::Value& value : requests) {
    Fields fields(value, "HostConfig.DeviceRequests");
    engine::DeviceRequestSpec request;
    request.driver = fields.take<std::string>("Driver");
    request.count = fields.take<int>("Count");
    request.device_ids = fields.take<Words>("DeviceIDs");
    request.capabilities = fields.take<std::vector<Words>>("Capabilities");
    request.options = fields.take<std::map<std::string, std::string>>("Options");
    TRY_OK(fields.finish());
    spec.device_requests.push_back(std::move(request));
  }
  return {};
}

}  // namespace berth::docker::detail
