#include "engine/runtimes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "engine/cgroup.h"
#include "sys/file.h"
#include "sys/process.h"

namespace berth::engine {

namespace {

std::string find_in_path(std::string_view name) {
  const char* path = ::getenv("PATH");
  for (const std::string& directory : split(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    std::string candidate = directory + "/" + std::string(name);
    if (!directory.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

Result<std::string> version_of(const std::string& path) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("pipe");
  sys::UniqueFd reader(ends[0]), writer(ends[1]);
  sys::SpawnOptions options;
  options.argv = {path, "--version"};
  options.fds = {{writer.get(), 1}};
  TRY(sys::Process child, sys::spawn(options));
  writer.reset();
  std::string text(4096, '\0');
  ssize_t got = ::read(reader.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  TRY(int status, child.wait());
  if (sys::exit_code_of(status) != 0) return fail(ErrorCode::unsupported, "{} --version failed", path);
  return std::string(trim(split(text, '\n').front()));
}

// crun refuses a machine whose cgroup2 hierarchy beside v1 owns controllers; it only looks at what is mounted.
std::vector<std::string> hidden_from_crun() {
  auto layout = CgroupLayout::detect();
  if (!layout || layout->unified || layout->unified_path.empty()) return {};
  return {layout->unified_path};
}

}  // namespace

Result<Runtimes> Runtimes::find(std::map<std::string, std::string> configured, std::string default_name) {
  Runtimes result;
  for (const char* name : {"crun", "runc"})
    if (!configured.contains(name))
      if (std::string path = find_in_path(name); !path.empty()) configured[name] = path;
  for (const auto& [name, path] : configured) {
    auto version = version_of(path);
    if (!version) continue;
    Runtime runtime{name, path, *version, {}, false, {}, nullptr};
    if (version->starts_with("crun") || version->starts_with("runc"))
      runtime.sealed = std::make_shared<SealedProgram>(path);
    if (version->starts_with("crun")) {
      runtime.hide = hidden_from_crun();
      runtime.takes_seccomp_program = true;
    }
    result.runtimes_[name] = std::move(runtime);
  }
  if (!default_name.empty() && !result.runtimes_.contains(default_name))
    return fail(ErrorCode::invalid, "the default runtime \"{}\" is not installed or does not run", default_name);
  for (const char* name : {"crun", "runc"})
    if (default_name.empty() && result.runtimes_.contains(name)) default_name = name;
  if (default_name.empty() && !result.runtimes_.empty()) default_name = result.runtimes_.begin()->first;
  if (default_name.empty())
    return fail(ErrorCode::unsupported, "no OCI runtime is installed: apt-get install crun (or runc)");
  result.default_ = std::move(default_name);
  return result;
}

Result<Runtime> Runtimes::get(std::string_view name) const {
  auto found = runtimes_.find(name.empty() ? std::string_view(default_) : name);
  if (found == runtimes_.end()) return fail(ErrorCode::invalid, "unknown or invalid runtime name: {}", name);
  return found->second;
}

}  // namespace berth::engine
