// Bodies of POST /containers/create: whatever a client sends is decoded or refused.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "docker/create_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto body = berth::json::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!body) return 0;
  auto request = berth::docker::decode_create_request(*body, "name");
  if (!request && request.error().text().empty()) std::abort();
  return 0;
}
