// What a container's spec means for its networks: completing a create request, and what links and names make of its
// files and its environment.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"

namespace berth::engine {

// In --add-host: the address by which containers reach the host.
inline constexpr char kHostGateway[] = "host-gateway";
std::string host_gateway(const Engine& engine);

// Fills spec.networks from the network mode and puts names in place of ids; a network that does not exist (yet) keeps
// its word. Fails with `invalid` and Docker's texts for what cannot be together.
Result<void> complete_networks(const Engine& engine, ContainerSpec& spec);
// Whether the container can have this in this network.
Result<void> check_endpoint_settings(const Engine& engine, const AttachmentSpec& wanted);

// Whether one of its networks serves names, so that the container asks its own resolver.
bool wants_resolver(const Engine& engine, const ContainerSpec& spec);

// What a container is given of another one that it is linked to on the network `bridge` (Docker's legacy links): a line
// in /etc/hosts and variables that tell its name, address, ports and environment.
struct Link {
  std::string address;
  std::vector<std::string> names;
  std::vector<std::string> env;
};
// not_found and `invalid` when the other does not exist or run.
Result<std::vector<Link>> links_of(const Engine& engine, const ContainerSpec& spec);

// "NAME:ALIAS", "NAME" -> name, alias.
std::pair<std::string, std::string> split_link(const std::string& link);

}  // namespace berth::engine
