// The parts of a create body that are more than another word for the same value. Each reads the canonical form of a
// service and adds to the body's Config or HostConfig.
#pragma once

#include "compose/container_request.h"

namespace berth::compose {

struct RequestParts {
  const Project& project;
  const Service& service;
  const ContainerPlan& plan;
  ContainerRequest& request;
  json::Object& host;  // request.body["HostConfig"], put there at the end

  const json::Value* find(std::string_view key) const { return json::find(service.config, key); }
};

void add_ports(RequestParts& parts);
Result<void> add_mounts(RequestParts& parts);
Result<void> add_files(RequestParts& parts);
Result<void> add_networks(RequestParts& parts);
void add_limits(RequestParts& parts);
void add_devices(RequestParts& parts);
void add_block_io(RequestParts& parts);
Result<void> add_health(RequestParts& parts);

// "service:NAME" as "container:ID"; anything else is untouched.
Result<std::string> shared_namespace(const RequestParts& parts, std::string_view key);

}  // namespace berth::compose
