// Store::save: an archive that is a docker-archive (manifest.json) and an OCI layout (index.json) at once, as Docker
// has written it since version 25.
#include <algorithm>
#include <set>

#include "base/json.h"
#include "fs/digest.h"
#include "fs/tar.h"
#include "image/detail/state.h"
#include "oci/manifest.h"

namespace berth::image {

namespace {

constexpr std::string_view kOciLayer = "application/vnd.oci.image.layer.v1.tar";

struct SavedLayer {
  std::string diff_id;  // hex
  std::uint64_t stream = 0;
};

struct SavedImage {
  ImagePtr image;
  std::vector<std::string> tags;  // canonical
  std::vector<SavedLayer> layers;
};

std::string blob_path(std::string_view hex) { return fmt::format("blobs/sha256/{}", hex); }

class ArchiveWriter {
 public:
  ArchiveWriter(const Paths& paths, fs::Sink& sink) : paths_(paths), sink_(sink), writer_(sink_) {}
  Result<void> write(const std::vector<SavedImage>& images);

 private:
  Result<void> add_text(const std::string& path, std::string_view text);
  Result<void> add_layer(const SavedLayer& layer);
  Result<oci::Descriptor> add_manifest(const SavedImage& saved);
  Result<void> add_image(const SavedImage& saved);

  const Paths& paths_;
  fs::BufferedSink sink_;
  fs::tar::Writer writer_;
  std::set<std::string> written_;
  json::Array docker_;
  json::Array oci_;
};

// Hands a layer's stream to the archive's current file.
class EntrySink : public fs::Sink {
 public:
  explicit EntrySink(fs::tar::Writer& writer) : writer_(writer) {}
  Result<void> write(std::string_view bytes) override { return writer_.write(bytes); }

