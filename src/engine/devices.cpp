#include "engine/devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

std::unexpected<Error> bad_device(const std::string& path, std::string_view why) {
  return fail(ErrorCode::invalid, "error gathering device information while adding custom device \"{}\": {}", path,
              why);
}

std::optional<RuntimeDevice> device_at(const struct stat& status, std::string target, const std::string& access) {
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) return {};
  return RuntimeDevice{std::move(target),       S_ISBLK(status.st_mode) ? 'b' : 'c',
                       major(status.st_rdev),   minor(status.st_rdev),
                       status.st_mode & 07777u, access};
}

// Every node below the directory, in its place below target. What vanishes meanwhile is left out.
void collect(const std::string& directory, const std::string& target, const std::string& access,
             std::vector<RuntimeDevice>& found) {
  // Pseudo terminals, shared memory and queues are each container's own.
  static constexpr std::string_view kSkipped[] = {"pts", "shm", "fd", "mqueue", "console", "ptmx"};
  auto names = sys::list_directory(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    struct stat status{};
    std::string path = directory + "/" + name;
    if (::lstat(path.c_str(), &status) < 0) continue;
    if (directory == "/dev" && std::ranges::find(kSkipped, name) != std::end(kSkipped)) continue;
    if (S_ISDIR(status.st_mode))
      collect(path, target + "/" + name, access, found);
    else if (auto device = device_at(status, target + "/" + name, access))
      found.push_back(std::move(*device));
  }
}

}  // namespace

Result<std::vector<RuntimeDevice>> find_devices(const ContainerSpec& spec) {
  std::vector<RuntimeDevice> found;
  // All there are, as they are; what is asked for by name beside that changes nothing.
  if (spec.privileged) {
    collect("/dev", "/dev", "rwm", found);
    return found;
  }
  for (const DeviceRequestSpec& request : spec.device_requests) {
    if (request.driver == "cdi") continue;
    std::string sets;
    for (const auto& set : request.capabilities) sets += "[" + join(set, " ") + "]";
    return fail(ErrorCode::invalid, "could not select device driver \"{}\" with capabilities: [{}]", request.driver,
                sets);
  }
  for (const DeviceSpec& device : spec.devices) {
    struct stat status{};
    std::string target = device.container_path.empty() ? device.host_path : device.container_path;
    std::string access = device.permissions.empty() ? "rwm" : device.permissions;
    if (::stat(device.host_path.c_str(), &status) < 0)
      return bad_device(device.host_path, errno == ENOENT ? "no such file or directory" : std::strerror(errno));
    if (S_ISDIR(status.st_mode)) {
      collect(device.host_path, target, access, found);
      continue;
    }
    auto node = device_at(status, target, access);
    if (!node) return bad_device(device.host_path, "not a device node");
    found.push_back(std::move(*node));
  }
  return found;
}

}  // namespace berth::engine
