// Binds, Mounts and NetworkingConfig of a create request.
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "docker/detail/host_config.h"
#include "docker/fields.h"
#include "network/spec.h"
#include "volume/volumes.h"

namespace berth::docker::detail {

namespace {

using engine::ContainerSpec;
using engine::MountSpec;

bool is_propagation(std::string_view word) {
  constexpr std::string_view kWords[] = {"private", "rprivate", "shared", "rshared", "slave", "rslave"};
  return std::ranges::find(kWords, word) != std::end(kWords);
}

Result<void> apply_bind_option(std::string_view option, MountSpec& mount) {
  if (option == "ro")
    mount.read_only = true;
  else if (option == "nocopy")
    mount.copy_up = false;
  else if (option == "U")
    mount.chown = true;
  else if (is_propagation(option))
    mount.propagation = option;
  // SELinux labels and what Docker Desktop once tuned by: accepted by Docker everywhere, of no effect here.
  else if (option != "rw" && option != "z" && option != "Z" && option != "cached" && option != "delegated" &&
           option != "consistent" && option != "copy")
    return fail(ErrorCode::invalid, "invalid mode: {}", option);
  return {};
}

Result<MountSpec> parse_bind(const std::string& bind) {
  std::vector<std::string> parts = split(bind, ':');
  MountSpec mount;
  if (parts.size() == 1) {
    mount.target = parts[0];
  } else {
    mount.source = parts[0];
    mount.target = parts[1];
  }
  if (parts.size() > 3 || mount.target.empty() || (parts.size() > 1 && mount.source.empty()))
    return fail(ErrorCode::invalid, "invalid volume specification: '{}'", bind);
  if (parts.size() == 3) {
    for (const std::string& option : split(parts[2], ',')) TRY_OK(apply_bind_option(option, mount));
    mount.mode = parts[2];
  }
  if (mount.source.starts_with('/')) {
    mount.type = "bind";
    mount.create_source = true;
  } else {
    mount.type = "volume";
    if (!mount.source.empty()) TRY_OK(volume::check_name(mount.source));
    if (mount.mode.empty()) mount.mode = "z";
  }
  return mount;
}

Result<void> apply_bind_options(const json::Value* value, MountSpec& mount) {
  if (value == nullptr) return {};
  Fields options(*value, "HostConfig.Mounts.BindOptions");
  mount.propagation = options.take<std::string>("Propagation");
  mount.create_source = options.take<bool>("CreateMountpoint");
  mount.non_recursive = options.take<bool>("NonRecursive");
  // A read-only bind here is read-only all the way down, which is what ForceRecursive asks for.
  options.drop({"ReadOnlyForceRecursive"});
  if (!mount.propagation.empty() && !is_propagation(mount.propagation))
    return fail(ErrorCode::invalid, "invalid mount config for type \"bind\": invalid propagation: {}",
                mount.propagation);
  return options.finish();
}

Result<void> apply_volume_options(const json::Value* value, MountSpec& mount) {
  if (value == nullptr) return {};
  Fields options(*value, "HostConfig.Mounts.VolumeOptions");
  mount.copy_up = !options.take<bool>("NoCopy");
  mount.subpath = options.take<std::string>("Subpath");
  if (mount.subpath.starts_with('/') || (mount.subpath + "/").find("../") == 0 ||
      mount.subpath.find("/../") != std::string::npos)
    return fail(ErrorCode::invalid,
                "invalid mount config for type \"volume\": invalid subpath: {}: subpath must be a relative path within "
                "the volume",
                mount.subpath);
  mount.volume_labels = options.take<std::map<std::string, std::string>>("Labels");
  if (const json::Value* driver = options.take_value("DriverConfig")) {
    Fields fields(*driver, "HostConfig.Mounts.VolumeOptions.DriverConfig");
    std::string name = fields.take<std::string>("Name");
    if (!name.empty() && name != "local")
      return fail(ErrorCode::invalid, "error looking up volume plugin {}: plugin \"{}\" not found", name, name);
    mount.volume_options = fields.take<std::map<std::string, std::string>>("Options");
    TRY_OK(fields.finish());
  }
  return options.finish();
}

Result<void> apply_tmpfs_options(const json::Value* value, MountSpec& mount) {
  if (value == nullptr) return {};
  Fields options(*value, "HostConfig.Mounts.TmpfsOptions");
  std::vector<std::string> words;
  if (auto size = options.take<std::int64_t>("SizeBytes"); size > 0) words.push_back(fmt::format("size={}", size));
  if (auto mode = options.take<unsigned>("Mode"); mode > 0) words.push_back(fmt::format("mode={:o}", mode));
  mount.options = join(words, ",");
  return options.finish();
}

Result<MountSpec> decode_mount(const json::Value& value) {
  Fields fields(value, "HostConfig.Mounts");
  MountSpec mount;
  mount.type = fields.take<std::string>("Type");
  mount.source = fields.take<std::string>("Source");
  mount.target = fields.take<std::string>("Target");
  mount.read_only = fields.take<bool>("ReadOnly");
  fields.drop({"Consistency"});
  if (mount.type != "bind" && mount.type != "volume" && mount.type != "tmpfs")
    return fail(ErrorCode::invalid, "mount type unknown: \"{}\"", mount.type);
  TRY_OK(apply_bind_options(fields.take_value("BindOptions"), mount));
  TRY_OK(apply_volume_options(fields.take_value("VolumeOptions"), mount));
  TRY_OK(apply_tmpfs_options(fields.take_value("TmpfsOptions"), mount));
  TRY_OK(fields.finish());
  auto bad = [&mount](std::string_view why) {
    return fail(ErrorCode::invalid, "invalid mount config for type \"{}\": {}", mount.type, why);
  };
  if (mount.target.empty()) return bad("field Target must not be empty");
  if (mount.type == "bind" && mount.source.empty()) return bad("field Source must not be empty");
  if (mount.type == "tmpfs" && !mount.source.empty()) return bad("field Source must not be specified");
  if (mount.type == "volume" && !mount.source.empty()) TRY_OK(volume::check_name(mount.source));
  if (mount.type == "bind" && !mount.create_source && ::access(mount.source.c_str(), F_OK) != 0)
    return bad("bind source path does not exist: " + mount.source);
  return mount;
}

}  // namespace

Result<void> decode_binds(const std::vector<std::string>& binds, ContainerSpec& spec) {
  for (const std::string& bind : binds) {
    TRY(MountSpec mount, parse_bind(bind));
    spec.mounts.push_back(std::move(mount));
  }
  return {};
}

Result<void> decode_mounts(const json::Value& array, ContainerSpec& spec) {
  if (!array.is_array()) return json::detail::wrong_type("HostConfig.Mounts", "array");
  for (const json::Value& value : array.get_array()) {
    TRY(MountSpec mount, decode_mount(value));
    spec.mounts.push_back(std::move(mount));
  }
  return {};
}

}  // namespace berth::docker::detail
