// Sharing the namespaces of another container: --pid, --ipc and --network container:ID.
//
// A namespace belongs to the user namespace in which it was made, and only root of that one may mount its /proc or
// configure it (user_namespaces(7)). So a container that joins another's shares its user namespace too, and its ids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/engine.h"

namespace berth::engine {

// At create: puts the ids of the containers that are joined in place of their names, and takes over the host name of
// the one whose network is shared and, with share_ids, the ids of their user namespace. invalid for a container that is
// not there; conflict for two with different user namespaces.
Result<void> adopt_joined(const Engine& engine, ContainerSpec& spec, bool share_ids);

// Whether any namespace of another container is joined.
bool joins_another(const ContainerSpec& spec);

// At start: paths of the joined namespaces, empty for those that are not.
struct JoinedNamespaces {
  std::string user;
  std::string net;
  std::string pid;
  std::string ipc;
  std::string mount;  // of the container whose /dev/shm is shared
};
// conflict with Docker's text when one of the containers does not run.
Result<JoinedNamespaces> find_joined(const Engine& engine, const ContainerSpec& spec);

}  // namespace berth::engine
