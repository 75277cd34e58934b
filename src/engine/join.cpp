#include "engine/join.h"

#include "engine/runtime_config.h"

namespace berth::engine {

namespace {

std::unexpected<Error> not_running(std::string_view kind, const std::string& id) {
  return fail(ErrorCode::conflict, "cannot join {} of a non running container: {}", kind, id);
}

}  // namespace

bool joins_another(const ContainerSpec& spec) {
  return joined_container(spec.pid_mode) || joined_container(spec.ipc_mode) || joined_container(spec.network);
}

Result<void> adopt_joined(const Engine& engine, ContainerSpec& spec, bool share_ids) {
  const ContainerSpec* first = nullptr;
  for (std::string* mode : {&spec.pid_mode, &spec.ipc_mode, &spec.network}) {
    auto name = joined_container(*mode);
    if (!name) continue;
    // Not as not_found, which a client of create takes for a missing image.
    auto found = engine.find(*name);
    if (!found) return std::unexpected(std::move(found).error().as(ErrorCode::invalid));
    const auto& other = *found;
    const ContainerSpec& joined = other->spec();
    *mode = "container:" + joined.id;
    if (mode == &spec.network) spec.hostname = joined.hostname;
    if (share_ids && first != nullptr &&
        (first->userns_base != joined.userns_base || first->userns_size != joined.userns_size))
      return fail(ErrorCode::conflict,
                  "containers {} and {} have user namespaces of their own: the namespaces of both cannot be joined",
                  first->name, joined.name);
    first = &joined;
  }
  if (share_ids && first != nullptr) {
    spec.userns_base = first->userns_base;
    spec.userns_size = first->userns_size;
  }
  return {};
}

Result<JoinedNamespaces> find_joined(const Engine& engine, const ContainerSpec& spec) {
  JoinedNamespaces joined;
  struct Kind {
    const std::string& mode;
    std::string_view word;
    const char* file;
    std::string JoinedNamespaces::* path;
  };
  for (const Kind& kind : {Kind{spec.pid_mode, "PID", "pid", &JoinedNamespaces::pid},
                           Kind{spec.ipc_mode, "IPC", "ipc", &JoinedNamespaces::ipc},
                           Kind{spec.network, "network namespace", "net", &JoinedNamespaces::net}}) {
    auto id = joined_container(kind.mode);
    if (!id) continue;
    TRY(auto other, engine.find(*id));
    if (!other->running()) return not_running(kind.word, other->id());
    const std::string& ipc_mode = other->spec().ipc_mode;
    if (kind.word == "IPC" && ipc_mode != "shareable" && ipc_mode != "host" && !joined_container(ipc_mode))
      return fail(ErrorCode::conflict,
                  "can't join IPC of container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor "
                  "container)",
                  other->id());
    std::string proc = fmt::format("/proc/{}/ns/", other->status().process.pid);
    joined.*kind.path = proc + kind.file;
    if (kind.word == "IPC") joined.mount = proc + "mnt";
    if (spec.userns_size != 0) joined.user = proc + "user";
  }
  return joined;
}

}  // namespace berth::engine
