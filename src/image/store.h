// The images of this host: what they are, where their layers lie, and every way in and out.
//
// On disk, below <directory> (docs/design/storage.md):
//   images.json            names, ids, layers: the truth; replaced atomically
//   configs/<hex>          image configurations, named by their sha256 = the image's id
//   layers/<hex>/          extracted layers, named by their diff id; ids and modes as in the archive, overlay whiteouts
//   outlines/<hex>         each layer's tar stream without the files' content, from which the exact stream is made
//   again downloads/             blobs of pulls under way, kept for a while to go on after a failure tmp/ everything
//   half-made; emptied by open()
//
// Nothing is visible before it is complete: a layer appears by rename, an image by the replacement of images.json.
// kill -9 at any point leaves at most files in downloads/ and tmp/ and layers that no image has, which open() removes.
//
// Thread: the loop's; file trees, hashes and transfers run on other threads. Operations may run side by side; equal
// pulls share their work. An Image is immutable and outlives its removal from the store. The store must outlive its
// operations: co_await close() before it goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "fs/stream.h"
#include "image/auth.h"
#include "image/progress.h"
#include "oci/digest.h"
#include "oci/image_config.h"
#include "oci/reference.h"
#include "sys/unique_fd.h"

namespace berth::image {

struct Image {
  oci::Digest id;
  std::vector<std::string> repo_tags;     // familiar: "debian:bookworm"; sorted
  std::vector<std::string> repo_digests;  // familiar: "debian@sha256:..."; sorted
  std::uint64_t size = 0;                 // sum of the layers' file contents
  oci::ImageConfig config;
  std::string config_text;  // the exact bytes that id is the sha256 of
  // Absolute directories, base first, topmost last; a layer that occurs twice is listed once, at its topmost place.
  std::vector<std::string> layers;
  Time tagged;  // Metadata.LastTagTime; not set for an image that never had a tag
  // The image that a build step or a commit began with, and what the build cache knows the step by; else empty.
  oci::Digest parent;
  std::string step;
  bool has_children = false;  // images were made from it: without a name it is no leftover but a build's step
};
using ImagePtr = std::shared_ptr<const Image>;

// A container that was made from an image.
struct ImageUser {
  std::string container_id;
  bool running = false;
};

struct StoreLimits {
  std::uint64_t layer_bytes = 64ull << 30;  // uncompressed
  std::uint64_t layer_entries = 5'000'000;
  std::uint64_t blob_bytes = 32ull << 30;  // compressed
};

struct StoreSettings {
  std::string directory;       // <state>/images
  std::string unpack_program;  // berth-unpack
  // Docker's daemon.json words. "host[:port]" or CIDR; loopback is always one of them: TLS is tried unverified, then
  // plain HTTP.
  std::vector<std::string> insecure_registries;
  std::vector<std::string> registry_mirrors;  // "https://mirror[:port]", tried in order before docker.io
  StoreLimits limits;
  std::size_t parallel_downloads = 3;  // of one pull
  std::string user_agent = "berth";
};

struct PullRequest {
  oci::Reference reference;  // with a tag or a digest
  Credentials credentials;
  std::optional<oci::Platform> platform;  // absent: the host's
};
struct PullResult {
  ImagePtr image;
  oci::Digest manifest;
  bool up_to_date = false;
};

struct PushRequest {
  oci::Reference reference;  // with a tag; without one, every tag of the name is pushed
  Credentials credentials;
};

// A root file system that becomes a one-layer image.
struct ImportRequest {
  std::optional<oci::Reference> reference;  // absent: the image gets no tag
  oci::ImageConfig
      config;           // created, architecture and os are filled in where empty; diff_ids and history are made here
  std::string comment;  // of the history entry; Docker's "Imported from -"
};

struct BootstrapRequest {
  oci::Reference reference;  // the tag is the suite when suite is empty: debian:bookworm
  std::string suite;
  std::vector<std::string> packages;  // beside those of the minimal system
  std::string mirror;                 // empty: mmdebstrap's choice for the suite
  oci::ContainerDefaults config;      // Cmd ["bash"] and PATH are filled in where empty
};

// An image on top of another: its layers, at most one more, and a configuration of its own.
struct DeriveRequest {
  ImagePtr base;  // null: from nothing
  // history holds the entry of the new layer last; its empty_layer and diff_ids are set by derive().
  oci::ImageConfig config;
  std::vector<oci::Reference> references;  // the names that it gets
  std::string step;                        // for find_step(); empty: none
  std::optional<oci::Digest> layer;        // the diff id of a layer that is here already, instead of a written one
};
// Writes the tar stream of a layer, whiteouts as ".wh." names. Runs on a thread of its own.
using WriteLayer = std::function<Result<void>(fs::Sink&)>;

struct RemoveOptions {
  bool force = false;
  bool prune_parents = true;  // nameless images that it was made from go too, unless something else needs them
};
// One line of Docker's answer: exactly one of them is set.
struct Removal {
  std::string untagged;  // "debian:bookworm", "debian@sha256:..."
  std::string deleted;   // "sha256:..."
};
struct PruneResult {
  std::vector<Removal> removed;
  std::uint64_t reclaimed = 0;
};

struct DiskUsage {
  std::uint64_t layers_bytes = 0;  // every layer once
  // Per image: bytes of layers that other images have too.
  std::vector<std::pair<oci::Digest, std::uint64_t>> shared;
};

// What a registry says of an image without giving it away.
struct RemoteImage {
  oci::Digest digest;  // of what the reference names: a manifest or an index
  std::string media_type;
  std::string text;                      // its bytes
  std::vector<oci::Platform> platforms;  // of all its images
};

struct SearchRequest {
  std::string term;  // "debian", "registry.example.com/debian"
  std::size_t limit = 25;
  Credentials credentials;
};

// What happened, for the engine's events: "pull", "tag", "untag", "delete", "load", "import", "push", "save".
using ImageEvent = std::function<void(std::string_view action, const oci::Digest& id, const std::string& name)>;
// The containers that were made from this image, running or not. Asked on the loop thread before anything is removed.
using FindUsers = std::function<std::vector<ImageUser>(const oci::Digest& id)>;

class Store {
 public:
  struct State;  // private to src/image

