// Images and archives from containers: `commit` and `export`.
//
// Thread: the loop's; trees are read on others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/changes.h"
#include "engine/container.h"
#include "image/store.h"
#include "oci/image_config.h"
#include "oci/reference.h"

namespace berth::engine {

class Engine;

struct CommitRequest {
  bool pause = true;  // a running container is paused meanwhile, so that its files fit together
  std::string author;
  std::string comment;
  std::optional<oci::Reference> reference;
  oci::ContainerDefaults config;  // what it does not say is taken from the container
};

// A new image: the container's image and on top what the container has changed.
async::Task<Result<image::ImagePtr>> commit(Engine& engine, std::shared_ptr<Container> container,
                                            CommitRequest request);

// What the container's configuration means for images made from it.
oci::ContainerDefaults defaults_of(const ContainerSpec& spec, const oci::ContainerDefaults& image);
// Docker's rule (runconfig.Merge): lists and maps are joined, the rest of `base` counts where `wanted` is silent.
oci::ContainerDefaults merge_defaults(oci::ContainerDefaults wanted, const oci::ContainerDefaults& base);

async::Task<Result<std::vector<PathChange>>> changes_of(Engine& engine, std::shared_ptr<Container> container);
// The container's root as a tar stream, without what is mounted in it. Returns when all is written or the reader has
// closed the pipe.
async::Task<Result<void>> export_root(Engine& engine, std::shared_ptr<Container> container, sys::UniqueFd archive);

}  // namespace berth::engine
