#include "engine/preflight.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "engine/emulation.h"
#include "engine/engine.h"
#include "engine/root_view.h"
#include "sys/file.h"

namespace berth::engine {

namespace {

using Checks = std::vector<Check>;

void check_kernel(Checks& checks) {
  utsname names{};
  ::uname(&names);
  auto [major, rest] = split_once(names.release, '.');
  auto minor = parse_number<int>(split_once(rest.value_or("0"), '.').first).value_or(0);
  int version = parse_number<int>(major).value_or(0) * 1000 + minor;
  // Overlay over idmapped layers is of Linux 5.19.
  if (version >= 5019)
    checks.push_back({"kernel", "ok", names.release, ""});
  else
    checks.push_back(
        {"kernel", "fail",
         fmt::format("{} is older than 5.19, which can mount overlays over idmapped layers", names.release),
         "boot a newer kernel, for example Debian 12's"});
}

void check_cgroups(Checks& checks) {
  auto layout = CgroupLayout::detect();
  if (!layout) {
    checks.push_back({"cgroups", "fail", layout.error().text(), "mount -t cgroup2 none /sys/fs/cgroup"});
    return;
  }
  if (layout->unified) {
    std::vector<std::string> controllers =
        split(trim(sys::read_file(layout->unified_path + "/cgroup.controllers").value_or("")), ' ');
    for (const char* needed : {"memory", "pids", "cpu"})
      if (std::ranges::find(controllers, needed) == controllers.end())
        checks.push_back({"cgroups", "warn",
                          fmt::format("the controller {} is not available: its limits do not work", needed),
                          fmt::format("boot with cgroup_enable={} on the kernel's command line", needed)});
    checks.push_back({"cgroups", "ok", "version 2", ""});
    return;
  }
  for (const char* needed : {"memory", "pids", "cpu", "freezer"})
    if (!layout->v1.contains(needed))
      checks.push_back(
          {"cgroups", "warn", fmt::format("the version 1 controller {} is not mounted: its limits do not work", needed),
           fmt::format("mkdir -p /sys/fs/cgroup/{0} && mount -t cgroup -o {0} none /sys/fs/cgroup/{0}", needed)});
  checks.push_back({"cgroups", "ok", layout->unified_path.empty() ? "version 1" : "version 1, hybrid", ""});
}

void check_user_namespaces(Checks& checks) {
  auto limit = sys::read_file("/proc/sys/user/max_user_namespaces");
  bool none = limit && parse_number<long>(trim(*limit)).value_or(0) == 0;
  if (none)
    checks.push_back(
        {"user namespaces", "fail", "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=15000"});
  else
    checks.push_back({"user namespaces", "ok", fmt::format("allowed: {}", trim(limit.value_or("any number"))), ""});
}

void check_runtimes(Checks& checks, const Runtimes& runtimes) {
  for (const auto& [name, runtime] : runtimes.all()) {
    std::string detail = runtime.version;
    if (name == runtimes.default_name()) detail += " (default)";
    if (!runtime.hide.empty()) detail += ", with " + join(runtime.hide, " ") + " hidden from it";
    if (runtime.trial_error.empty())
      checks.push_back({"runtime " + name, "ok", detail, ""});
    else
      checks.push_back({"runtime " + name, "warn", detail + ": its trial failed: " + runtime.trial_error, ""});
  }
  if (!runtimes.all().contains("crun"))
    checks.push_back({"runtime crun", "warn", "not installed; it starts containers three times as fast as runc",
                      "apt-get install crun"});
}

void check_overlay(Checks& checks, const std::string& state_dir) {
  std::string directory = state_dir + "/overlay-trial";
  for (const char* name : {"", "/lower", "/upper", "/upper/diff", "/upper/work"})
    if (auto made = sys::ensure_directories(directory + name, 0700); !made) {
      checks.push_back({"storage", "fail", made.error().text(), "free some space, or choose another --state-dir"});
      return;
    }
  auto view = open_root_view({directory + "/lower"}, directory + "/upper", true);
  if (view)
    checks.push_back({"storage", "ok", "overlay on " + state_dir, ""});
  else
    checks.push_back({"storage", "fail", view.error().text(),
                      "put --state-dir on ext4, xfs or btrfs; load the module: modprobe overlay"});
}

void check_programs(Checks& checks, const EngineConfig& config) {
  for (const char* name : {"berth-shim", "berth-unpack"})
    if (std::string path = config.libexec_dir + "/" + name; ::access(path.c_str(), X_OK) != 0)
      checks.push_back({name, "fail", path + " is missing", "install Berth again: scripts/quickstart"});
  if (config.guest_tools_dir.empty() || !sys::exists(config.guest_tools_dir))
    checks.push_back({"guest tools", "warn", "not installed: workspaces cannot be reached by ssh",
                      "scripts/quickstart builds them"});
  else
    checks.push_back({"guest tools", "ok", config.guest_tools_dir, ""});
  if (config.init_program.empty())
    checks.push_back({"init", "warn", "no static init program: run --init does not work", "apt-get install catatonit"});
}

void check_emulation(Checks& checks) {
  std::set<std::string> architectures = emulated_architectures();
  std::erase_if(architectures, [](const std::string& name) { return runs_natively(name); });
  std::string names = join(std::vector<std::string>(architectures.begin(), architectures.end()), ", ");
  // Nothing is wrong with a host that runs its own programs only.
  checks.push_back({"other architectures", "ok",
                    names.empty() ? "none; with qemu-user-static and binfmt-support installed, images for them run"
                                  : "emulated: " + names,
                    ""});
}

}  // namespace

Preflight Engine::preflight() const {
  Preflight result;
  check_kernel(result.checks);
  check_cgroups(result.checks);
  check_user_namespaces(result.checks);
  check_runtimes(result.checks, runtimes_);
  check_overlay(result.checks, config_.state_dir);
  check_programs(result.checks, config_);
  check_emulation(result.checks);
  return result;
}

}  // namespace berth::engine
