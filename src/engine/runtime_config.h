// The OCI runtime configuration of a container (runtime-spec config.md, config-linux.md) and of an exec, made from our
// spec. Pure: everything that must be looked up is handed in.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/spec.h"

namespace berth::engine {

// The capabilities that this process may hand on: its bounding set (capabilities(7)), bit n for capability n. A machine
// may lack some, CAP_SYS_RESOURCE in many containers.
std::uint64_t bounding_capabilities();

// Who a process runs as, looked up in the container's own passwd and group files.
struct ProcessUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string home = "/";
};

// A bind mount that the shim has attached in its private namespace.
struct PreparedBind {
  std::string source;  // there
  std::string target;  // in the container
  bool read_only = false;
  std::string propagation;  // empty: rprivate
};

// A device node of the host as the container gets it.
struct RuntimeDevice {
  std::string path;  // in the container
  char type = 'c';   // c or b
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0666;
  std::string access = "rwm";
};

struct RuntimeInputs {
  ProcessUser user;
  std::vector<std::string> args;  // with the init in front, if any
  std::vector<std::string> env;   // beside the spec's
  std::string rootfs;
  std::string cgroup_path;
  std::uint64_t available_capabilities = ~0ULL;
  bool host_has_mqueue = true;  // /dev/mqueue is mounted on the host, to be shared by ipc_mode host
  // The compiled system call filter in base64 for a runtime that takes it (crun); empty: the profile goes along.
  std::string seccomp_program;
  std::vector<PreparedBind> binds;
  std::vector<RuntimeDevice> devices;
  json::Object hooks;  // of CDI devices
};

// The capabilities that a container gets: Docker's default ones, plus cap_add, less cap_drop; all when privileged.
// `invalid CapAdd: unknown capability: "CAP_X"`.
Result<std::set<std::string>> capabilities_of(const ContainerSpec& spec);

// Paths of namespaces made by the shim stand as these words, which the shim replaces.
inline constexpr const char* kUsernsToken = "@USERNS@";
inline constexpr const char* kNetnsToken = "@NETNS@";
inline constexpr const char* kPidnsToken = "@PIDNS@";
inline constexpr const char* kIpcnsToken = "@IPCNS@";

// The X of "container:X", whose namespace is joined.
std::optional<std::string_view> joined_container(std::string_view mode);

Result<json::Value> runtime_config(const ContainerSpec& spec, const RuntimeInputs& inputs);
// The `process` object alone, for `exec --process`.
Result<json::Value> exec_config(const ContainerSpec& container, const ProcessSpec& process, const ProcessUser& user,
                                std::uint64_t available_capabilities = ~0ULL);

}  // namespace berth::engine
