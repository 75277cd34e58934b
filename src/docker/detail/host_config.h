// HostConfig and NetworkingConfig of a create request.
#pragma once

#include "base/json.h"
#include "docker/fields.h"
#include "engine/spec.h"

namespace berth::docker::detail {

Result<void> decode_host_config(const json::Value& object, engine::ContainerSpec& spec);
Result<void> decode_security(Fields& host, engine::ContainerSpec& spec);
Result<void> decode_devices(Fields& host, engine::ContainerSpec& spec);
// Adds the mounts of Binds, Mounts and Tmpfs.
Result<void> decode_binds(const std::vector<std::string>& binds, engine::ContainerSpec& spec);
Result<void> decode_mounts(const json::Value& array, engine::ContainerSpec& spec);
Result<void> decode_networking(const json::Value& object, engine::ContainerSpec& spec);
// An EndpointSettings of Docker's API; what inspect says of a running endpoint is passed over.
Result<engine::AttachmentSpec> decode_endpoint(std::string network, const json::Value* settings, std::string path);
Result<void> decode_ports(const json::Value* bindings, engine::ContainerSpec& spec);
// "NAME:IP" each.
Result<void> check_extra_hosts(const std::vector<std::string>& hosts);

// "80/tcp", "80" -> port and protocol.
Result<std::pair<std::uint16_t, std::string>> parse_port(std::string_view text);

}  // namespace berth::docker::detail
