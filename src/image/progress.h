// What pull, load, push, import and bootstrap tell while they work: Docker's JSON messages as values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"

namespace berth::image {

struct ProgressEvent {
  std::string status;  // "Downloading", "Pull complete", "Status: Downloaded newer image for debian:bookworm"
  std::string id;      // 12 digits of a layer, or a tag; may be empty
  std::int64_t current = 0;
  std::int64_t total = 0;   // 0: unknown
  bool has_detail = false;  // current and total are to be shown
  std::string stream;       // instead of a status: text for the client's stdout ("Loaded image: debian:bookworm\n")
  json::Value aux;          // instead of a status: push's {"Tag", "Digest", "Size"}; null otherwise
};

// Called on the loop thread, while the operation that it was given to runs. It must not block.
using Progress = std::function<void(const ProgressEvent&)>;

// One message of Docker's stream: {"status", "progressDetail", "progress", "id"}, {"stream"} or {"aux"}.
json::Value to_json(const ProgressEvent& event);

}  // namespace berth::image
