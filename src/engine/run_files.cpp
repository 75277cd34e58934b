#include "engine/run_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "engine/cdi.h"
#include "engine/devices.h"
#include "engine/join.h"
#include "engine/layered_file.h"
#include "engine/networks.h"
#include "engine/runtime_config.h"
#include "engine/shim_client.h"
#include "engine/users.h"
#include "fs/root_dir.h"
#include "fs/tree.h"
#include "fs/walk.h"
#include "network/guest_files.h"
#include "network/spec.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

constexpr const char* kInitPath = "/sbin/docker-init";
constexpr const char* kGuestTools = "/.berth";

struct Bind {
  std::string source;
  std::string target;
  bool read_only = false;
  bool idmap = true;
  std::string propagation;
  bool recursive = true;
  std::string mount_namespace;  // where source is looked up; empty: the host's
  std::string subpath;          // below source, which nothing in it leads out of
};

// Text files that the container's root owns, so that it may edit them.
Result<void> write_owned(const std::string& path, std::string_view text, std::uint32_t owner) {
  TRY_OK(sys::replace_file(path, text, 0644));
  if (::chown(path.c_str(), owner, owner) < 0) return fail_errno("chown " + path);
  return {};
}

std::string hosts_text(const Engine& engine, const ContainerSpec& spec, const std::vector<Link>& links,
                       const std::vector<network::Ip>& addresses) {
  std::vector<network::HostsEntry> extra;
  for (const std::string& line : spec.extra_hosts) {
    std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string address = line.substr(colon + 1);
    extra.push_back({address == kHostGateway ? host_gateway(engine) : address, {line.substr(0, colon)}});
  }
  for (const Link& link : links) extra.push_back({link.address, link.names});
  return network::hosts_file(spec.hostname, spec.domainname, extra, addresses);
}

Result<void> write_guest_files(const Engine& engine, const ContainerSpec& spec, const std::vector<Link>& links) {
  std::string files = engine.paths().files(spec.id);
  TRY_OK(sys::ensure_directories(files, 0711));
  network::DnsSpec dns{spec.dns, spec.dns_search, spec.dns_options};
  TRY_OK(write_owned(files + "/hosts", hosts_text(engine, spec, links, {}), spec.userns_base));
  TRY_OK(write_owned(files + "/hostname", network::hostname_file(spec.hostname), spec.userns_base));
  const char* own = wants_resolver(engine, spec) ? network::kResolverAddress : nullptr;
  return write_owned(files + "/resolv.conf", network::resolv_conf(network::read_host_resolv_conf(), dns, own),
                     spec.userns_base);
}

// A volume with the local driver's options is a directory of the host's (volume/volumes.h).
Result<void> use_device(const volume::Volume& volume, Bind& bind) {
  auto device = volume.options.find("device");
  if (device == volume.options.end()) return {};
  if (!sys::exists(device->second))
    return fail(ErrorCode::invalid,
                "error while mounting volume '{}': failed to mount local volume: mount {}: no such file or directory",
                volume.mountpoint, device->second);
  bind.source = device->second;
  auto words = volume.options.find("o");
  for (const std::string& word : split(words == volume.options.end() ? "" : words->second, ','))
    bind.read_only = bind.read_only || word == "ro";
  return {};
}

// The shim opens the path again, as below the root of the volume: what is in one, containers may change at any moment.
Result<void> check_subpath(const MountSpec& mount, const std::string& volume) {
  if (mount.subpath.empty()) return {};
  TRY(fs::RootDir root, fs::RootDir::open_host(volume));
  if (!root.stat(mount.subpath))
    return fail(ErrorCode::invalid, "cannot access path {}/{}: no such file or directory", volume, mount.subpath);
  return {};
}

