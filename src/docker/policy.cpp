#include "docker/policy.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "engine/join.h"

namespace berth::docker {

namespace {

// Sorted by tag of the API. Whatever is added to the API is denied to the portal until it is added here.
constexpr std::array<std::string_view, 38> kPortalRoutes = {
    "GET /_ping",
    "HEAD /_ping",
    "GET /version",
    "GET /info",
    "GET /events",
    "GET /containers/json",
    "POST /containers/create",
    "GET /containers/{id}/json",
    "GET /containers/{id}/logs",
    "GET /containers/{id}/stats",
    "GET /containers/{id}/top",
    "POST /containers/{id}/start",
    "POST /containers/{id}/stop",
    "POST /containers/{id}/restart",
    "POST /containers/{id}/kill",
    "POST /containers/{id}/pause",
    "POST /containers/{id}/unpause",
    "POST /containers/{id}/rename",
    "POST /containers/{id}/wait",
    "POST /containers/{id}/attach",
    "POST /containers/{id}/resize",
    "DELETE /containers/{id}",
    "HEAD /containers/{id}/archive",
    "GET /containers/{id}/archive",
    "PUT /containers/{id}/archive",
    "POST /containers/{id}/exec",
    "POST /exec/{id}/start",
    "POST /exec/{id}/resize",
    "GET /exec/{id}/json",
    "GET /images/json",
    "GET /images/{name...}/json",
    "GET /images/{name...}/history",
    "GET /volumes",
    "POST /volumes/create",
    "GET /volumes/{name}",
    "DELETE /volumes/{name}",
    "GET /networks",
    "GET /berth/v1/doctor",
};

constexpr int kFirstUnprivilegedPort = 1024;

std::unexpected<Error> refuse(std::string_view what) {
  return fail(ErrorCode::denied, "{} is not allowed through this socket", what);
}

// What other containers and the host would feel, or what would take a layer of confinement away.
Result<void> check_sharing(const engine::ContainerSpec& spec) {
  if (engine::joins_another(spec) || spec.ipc_mode == "shareable") return refuse("a namespace of another container");
  if (!spec.volumes_from.empty()) return refuse("VolumesFrom");
  if (!spec.device_requests.empty() || !spec.device_cgroup_rules.empty()) return refuse("a device of the host");
  if (!spec.seccomp_profile.empty()) return refuse("another seccomp profile");
  if (spec.masked_paths || spec.readonly_paths) return refuse("MaskedPaths or ReadonlyPaths");
  if (!spec.cgroup_parent.empty()) return refuse("CgroupParent");
  if (!spec.annotations.empty()) return refuse("an annotation for the runtime");
  if (spec.resources.cpu_rt_runtime != 0) return refuse("real-time processor time");
  for (const engine::MountSpec& mount : spec.mounts)
    if (!mount.volume_options.empty()) return refuse("a volume with driver options");
  return {};
}

Result<void> check_isolation(const engine::ContainerSpec& spec) {
  if (spec.privileged || spec.process.privileged) return refuse("a privileged container");
  if (spec.userns_mode == "host") return refuse("the host's user namespace");
  if (spec.pid_mode == "host" || spec.ipc_mode == "host" || spec.uts_mode == "host" || spec.cgroupns_mode == "host")
    return refuse("a namespace of the host");
  if (spec.network != network::kWorkspacesNetwork && spec.network != network::kNoneNetwork)
    return refuse(fmt::format("the network \"{}\"", spec.network));
  for (const engine::AttachmentSpec& attachment : spec.networks) {
    engine::AttachmentSpec plain;
    plain.network = attachment.network;
    if (attachment.network != spec.network) return refuse(fmt::format("the network \"{}\"", attachment.network));
    if (json::encode(attachment) != json::encode(plain)) return refuse("a setting of the network's endpoint");
  }
  if (!spec.links.empty()) return refuse("a link");
  if (!spec.mac_address.empty()) return refuse("a MAC address");
  if (!spec.cap_add.empty()) return refuse("an added capability");
  if (!spec.devices.empty()) return refuse("a device of the host");
  if (spec.seccomp_unconfined) return refuse("seccomp=unconfined");
  if (!spec.sysctls.empty()) return refuse("a sysctl");
  if (spec.oom_score_adj < 0) return refuse("a negative OomScoreAdj");
  if (spec.resources.oom_kill_disable) return refuse("OomKillDisable");
  if (!spec.runtime.empty()) return refuse("the choice of a runtime");
  return check_sharing(spec);
}

Result<void> check_portal_mounts(const engine::ContainerSpec& spec, const volume::Volumes& volumes) {
  for (const engine::MountSpec& mount : spec.mounts) {
    if (mount.type == "bind") return refuse("a bind of a host path");
    if (mount.type != "volume" || mount.source.empty()) continue;
    auto volume = volumes.find(mount.source);
    if (!volume || !sees(Access::portal, *volume))
      return fail(ErrorCode::not_found, "get {}: no such volume", mount.source);
  }
  return {};
}

Result<void> check_addresses(const engine::ContainerSpec& spec) {
  for (const engine::PortSpec& port : spec.ports)
    if (port.host_port != 0 && port.host_port < kFirstUnprivilegedPort) return refuse("a host port below 1024");
  for (const engine::ActivationSpec& activation : spec.activations) {
    std::size_t colon = activation.listen.rfind(':');
    auto port = parse_number<int>(colon == std::string::npos ? "" : activation.listen.substr(colon + 1));
    if (port.value_or(0) < kFirstUnprivilegedPort) return refuse("a host port below 1024");
    TRY_OK(check_exec(Access::portal, activation.exec));
  }
  return {};
}

}  // namespace

Result<void> check_route(Access access, std::string_view route) {
  if (access == Access::full || std::ranges::find(kPortalRoutes, route) != kPortalRoutes.end()) return {};
  return refuse(route);
}

bool sees(Access access, const engine::Container& container) {
  return access == Access::full || container.spec().owned_by_portal;
}

Result<void> check_sees(Access access, const engine::Container& container, std::string_view name) {
  if (sees(access, container)) return {};
  return fail(ErrorCode::not_found, "No such container: {}", name);
}

bool sees(Access access, const volume::Volume& volume) {
  if (access == Access::full) return true;
  auto owner = volume.labels.find(std::string(kPortalVolumeLabel));
  return owner != volume.labels.end() && owner->second == "portal";
}

Result<void> check_create(Access access, engine::ContainerSpec& spec, const volume::Volumes& volumes) {
  if (access == Access::full) return {};
  TRY_OK(check_isolation(spec));
  TRY_OK(check_portal_mounts(spec, volumes));
  TRY_OK(check_addresses(spec));
  spec.owned_by_portal = true;
  return {};
}

Result<void> check_exec(Access access, const engine::ProcessSpec& process) {
  if (access == Access::portal && process.privileged) return refuse("a privileged exec");
  return {};
}

}  // namespace berth::docker
