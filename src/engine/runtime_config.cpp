#include "engine/runtime_config.h"

#include <sys/prctl.h>

#include <algorithm>
#include "base/text.h"
#include "engine/runtime_resources.h"
#include "engine/seccomp.h"

namespace berth::engine {

namespace {

constexpr std::string_view kDefaultCapabilities =
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP "
    "CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE";
// In the kernel's order: the first is capability 0 (linux/capability.h).
constexpr std::string_view kAllCapabilities =
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP "
    "CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER "
    "CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE "
    "CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL "
    "CAP_SETFCAP "
    "CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF "
    "CAP_CHECKPOINT_RESTORE";

std::string capability_name(std::string_view name) {
  std::string upper;
  for (char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (upper != "ALL" && !upper.starts_with("CAP_")) upper = "CAP_" + upper;
  return upper;
}

std::set<std::string> words(std::string_view text) {
  std::vector<std::string> list = split(text, ' ');
  return {list.begin(), list.end()};
}

json::Array strings(const auto& list) {
  json::Array array;
  for (const auto& element : list) array.emplace_back(element);
  return array;
}

// A capability outside of the engine's own bounding set cannot be given; asking for it would fail the whole start.
void keep_available(std::set<std::string>& capabilities, std::uint64_t available) {
  std::vector<std::string> in_order = split(kAllCapabilities, ' ');
  for (std::size_t number = 0; number < in_order.size(); ++number)
    if ((available >> number & 1) == 0) capabilities.erase(in_order[number]);
}

json::Value capability_sets(const std::set<std::string>& capabilities) {
  json::Array list = strings(capabilities);
  return json::Object{{"bounding", list}, {"effective", list}, {"permitted", list}};
}

json::Value process_object(const ContainerSpec& container, const ProcessSpec& process, const ProcessUser& user,
                           const std::vector<std::string>& args, const std::set<std::string>& capabilities) {
  // The primary group too, as Docker does: setgroups(2) with it keeps a file that denies this group denied
  // (CVE-2022-36109).
  json::Array groups{user.gid};
  for (std::uint32_t group : user.groups)
    if (group != user.gid) groups.emplace_back(group);
  std::vector<std::string> given = process.env;
  std::erase_if(given, [](const std::string& variable) { return variable.find('=') == std::string::npos; });
  json::Array env = strings(given);
  auto has = [&](std::string_view prefix) {
    return std::any_of(process.env.begin(), process.env.end(), [&](const auto& e) { return e.starts_with(prefix); });
  };
  if (!container.hostname.empty() && !has("HOSTNAME=")) env.emplace_back("HOSTNAME=" + container.hostname);
  if (!has("HOME=")) env.emplace_back("HOME=" + user.home);
  if (process.tty && !has("TERM=")) env.emplace_back("TERM=xterm");
  json::Array rlimits;
  for (const UlimitSpec& limit : container.resources.ulimits) {
    std::string type = "RLIMIT_";
    for (char c : limit.name) type += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    rlimits.push_back(json::Object{{"type", type}, {"soft", limit.soft}, {"hard", limit.hard}});
  }
  return json::Object{
      {"terminal", process.tty},
      {"user", json::Object{{"uid", user.uid}, {"gid", user.gid}, {"additionalGids", std::move(groups)}}},
      {"args", strings(args)},
      {"env", std::move(env)},
      {"cwd", process.working_dir.empty() ? "/" : process.working_dir},
      {"capabilities", capability_sets(capabilities)},
      {"noNewPrivileges", container.no_new_privileges},
      {"oomScoreAdj", container.oom_score_adj},
      {"rlimits", std::move(rlimits)}};
}

json::Value mount(std::string_view target, std::string_view type, std::string_view source,
                  const std::vector<std::string>& options) {
  return json::Object{{"destination", target}, {"type", type}, {"source", source}, {"options", strings(options)}};
}

json::Array mounts_of(const ContainerSpec& spec, const RuntimeInputs& inputs) {
  const char* writable = spec.privileged ? "rw" : "ro";
  std::string shm_size = fmt::format("size={}", spec.shm_size > 0 ? spec.shm_size : 64 << 20);
  json::Array mounts;
  if (spec.pid_mode == "host" && spec.userns_size != 0)
    mounts.push_back(mount("/proc", "bind", "/proc", {"rbind", "nosuid", "noexec", "nodev"}));
  else
    mounts.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  mounts.push_back(mount("/dev/pts", "devpts", "devpts",
                         {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  mounts.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", writable}));
  mounts.push_back(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", writable}));
  if (joined_container(spec.ipc_mode)) {
    // Its /dev/shm is among the binds: the shim takes it from the other container.
    mounts.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  } else if (spec.ipc_mode == "host") {
    if (inputs.host_has_mqueue)
      mounts.push_back(mount("/dev/mqueue", "bind", "/dev/mqueue", {"rbind", "nosuid", "noexec", "nodev"}));
    mounts.push_back(mount("/dev/shm", "bind", "/dev/shm", {"rbind", "nosuid", "noexec", "nodev"}));
  } else {
    mounts.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
    if (spec.ipc_mode != "none")
      mounts.push_back(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", shm_size}));
  }
  // Parents before what is mounted below them, tmpfs and binds alike.
  std::multimap<std::ptrdiff_t, json::Value> asked;
  auto depth = [](const std::string& path) { return std::count(path.begin(), path.end(), '/'); };
  auto add_tmpfs = [&](const std::string& target, const std::string& options) {
    std::vector<std::string> list{"noexec", "nosuid", "nodev"};
    for (const std::string& option : split(options, ',')) {
      if (option.empty()) continue;
      for (std::string_view positive : {"exec", "suid", "dev"})
        if (option == positive) std::erase(list, "no" + std::string(positive));
      list.push_back(option);
    }
    asked.emplace(depth(target), mount(target, "tmpfs", "tmpfs", list));
  };
  for (const auto& [target, options] : spec.tmpfs) add_tmpfs(target, options);
  for (const MountSpec& each : spec.mounts)
    if (each.type == "tmpfs") add_tmpfs(each.target, each.read_only ? each.options + ",ro" : each.options);
  for (const PreparedBind& bind : inputs.binds) {
    std::vector<std::string> options{"rbind", bind.propagation.empty() ? "rprivate" : bind.propagation};
    if (bind.read_only) options.emplace_back("ro");
    asked.emplace(depth(bind.target), mount(bind.target, "bind", bind.source, options));
  }
  for (auto& [level, value] : asked) mounts.push_back(std::move(value));
  return mounts;
}

// Another container's is joined by its path, which the shim opens and puts in the token's place.
json::Array namespaces_of(const ContainerSpec& spec) {
  json::Array list{json::Object{{"type", "mount"}}};
  auto add = [&](const char* type, const std::string& mode, const char* token) {
    if (mode == "host") return;
    json::Object each{{"type", type}};
    if (joined_container(mode)) each["path"] = token;
    list.push_back(std::move(each));
  };
  add("pid", spec.pid_mode, kPidnsToken);
  add("ipc", spec.ipc_mode, kIpcnsToken);
  add("uts", spec.uts_mode, "");
  add("cgroup", spec.cgroupns_mode, "");
  if (spec.network != "host") list.push_back(json::Object{{"type", "network"}, {"path", kNetnsToken}});
  if (spec.userns_size != 0) list.push_back(json::Object{{"type", "user"}, {"path", kUsernsToken}});
  return list;
}

json::Value linux_object(const ContainerSpec& spec, const RuntimeInputs& inputs,
                         const std::set<std::string>& capabilities) {
  json::Object object{{"namespaces", namespaces_of(spec)},
                      {"resources", runtime_resources(spec, inputs.devices)},
                      {"cgroupsPath", inputs.cgroup_path},
                      {"maskedPaths", strings(spec.masked_paths.value_or(std::vector<std::string>()))},
                      {"readonlyPaths", strings(spec.readonly_paths.value_or(std::vector<std::string>()))}};
  if (spec.userns_size != 0) {
    // Kept beside the namespace's path: runc wants to know the mapping of what it joins.
    json::Array mapping{json::Object{{"containerID", 0}, {"hostID", spec.userns_base}, {"size", spec.userns_size}}};
    object["uidMappings"] = mapping;
    object["gidMappings"] = mapping;
  }
  bool filtered = !spec.privileged && !spec.seccomp_unconfined;
  if (filtered && !spec.seccomp_profile.empty()) {
    // It was parsed when the container was made.
    if (auto profile = json::parse(spec.seccomp_profile)) object["seccomp"] = convert_profile(*profile, capabilities);
  } else if (filtered && inputs.seccomp_program.empty()) {
    object["seccomp"] = seccomp_profile(capabilities);
  }
  if (!inputs.devices.empty()) object["devices"] = runtime_devices(inputs.devices);
  if (!spec.sysctls.empty()) object["sysctl"] = json::encode(spec.sysctls);
  return object;
}

}  // namespace

Result<std::set<std::string>> capabilities_of(const ContainerSpec& spec) {
  const std::set<std::string> all = words(kAllCapabilities);
  auto check = [&](const std::vector<std::string>& names, std::string_view field) -> Result<void> {
    for (const std::string& name : names) {
      std::string full = capability_name(name);
      if (full != "ALL" && !all.contains(full))
        return fail(ErrorCode::invalid, "invalid {}: unknown capability: \"{}\"", field, full);
    }
    return {};
  };
  TRY_OK(check(spec.cap_add, "CapAdd"));
  TRY_OK(check(spec.cap_drop, "CapDrop"));
  if (spec.privileged) return all;
  auto names_all = [](const std::string& name) { return capability_name(name) == "ALL"; };
  bool add_all = std::any_of(spec.cap_add.begin(), spec.cap_add.end(), names_all);
  bool drop_all = std::any_of(spec.cap_drop.begin(), spec.cap_drop.end(), names_all);
  std::set<std::string> result = add_all ? all : drop_all ? std::set<std::string>{} : words(kDefaultCapabilities);
  for (const std::string& name : spec.cap_drop) result.erase(capability_name(name));
  for (const std::string& name : spec.cap_add)
    if (!names_all(name)) result.insert(capability_name(name));
  return result;
}

std::optional<std::string_view> joined_container(std::string_view mode) {
  constexpr std::string_view kPrefix = "container:";
  if (!mode.starts_with(kPrefix)) return {};
  return mode.substr(kPrefix.size());
}

std::uint64_t bounding_capabilities() {
  static const std::uint64_t set = [] {
    std::uint64_t bits = 0;
    for (unsigned number = 0; number < 64; ++number)
      if (::prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) bits |= 1ULL << number;
    return bits;
  }();
  return set;
}

Result<json::Value> runtime_config(const ContainerSpec& spec, const RuntimeInputs& inputs) {
  TRY(std::set<std::string> capabilities, capabilities_of(spec));
  keep_available(capabilities, inputs.available_capabilities);
  ProcessSpec process = spec.process;
  for (const std::string& variable : inputs.env) {
    std::string name = variable.substr(0, variable.find('=') + 1);
    bool given = std::ranges::any_of(spec.process.env, [&](const std::string& own) { return own.starts_with(name); });
    if (!given) process.env.push_back(variable);
  }
  json::Object config{{"ociVersion", "1.0.2"},
                      {"process", process_object(spec, process, inputs.user, inputs.args, capabilities)},
                      {"root", json::Object{{"path", inputs.rootfs}, {"readonly", spec.read_only_root}}},
                      {"mounts", mounts_of(spec, inputs)},
                      {"linux", linux_object(spec, inputs, capabilities)}};
  if (spec.uts_mode != "host") {
    config["hostname"] = spec.hostname;
    if (!spec.domainname.empty()) config["domainname"] = spec.domainname;
  }
  if (!inputs.hooks.empty()) config["hooks"] = inputs.hooks;
  json::Object annotations;
  for (const auto& [key, value] : spec.annotations) annotations[key] = value;
  if (!spec.privileged && !spec.seccomp_unconfined && spec.seccomp_profile.empty() && !inputs.seccomp_program.empty())
    annotations["run.oci.seccomp_bpf_data"] = inputs.seccomp_program;
  if (!annotations.empty()) config["annotations"] = std::move(annotations);
  return config;
}

Result<json::Value> exec_config(const ContainerSpec& container, const ProcessSpec& process, const ProcessUser& user,
                                std::uint64_t available_capabilities) {
  ContainerSpec rights = container;
  rights.privileged = container.privileged || process.privileged;
  TRY(std::set<std::string> capabilities, capabilities_of(rights));
  keep_available(capabilities, available_capabilities);
  return process_object(container, process, user, process.args, capabilities);
}

}  // namespace berth::engine