Result<Bind> bind_of(const Engine& engine, const MountSpec& mount) {
  Bind bind{mount.source, mount.target, mount.read_only, true, mount.propagation, !mount.non_recursive, "", ""};
  if (mount.type == "volume") {
    TRY(volume::Volume volume, engine.parts().volumes.find(mount.source));
    bind.source = volume.mountpoint;
    TRY_OK(use_device(volume, bind));
    TRY_OK(check_subpath(mount, bind.source));
    bind.subpath = mount.subpath;
    return bind;
  }
  if (!sys::exists(mount.source)) {
    if (!mount.create_source)
      return fail(ErrorCode::invalid, "invalid mount config for type \"bind\": bind source path does not exist: {}",
                  mount.source);
    TRY_OK(sys::ensure_directories(mount.source, 0755));
  }
  return bind;
}

Result<std::vector<Bind>> binds_of(const Engine& engine, const Container& container, const std::string& files) {
  const ContainerSpec& spec = container.spec();
  std::vector<Bind> binds;
  auto overridden = [&](std::string_view target) {
    for (const MountSpec& mount : spec.mounts)
      if (mount.target == target) return true;
    return false;
  };
  for (const char* name : {"hosts", "hostname", "resolv.conf"})
    if (std::string target = std::string("/etc/") + name; !overridden(target))
      binds.push_back({files + "/" + name, target, false, false, "", true, "", ""});
  for (const MountSpec& mount : spec.mounts) {
    if (mount.type == "tmpfs") continue;
    TRY(Bind bind, bind_of(engine, mount));
    binds.push_back(std::move(bind));
  }
  if (spec.guest_tools) {
    if (engine.config().guest_tools_dir.empty() || !sys::exists(engine.config().guest_tools_dir))
      return fail(ErrorCode::unsupported, "the guest tools are not installed: scripts/quickstart builds them");
    binds.push_back({engine.config().guest_tools_dir, kGuestTools, true, true, "", true, "", ""});
  }
  if (spec.init) {
    if (engine.config().init_program.empty())
      return fail(ErrorCode::unsupported, "--init needs a small init program: apt-get install catatonit");
    binds.push_back({engine.config().init_program, kInitPath, true, true, "", true, "", ""});
  }
  return binds;
}

