// Manifests and indexes as registries serve them: OCI (image specification, manifest.md and image-index.md) and Docker
// schema 2. Docker schema 1 is refused by name. Pure data, parse and print.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "oci/digest.h"
#include "oci/image_config.h"

namespace berth::oci {

inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<Platform> platform;  // only in an index
};

struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;  // base first
};

struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
};

using AnyManifest = std::variant<Manifest, Index>;

// Of bytes from outside: at most 4 MiB, at most 1000 layers or manifests. media_type is the response's Content-Type;
// the document's own mediaType wins, and they must not contradict each other in kind.
Result<AnyManifest> parse_manifest(std::string_view text, std::string_view media_type);
std::string print_manifest(const Manifest& manifest);

// The entry of the index for this platform: the same os and architecture; of several the one with the same variant,
// else the one without or with the highest variant below. not_found carries Docker's "no matching manifest for ...".
Result<Descriptor> choose(const Index& index, const Platform& platform);

}  // namespace berth::oci
