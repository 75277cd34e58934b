// The names, ids and layers of a store's images: what images.json holds, and the rules of names. Pure data: no disk.
#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "image/store.h"
#include "oci/digest.h"
#include "oci/reference.h"

namespace berth::image {

// A compressed form of a layer that some registry is known to have.
struct BlobRecord {
  std::string digest;
  std::uint64_t size = 0;
  std::string media_type;
  std::string repository;  // canonical name
  friend bool operator==(const BlobRecord&, const BlobRecord&) = default;
};
BOOST_DESCRIBE_STRUCT(BlobRecord, (), (digest, size, media_type, repository))

struct LayerRecord {
  std::uint64_t size = 0;    // content of its files
  std::uint64_t stream = 0;  // length of its tar stream
  bool overlapping = false;  // the exact stream cannot be made again
  std::vector<BlobRecord> blobs;
};
BOOST_DESCRIBE_STRUCT(LayerRecord, (), (size, stream, overlapping, blobs))

struct ImageRecord {
  std::vector<std::string> tags;     // canonical: "docker.io/library/debian:bookworm"
  std::vector<std::string> digests;  // canonical: "docker.io/library/debian@sha256:..."
  std::vector<std::string> layers;   // hex diff ids, base first
  Time tagged;
  bool removed = false;  // by force, while containers still need its layers
  std::string parent;    // hex id of the image that a build step or a commit began with; empty: none
  std::string step;      // what the build cache knows it by; empty: not made by a build
};
BOOST_DESCRIBE_STRUCT(ImageRecord, (), (tags, digests, layers, tagged, removed, parent, step))

// Keys are hex: of the image's id, of the layer's diff id.
struct Catalog {
  int version = 1;
  std::map<std::string, ImageRecord> images;
  std::map<std::string, LayerRecord> layers;

  // The hex id that a name means; removed images are not found. Errors as Store::find.
  Result<std::string> find(std::string_view name) const;
  // By a tag or digest in canonical form; nothing when no image has it.
  const std::string* find_canonical(std::string_view canonical) const;

  // Gives the image this tag, takes it from the one that had it.
  void set_tag(const std::string& id, const std::string& canonical);
  void add_digest(const std::string& id, const std::string& canonical);

  // What `rmi NAME` does to the catalog: the answer's lines in Docker's order. The layers stay; see unused_layers.
  Result<std::vector<Removal>> remove(std::string_view name, bool force, const std::vector<ImageUser>& users);
  // Untags and removes by id, or hides it when containers use it.
  std::vector<Removal> remove_image(const std::string& id, bool hide);

  // Images that were made from this one and are not removed.
  bool has_children(const std::string& id) const;
  // Removes the image of this id, its parent and so on, as long as they have neither name nor child nor user: what a
  // build leaves behind its last step. in_use tells whether containers were made from an image.
  std::vector<Removal> remove_nameless(std::string id, const std::function<bool(const std::string&)>& in_use);

  std::vector<std::string> unused_layers() const;
};
BOOST_DESCRIBE_STRUCT(Catalog, (), (version, images, layers))

// "docker.io/library/debian:bookworm" -> "debian:bookworm".
std::string familiar(std::string_view canonical);

}  // namespace berth::image
