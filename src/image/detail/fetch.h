// One layer from a registry: downloaded, checked and extracted in one go.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "image/detail/layers.h"
#include "image/detail/registry.h"

namespace berth::image {

struct FetchOrder {
  oci::Descriptor blob;
  oci::Digest diff_id;    // what must come out
  std::string partial;    // the file in downloads/ that keeps what has come; stays after success
  std::string directory;  // where the layer is staged
  std::uint64_t limit;    // of blob.size
};

// Told from the fetching thread.
struct FetchProgress {
  std::function<void(std::uint64_t bytes)> downloading;  // of blob.size
  std::function<void()> downloaded;                      // complete and verified; the rest is extraction
};

// What an earlier attempt has left in the partial file is used first, and only the rest is asked for. A cut connection
// is tried again, five times. Fails with Docker's texts. Blocks.
Result<StagedLayer> fetch_layer(Registry& registry, const UnpackSettings& settings, const FetchOrder& order,
                                const FetchProgress& progress);

}  // namespace berth::image