// ":U": everything in the mount is given to the container's user. The ids are the plain ones: the mount shifts them.
Result<void> give_away(const Bind& bind, const ProcessUser& user) {
  const std::string& source = bind.source;
  TRY(fs::RootDir root, fs::RootDir::open_host(source));
  TRY(sys::UniqueFd directory, root.open(bind.subpath.empty() ? "/" : bind.subpath, O_RDONLY | O_DIRECTORY));
  if (::fchown(directory.get(), user.uid, user.gid) < 0) return fail_errno("chown " + source);
  return fs::walk(directory.get(), [&](const fs::Visit& visit) -> Result<fs::Step> {
    if (::fchownat(visit.directory, visit.name.c_str(), user.uid, user.gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
      return fail_errno("chown " + source + "/" + visit.path);
    return fs::Step::into;
  });
}

Result<void> add_cdi(const ContainerSpec& spec, RuntimeInputs& inputs, std::vector<Bind>& binds) {
  std::vector<std::string> names;
  for (const DeviceRequestSpec& request : spec.device_requests)
    if (request.driver == "cdi") names.insert(names.end(), request.device_ids.begin(), request.device_ids.end());
  if (names.empty()) return {};
  TRY(CdiEdits edits, find_cdi_devices(names));
  inputs.devices.insert(inputs.devices.end(), edits.devices.begin(), edits.devices.end());
  inputs.env = std::move(edits.env);
  inputs.hooks = std::move(edits.hooks);
  for (CdiMount& mount : edits.mounts)
    binds.push_back({std::move(mount.source), std::move(mount.target), mount.read_only, true, "", true, "", ""});
  return {};
}

Result<void> give_away_mounts(const Engine& engine, const ContainerSpec& spec, const ProcessUser& user) {
  for (const MountSpec& mount : spec.mounts) {
    if (!mount.chown) continue;
    TRY(Bind bind, bind_of(engine, mount));
    TRY_OK(give_away(bind, user));
  }
  return {};
}

// The user is looked up in the files that the container will see.
Result<ProcessUser> user_of(const Container& container, const std::vector<std::string>& layers) {
  TRY(std::string passwd, read_layered_file(layers, container.upper_dir(), "etc", "passwd"));
  TRY(std::string group, read_layered_file(layers, container.upper_dir(), "etc", "group"));
  return resolve_user(container.spec().process.user, container.spec().process.groups, passwd, group);
}

ShimFields shim_fields(const Engine& engine, const Container& container, const Runtime& runtime,
                       const std::vector<std::string>& layers, const JoinedNamespaces& joined) {
  const ContainerSpec& spec = container.spec();
  const Paths& paths = engine.paths();
  std::string bundle = paths.bundle(spec.id);
  auto flag = [](bool value) { return std::string(value ? "1" : "0"); };
  ShimFields fields{{"id", spec.id},
                    {"runtime", runtime.path},
                    {"runtime_root", paths.runtime_root()},
                    {"bundle", bundle},
                    {"pid_file", paths.run(spec.id) + "/pid"},
                    {"tty", flag(spec.process.tty)},
                    {"open_stdin", flag(spec.open_stdin)},
                    {"stdin_once", flag(spec.stdin_once)},
                    {"log_driver", spec.log.driver == "none" ? "none" : "json-file"},
                    {"log_path", paths.log(spec.id)},
                    {"log_max_size", std::to_string(spec.log.max_size)},
                    {"log_max_files", std::to_string(spec.log.max_files)},
                    {"exit_file", paths.exit_file(spec.id)},
                    {"control_socket", paths.shim_socket(spec.id)},
                    {"netns", has_own_network(spec) ? "private" : "host"},
                    {"mounts_dir", bundle + "/mounts"},
                    {"rootfs", bundle + "/rootfs"}};
  if (spec.userns_size != 0) {
    fields.emplace_back("userns_base", std::to_string(spec.userns_base));
    fields.emplace_back("userns_size", std::to_string(spec.userns_size));
  }
  for (auto [key, path] : {std::pair{"join_user", &joined.user},
                           {"join_net", &joined.net},
                           {"join_pid", &joined.pid},
                           {"join_ipc", &joined.ipc}})
    if (!path->empty()) fields.emplace_back(key, *path);
  for (const std::string& path : runtime.hide) fields.emplace_back("hide", path);
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) fields.emplace_back("lower", *layer);
  fields.emplace_back("upper_dir", container.upper_dir());
  return fields;
}

}  // namespace