  // Reads images.json, removes what a crash has left. Blocks; call it before the loop runs.
  static Result<std::unique_ptr<Store>> open(async::Loop& loop, StoreSettings settings);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  // Cancels what runs and waits for it.
  async::Task<> close();

  void set_users(FindUsers find_users);
  void set_events(ImageEvent on_event);

  // Newest first. The views never block.
  std::vector<ImagePtr> list() const;
  // By reference ("debian", "debian:bookworm", "debian@sha256:..."), id ("sha256:..." or 64 digits) or a prefix of an
  // id that only one image has. not_found carries "No such image: debian:latest".
  Result<ImagePtr> find(std::string_view name) const;
  // Also one that was removed by force while stopped containers still need its layers.
  Result<ImagePtr> find_held(const oci::Digest& id) const;
  DiskUsage disk_usage() const;

  // The image named by source gets this tag too; an image that had it loses it.
  async::Task<Result<void>> tag(std::string source, oci::Reference reference);
  // Docker's rules: a name among several is only untagged; an image in use is busy, with Docker's texts.
  async::Task<Result<std::vector<Removal>>> remove(std::string name, RemoveOptions options);
  // Removes what chosen() picks of the images that no container uses; only untagged ones unless all is set.
  async::Task<Result<PruneResult>> prune(bool all, std::function<bool(const Image&)> chosen);
  // Frees layers of force-removed images that no container needs any more: to be called when containers were removed.
  async::Task<> collect_garbage();

  // From a registry. Docker's texts in errors and progress. A task that is cancelled gives up its share; the last one
  // that waits takes the work with it.
  async::Task<Result<PullResult>> pull(PullRequest request, Progress progress);
  async::Task<Result<void>> push(PushRequest request, Progress progress);
  // Asks the registry for nothing but the login: the text Docker answers to POST /auth.
  async::Task<Result<std::string>> login(std::string registry, Credentials credentials);

  async::Task<Result<RemoteImage>> remote(oci::Reference reference, Credentials credentials);
  // The results of a registry's search (API version 1, which Docker Hub has kept), as they come: a list of
  // {"name", "description", "star_count", "is_official", "is_automated"}.
  async::Task<Result<json::Array>> search(SearchRequest request);
  // What a URL (http or https) gives, into the descriptor, to its end.
  async::Task<Result<void>> download(std::string url, sys::UniqueFd sink);

  // docker-archive or OCI archive, plain, gzip or zstd, read from the descriptor to its end (need not be seekable).
  async::Task<Result<std::vector<ImagePtr>>> load(sys::UniqueFd archive, Progress progress);
  // A docker-archive of these images, which `docker load` takes. Names are written as given: a name with a tag keeps
  // that one, a name without all of its tags, an id none.
  async::Task<Result<void>> save(std::vector<std::string> names, sys::UniqueFd archive);
  // From a tar stream, plain, gzip or zstd.
  async::Task<Result<ImagePtr>> import(ImportRequest request, sys::UniqueFd archive, Progress progress);
  // From a directory of the host's; it is only read, and ids on disk are taken as they are.
  async::Task<Result<ImagePtr>> import_directory(ImportRequest request, std::string directory, Progress progress);
  // A layer that holds nothing is left out. write_layer may be empty: then only the configuration is new.
  async::Task<Result<ImagePtr>> derive(DeriveRequest request, WriteLayer write_layer);
  // The newest image that this build step made from parent (empty: from nothing), or null.
  ImagePtr find_step(const oci::Digest& parent, std::string_view step) const;
  // Extracts a tar archive of any compression into DIRECTORY/root, as hostile as it may be; DIRECTORY is made.
  // "is_archive" is false when it is none: then nothing is said about what was made.
  struct Extracted {
    bool is_archive = true;
    std::uint64_t bytes = 0;
  };
  async::Task<Result<Extracted>> extract(sys::UniqueFd archive, std::string directory);
  // Makes debian:bookworm and its like from packages, by mmdebstrap.
  async::Task<Result<ImagePtr>> bootstrap(BootstrapRequest request, Progress progress);

 private:
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace berth::image
