#include "engine/cdi.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

// Member names are the specification's.
struct Node {
  std::string path;
  std::string hostPath;
  std::string type;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> fileMode;
  std::string permissions = "rwm";
};
BOOST_DESCRIBE_STRUCT(Node, (), (path, hostPath, type, major, minor, fileMode, permissions))

struct Mount {
  std::string hostPath;
  std::string containerPath;
  std::vector<std::string> options;
};
BOOST_DESCRIBE_STRUCT(Mount, (), (hostPath, containerPath, options))

struct Hook {
  std::string hookName;
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;
};
BOOST_DESCRIBE_STRUCT(Hook, (), (hookName, path, args, env, timeout))

struct Edits {
  std::vector<std::string> env;
  std::vector<Node> deviceNodes;
  std::vector<Mount> mounts;
  std::vector<Hook> hooks;
};
BOOST_DESCRIBE_STRUCT(Edits, (), (env, deviceNodes, mounts, hooks))

struct Device {
  std::string name;
  Edits containerEdits;
};
BOOST_DESCRIBE_STRUCT(Device, (), (name, containerEdits))

struct File {
  std::string cdiVersion;
  std::string kind;
  std::vector<Device> devices;
  Edits containerEdits;
};
BOOST_DESCRIBE_STRUCT(File, (), (cdiVersion, kind, devices, containerEdits))

Result<File> read_cdi(const std::string& path) {
  TRY(std::string text, sys::read_file(path));
  TRY(json::Value value, json::parse(text));
  return json::decode<File>(value);
}

// A file that cannot be read takes its devices away, not those of the others.
std::vector<File> read_all(const std::vector<std::string>& directories) {
  std::vector<File> files;
  for (const std::string& directory : directories) {
    auto names = sys::list_directory(directory);
    if (!names) continue;
    for (const std::string& name : *names) {
      if (!name.ends_with(".json")) continue;
      auto file = read_cdi(directory + "/" + name);
      if (file)
        files.push_back(std::move(*file));
      else
        log::warning("CDI file not read", {{"path", directory + "/" + name}, {"error", file.error().text()}});
    }
  }
  return files;
}

Result<RuntimeDevice> device_of(const Node& node) {
  const std::string& source = node.hostPath.empty() ? node.path : node.hostPath;
  RuntimeDevice device{node.path, node.type == "b" ? 'b' : 'c', 0, 0, node.fileMode.value_or(0666), node.permissions};
  device.major = static_cast<std::uint32_t>(node.major);
  device.minor = static_cast<std::uint32_t>(node.minor);
  if (node.major != 0) return device;
  struct stat status{};
  if (::stat(source.c_str(), &status) < 0) return fail_errno("CDI device injection failed: " + source);
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode))
    return fail(ErrorCode::invalid, "CDI device injection failed: {} is not a device node", source);
  device.type = S_ISBLK(status.st_mode) ? 'b' : 'c';
  device.major = major(status.st_rdev);
  device.minor = minor(status.st_rdev);
  if (!node.fileMode) device.mode = status.st_mode & 07777u;
  return device;
}

Result<void> apply(const Edits& edits, CdiEdits& to) {
  to.env.insert(to.env.end(), edits.env.begin(), edits.env.end());
  for (const Node& node : edits.deviceNodes) {
    TRY(RuntimeDevice device, device_of(node));
    to.devices.push_back(std::move(device));
  }
  for (const Mount& mount : edits.mounts) {
    bool read_only = std::ranges::find(mount.options, "ro") != mount.options.end();
    to.mounts.push_back({mount.hostPath, mount.containerPath, read_only});
  }
  for (const Hook& hook : edits.hooks) {
    json::Object shown{{"path", hook.path}};
    if (!hook.args.empty()) shown["args"] = json::encode(hook.args);
    if (!hook.env.empty()) shown["env"] = json::encode(hook.env);
    if (hook.timeout) shown["timeout"] = *hook.timeout;
    json::Value& list = to.hooks[hook.hookName];
    if (!list.is_array()) list = json::Array{};
    list.get_array().push_back(std::move(shown));
  }
  return {};
}

}  // namespace

bool is_cdi_name(std::string_view name) {
  auto [kind, device] = split_once(name, '=');
  auto [vendor, type] = split_once(kind, '/');
  return device && !device->empty() && type && !type->empty() && !vendor.empty() &&
         type->find('/') == std::string_view::npos;
}

Result<CdiEdits> find_cdi_devices(const std::vector<std::string>& names, const std::vector<std::string>& directories) {
  std::vector<File> files = read_all(directories);
  CdiEdits edits;
  std::vector<std::string> missing;
  std::vector<const File*> used;
  for (const std::string& name : names) {
    auto [kind, wanted] = split_once(name, '=');
    bool found = false;
    for (const File& file : files) {
      if (file.kind != kind) continue;
      for (const Device& device : file.devices) {
        if (device.name != wanted || found) continue;
        found = true;
        // What all devices of a file need is added once.
        if (std::ranges::find(used, &file) == used.end()) {
          used.push_back(&file);
          TRY_OK(apply(file.containerEdits, edits));
        }
        TRY_OK(apply(device.containerEdits, edits));
      }
    }
    if (!found) missing.push_back(name);
  }
  if (!missing.empty())
    return fail(ErrorCode::invalid, "CDI device injection failed: unresolvable CDI devices {}", join(missing, ", "));
  return edits;
}

}  // namespace berth::engine