Result<RunFiles> make_run_files(const Engine& engine, const Container& container, const Runtime& runtime,
                                const std::vector<std::string>& layers) {
  const ContainerSpec& spec = container.spec();
  const Paths& paths = engine.paths();
  std::string bundle = paths.bundle(spec.id);
  TRY_OK(fs::remove_tree(paths.run(spec.id)));
  for (const std::string& directory : {paths.run(spec.id), bundle, bundle + "/mounts", bundle + "/rootfs"})
    TRY_OK(sys::make_directory(directory, 0711));
  TRY_OK(sys::ensure_directories(paths.exit_dir(spec.id), 0700));
  TRY_OK(sys::remove_file(paths.exit_file(spec.id)));
  // Who shares a network shares what the files say of it.
  std::string network_owner(joined_container(spec.network).value_or(spec.id));
  TRY(std::vector<Link> links, links_of(engine, spec));
  if (network_owner == spec.id) TRY_OK(write_guest_files(engine, spec, links));

  TRY(JoinedNamespaces joined, find_joined(engine, spec));
  TRY(std::vector<Bind> binds, binds_of(engine, container, paths.files(network_owner)));
  if (!joined.mount.empty()) binds.push_back({"/dev/shm", "/dev/shm", false, false, "", true, joined.mount, ""});
  ShimFields fields = shim_fields(engine, container, runtime, layers, joined);
  RuntimeInputs inputs;
  TRY(inputs.user, user_of(container, layers));
  TRY_OK(give_away_mounts(engine, spec, inputs.user));
  TRY(inputs.devices, find_devices(spec));
  TRY_OK(add_cdi(spec, inputs, binds));
  inputs.args = spec.process.args;
  if (spec.init) inputs.args.insert(inputs.args.begin(), {kInitPath, "--"});
  inputs.rootfs = bundle + "/rootfs";
  inputs.cgroup_path = cgroup_path(engine.config(), spec);
  inputs.available_capabilities = bounding_capabilities();
  inputs.host_has_mqueue = sys::exists("/dev/mqueue");
  if (runtime.takes_seccomp_program && spec.seccomp_profile.empty()) {
    // By the capabilities that were asked for, before the host's limits: what the profile is made from.
    TRY(std::set<std::string> capabilities, capabilities_of(spec));
    inputs.seccomp_program = engine.seccomp_program(capabilities);
  }
  for (std::size_t i = 0; i < binds.size(); ++i) {
    fields.emplace_back("bind_source", binds[i].source);
    fields.emplace_back("bind_idmap", binds[i].idmap && spec.userns_size != 0 ? "1" : "0");
    fields.emplace_back("bind_read_only", binds[i].read_only ? "1" : "0");
    if (!binds[i].recursive) fields.emplace_back("bind_recursive", "0");
    if (!binds[i].subpath.empty()) fields.emplace_back("bind_subpath", binds[i].subpath);
    if (!binds[i].mount_namespace.empty()) fields.emplace_back("bind_mount_namespace", binds[i].mount_namespace);
    inputs.binds.push_back(
        {fmt::format("{}/mounts/b/{}", bundle, i), binds[i].target, binds[i].read_only, binds[i].propagation});
  }
  for (const Link& link : links) inputs.env.insert(inputs.env.end(), link.env.begin(), link.env.end());
  TRY(json::Value config, runtime_config(spec, inputs));
  TRY_OK(sys::replace_file(bundle + "/config.template.json", json::print(config), 0600));
  TRY_OK(sys::replace_file(paths.shim_conf(spec.id), encode_shim_fields(fields), 0600));
  return RunFiles{paths.shim_conf(spec.id)};
}

bool has_own_network(const ContainerSpec& spec) {
  return spec.network != network::kHostNetwork && !joined_container(spec.network);
}

std::string cgroup_path(const EngineConfig& config, const ContainerSpec& spec) {
  std::string parent = spec.cgroup_parent.empty() ? config.cgroup_parent : "/" + fs::clean_path(spec.cgroup_parent);
  return parent + "/" + spec.id;
}

Result<void> edit_hosts_file(const Engine& engine, const Container& container, const HostsEdit& edit) {
  std::string path = engine.paths().files(container.id()) + "/hosts";
  TRY(std::string text, sys::read_file(path, 1 << 20));
  std::string kept;
  for (const std::string& line : split(text, '\n')) {
    bool gone = std::ranges::any_of(edit.remove, [&](network::Ip ip) { return line.starts_with(ip.text() + "\t"); });
    if (!gone && !line.empty()) kept += line + "\n";
  }
  const ContainerSpec& spec = container.spec();
  std::string names =
      spec.domainname.empty() ? spec.hostname : fmt::format("{0}.{1} {0}", spec.hostname, spec.domainname);
  for (network::Ip ip : edit.add) kept += ip.text() + "\t" + names + "\n";
  TRY(sys::UniqueFd fd, sys::open_file(path, O_WRONLY | O_TRUNC));
  return sys::write_all(fd.get(), kept);
}

Result<void> use_own_resolver(const Engine& engine, const Container& container) {
  const ContainerSpec& spec = container.spec();
  network::DnsSpec dns{spec.dns, spec.dns_search, spec.dns_options};
  TRY(sys::UniqueFd fd, sys::open_file(engine.paths().files(spec.id) + "/resolv.conf", O_WRONLY | O_TRUNC));
  return sys::write_all(fd.get(),
                        network::resolv_conf(network::read_host_resolv_conf(), dns, network::kResolverAddress));
}

}  // namespace berth::engine
