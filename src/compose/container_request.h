// A service as the body of POST /containers/create, and what has to follow before the start: further networks, and
// files that are put into the container.
//
// Only what the file says is in the body, so the engine's defaults hold; an option that the engine cannot do is refused
// by the engine, by name.
//
// Sources: Docker Engine API v1.47 (ContainerCreate); labels as Docker Compose v2 writes them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compose/project.h"

namespace berth::compose {

// Labels by which a project's things are found again.
constexpr std::string_view kProjectLabel = "com.docker.compose.project";
constexpr std::string_view kServiceLabel = "com.docker.compose.service";
constexpr std::string_view kNumberLabel = "com.docker.compose.container-number";
constexpr std::string_view kHashLabel = "com.docker.compose.config-hash";
constexpr std::string_view kOneOffLabel = "com.docker.compose.oneoff";
constexpr std::string_view kImageLabel = "com.docker.compose.image";
constexpr std::string_view kNetworkLabel = "com.docker.compose.network";
constexpr std::string_view kVolumeLabel = "com.docker.compose.volume";
constexpr std::string_view kVersionLabel = "com.docker.compose.version";

// What is known about one container before it is made.
struct ContainerPlan {
  std::string name;
  std::int64_t number = 1;
  bool one_off = false;     // of `run`: not one of the service's replicas
  bool use_aliases = true;  // answers to the service's name on the networks
  std::string image_id;
  std::string version;  // of the program that makes it
  // A container of each service whose namespaces or volumes are shared, by service: its id.
  std::map<std::string, std::string, std::less<>> shared;
  // For links: container names by service.
  std::map<std::string, std::vector<std::string>, std::less<>> linked;
  // Volumes of the container that this one replaces, by target: what has no name in the file must not be lost.
  std::map<std::string, std::string> inherited_volumes;
};

// A small file that is unpacked into the container before its start.
struct InjectedFile {
  std::string path;  // absolute, in the container
  std::string content;
  std::uint32_t mode = 0444;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct ContainerRequest {
  std::string platform;  // of the query; empty: the engine's
  json::Object body;
  // POST /networks/NAME/connect bodies' EndpointConfig, by the network's name, in order.
  std::vector<std::pair<std::string, json::Object>> networks;
  std::vector<InjectedFile> files;
};

Result<ContainerRequest> make_container_request(const Project& project, const Service& service,
                                                const ContainerPlan& plan);

// The labels of everything that a project makes.
json::Object project_labels(const Project& project, std::string_view version);

// The body of POST /networks/create and POST /volumes/create.
json::Object network_request(const Project& project, const Resource& network, std::string_view version);
json::Object volume_request(const Project& project, const Resource& volume, std::string_view version);

}  // namespace berth::compose