 private:
  fs::tar::Writer& writer_;
};

Result<void> ArchiveWriter::add_text(const std::string& path, std::string_view text) {
  if (!written_.insert(path).second) return {};
  fs::tar::Entry entry;
  entry.path = path;
  entry.mode = 0644;
  return writer_.add(entry, text);
}

Result<void> ArchiveWriter::add_layer(const SavedLayer& layer) {
  std::string path = blob_path(layer.diff_id);
  if (!written_.insert(path).second) return {};
  fs::tar::Entry entry;
  entry.path = path;
  entry.mode = 0644;
  entry.size = layer.stream;
  TRY_OK(writer_.begin(entry));
  EntrySink inside(writer_);
  return rebuild(paths_, layer.diff_id, inside);
}

Result<oci::Descriptor> ArchiveWriter::add_manifest(const SavedImage& saved) {
  oci::Manifest manifest;
  manifest.media_type = oci::kOciManifest;
  manifest.config = {std::string(oci::kOciConfig), saved.image->id, saved.image->config_text.size(), {}};
  for (const SavedLayer& layer : saved.layers)
    manifest.layers.push_back({std::string(kOciLayer), oci::Digest::sha256(layer.diff_id), layer.stream, {}});
  std::string text = oci::print_manifest(manifest);
  std::string hex = fs::sha256_hex(text);
  TRY_OK(add_text(blob_path(hex), text));
  return oci::Descriptor{manifest.media_type, oci::Digest::sha256(hex), text.size(), {}};
}

Result<void> ArchiveWriter::add_image(const SavedImage& saved) {
  json::Array layers, tags;
  for (const SavedLayer& layer : saved.layers) {
    TRY_OK(add_layer(layer));
    layers.emplace_back(blob_path(layer.diff_id));
  }
  std::string config = blob_path(saved.image->id.hex());
  TRY_OK(add_text(config, saved.image->config_text));
  TRY(oci::Descriptor descriptor, add_manifest(saved));
  for (const std::string& tag : saved.tags) tags.emplace_back(familiar(tag));
  json::Object entry{
      {"mediaType", descriptor.media_type}, {"digest", descriptor.digest.text()}, {"size", descriptor.size}};
  for (const std::string& tag : saved.tags) {
    json::Object named = entry;
    named["annotations"] = json::Object{{"io.containerd.image.name", tag},
                                        {"org.opencontainers.image.ref.name", tag.substr(tag.rfind(':') + 1)}};
    oci_.push_back(std::move(named));
  }
  if (saved.tags.empty()) oci_.push_back(std::move(entry));
  json::Object docker{{"Config", config}, {"Layers", std::move(layers)}};
  docker["RepoTags"] = tags.empty() ? json::Value(nullptr) : json::Value(std::move(tags));
  docker_.push_back(std::move(docker));
  return {};
}

Result<void> ArchiveWriter::write(const std::vector<SavedImage>& images) {
  for (const SavedImage& saved : images) TRY_OK(add_image(saved));
  TRY_OK(add_text("manifest.json", json::print(docker_)));
  json::Object index{{"schemaVersion", 2}, {"mediaType", std::string(oci::kOciIndex)}, {"manifests", oci_}};
  TRY_OK(add_text("index.json", json::print(index)));
  TRY_OK(add_text("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  TRY_OK(writer_.finish());
  return sink_.flush();
}

// The image of a name that is no bare repository, and the tag that goes along.
Result<std::pair<std::string, std::vector<std::string>>> image_of_name(const Catalog& catalog,
                                                                       const std::string& name) {
  auto hex = catalog.find(name);
  if (!hex && hex.error().code() == ErrorCode::not_found) return fail(ErrorCode::not_found, "No such image: {}", name);
  if (!hex) return std::unexpected(std::move(hex).error());
  std::vector<std::string> tags;
  auto reference = oci::Reference::parse(name);
  if (reference && reference->tag && catalog.find_canonical(reference->canonical()) != nullptr)
    tags.push_back(reference->canonical());
  return std::pair(*hex, tags);
}

// Every image that a bare repository name has tags for, as (id, tags).
std::vector<std::pair<std::string, std::vector<std::string>>> images_of_repository(const Catalog& catalog,
                                                                                   const std::string& name) {
  std::vector<std::pair<std::string, std::vector<std::string>>> found;
  auto reference = oci::Reference::parse(name);
  if (!reference || reference->tag || reference->digest) return found;
  for (const auto& [hex, image] : catalog.images) {
    std::vector<std::string> tags;
    for (const std::string& tag : image.tags)
      if (tag.substr(0, tag.rfind(':')) == reference->name()) tags.push_back(tag);
    if (!tags.empty()) found.emplace_back(hex, std::move(tags));
  }
  return found;
}

Result<std::vector<SavedImage>> plan(const Store::State& state, const std::vector<std::string>& names) {
  std::vector<SavedImage> images;
  auto add = [&](const std::string& hex, const std::vector<std::string>& tags) -> Result<void> {
    auto same = [&](const SavedImage& saved) { return saved.image->id.hex() == hex; };
    auto at = std::find_if(images.begin(), images.end(), same);
    if (at == images.end()) {
      SavedImage saved{state.images.at(hex), {}, {}};
      for (const std::string& layer : state.catalog.images.at(hex).layers) {
        const LayerRecord& record = state.catalog.layers.at(layer);
        if (record.overlapping)
          return fail(ErrorCode::unsupported, "layer sha256:{} has an entry twice and cannot be written again", layer);
        saved.layers.push_back({layer, record.stream});
      }
      at = images.insert(images.end(), std::move(saved));
    }
    for (const std::string& tag : tags)
      if (std::find(at->tags.begin(), at->tags.end(), tag) == at->tags.end()) at->tags.push_back(tag);
    return {};
  };
  for (const std::string& name : names) {
    auto all = images_of_repository(state.catalog, name);
    for (const auto& [hex, tags] : all) TRY_OK(add(hex, tags));
    if (!all.empty()) continue;
    TRY(auto one, image_of_name(state.catalog, name));
    TRY_OK(add(one.first, one.second));
  }
  return images;
}

}  // namespace

async::Task<Result<void>> Store::save(std::vector<std::string> names, sys::UniqueFd archive) {
  State& state = *state_;
  Operation operation(state);
  Result<std::vector<SavedImage>> images = plan(state, names);
  if (!images) co_return std::unexpected(std::move(images).error());
  Pins pins(state);
  for (const SavedImage& saved : *images)
    for (const SavedLayer& layer : saved.layers) pins.add(layer.diff_id);
  auto work = [&archive, &images, paths = state.paths]() -> Result<void> {
    fs::FdSink sink(archive.get());
    return ArchiveWriter(paths, sink).write(*images);
  };
  Result<void> saved = co_await state.loop.dedicated(std::move(work));
  CO_TRY_OK(std::move(saved));
  for (const SavedImage& image : *images)
    state.emit("save", std::string(image.image->id.hex()), image.image->id.text());
  co_return Result<void>();
}

}  // namespace berth::image
