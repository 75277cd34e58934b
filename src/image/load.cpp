// Store::load: docker-archives and OCI archives, read in one pass from a stream that cannot be rewound.
#include <algorithm>
#include <array>
#include <set>

#include "base/json.h"
#include "fs/digest.h"
#include "fs/root_dir.h"
#include "fs/tar.h"
#include "image/detail/compression.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"
#include "oci/manifest.h"

namespace berth::image {

namespace {

constexpr std::size_t kMaxText = 16 << 20;    // one JSON file of an archive
constexpr std::size_t kMaxTexts = 256 << 20;  // all of them
constexpr std::size_t kHead = 512;

// What one pass over the archive gives. Keys are cleaned paths.
struct Archive {
  std::map<std::string, std::string> texts;
  std::map<std::string, Result<StagedLayer>> layers;
  std::map<std::string, std::string> links;  // old docker-archives link to a layer that they hold already

  // The key that a path finally means.
  std::string resolve(const std::string& path) const {
    std::string key = fs::clean_path(path);
    for (int i = 0; i < 8; ++i) {
      auto link = links.find(key);
      if (link == links.end()) break;
      key = link->second;
    }
    return key;
  }
  const std::string* text(const std::string& path) const {
    auto found = texts.find(resolve(path));
    return found == texts.end() ? nullptr : &found->second;
  }
};

bool is_tar(std::string_view head) { return head.size() == kHead && head.substr(257, 5) == "ustar"; }

bool is_layer(std::string_view head) {
  if (is_tar(head) || head.starts_with("\x1f\x8b") || head.starts_with("\x28\xb5\x2f\xfd")) return true;
  return head.size() == kHead && head[0] != '{' && head[0] != '[';
}

// The hex digits that name the file: "blobs/sha256/HEX", "HEX.tar", "HEX/layer.tar".
std::string hex_of(const std::string& path) {
  for (std::size_t at = 0; at + 64 <= path.size(); at = path.find('/', at) + 1) {
    std::string hex = path.substr(at, 64);
    if (hex.find_first_not_of("0123456789abcdef") == std::string::npos) return hex;
    if (path.find('/', at) == std::string::npos) break;
  }
  return {};
}

class ArchiveReader {
 public:
  ArchiveReader(fs::Source& source, UnpackSettings settings, Stage& stage, std::set<std::string> known,
                Reporter& reporter)
      : reader_(source), settings_(std::move(settings)), stage_(stage), known_(std::move(known)), reporter_(reporter) {}

  Result<Archive> read();

 private:
  Result<void> add_file(const std::string& path, std::uint64_t size);
  Result<std::string> read_text(std::string head, std::uint64_t size);
  Result<StagedLayer> unpack(const std::string& path, std::string_view head, std::uint64_t size);

  fs::tar::Reader reader_;
  UnpackSettings settings_;
  Stage& stage_;
  std::set<std::string> known_;  // layers that the store has
  Reporter& reporter_;
  Archive archive_;
  std::size_t text_bytes_ = 0;
  std::vector<char> buffer_ = std::vector<char>(256 << 10);
};

Result<Archive> ArchiveReader::read() {
  while (true) {
    TRY(std::optional<fs::tar::Entry> entry, reader_.next());
    if (!entry) return std::move(archive_);
    std::string path = fs::clean_path(entry->path);
    if (entry->type == fs::tar::Type::hard_link) archive_.links[path] = fs::clean_path(entry->link);
    if (entry->type == fs::tar::Type::symlink)
      archive_.links[path] = fs::clean_path(path.substr(0, path.rfind('/') + 1) + entry->link);
    if (entry->type == fs::tar::Type::file && !entry->sparse) TRY_OK(annotate(add_file(path, entry->size), "{}", path));
  }
}

Result<void> ArchiveReader::add_file(const std::string& path, std::uint64_t size) {
  std::string head(kHead, '\0');
  std::size_t filled = 0;
  while (filled < kHead) {
    TRY(std::size_t got, reader_.read(std::span<char>(head).subspan(filled)));
    if (got == 0) break;
    filled += got;
  }
  head.resize(filled);
  if (!is_layer(head)) {
    TRY(archive_.texts[path], read_text(std::move(head), size));
    return {};
  }
  std::string hex = hex_of(path);
  if (is_tar(head) && known_.contains(hex)) {
    reporter_.status("Layer already exists", hex.substr(0, 12));
    archive_.layers.insert_or_assign(path, StagedLayer{hex, "", 0, 0, false});
    return {};
  }
  archive_.layers.insert_or_assign(path, unpack(path, head, size));
  return {};
}

Result<std::string> ArchiveReader::read_text(std::string head, std::uint64_t size) {
  text_bytes_ += static_cast<std::size_t>(std::min<std::uint64_t>(size, kMaxTexts));
  if (size > kMaxText || text_bytes_ > kMaxTexts)
    return fail(ErrorCode::exhausted, "too large for an image's description");
  while (true) {
    TRY(std::size_t got, reader_.read(buffer_));
    if (got == 0) return head;
    head.append(buffer_.data(), got);
  }
}

// A layer that cannot be unpacked is an error only if an image needs it, so what fails here is kept, not returned; but
// the archive itself must stay readable.
Result<StagedLayer> ArchiveReader::unpack(const std::string& path, std::string_view head, std::uint64_t size) {
  std::string hex = hex_of(path);
  std::string id = hex.empty() ? path.substr(0, 12) : hex.substr(0, 12);
  TRY(Unpacking unpacking, Unpacking::start(settings_, stage_.next()));
  auto written = unpacking.write(head);
  std::uint64_t done = head.size();
  while (true) {
    TRY(std::size_t got, reader_.read(buffer_));
    if (got == 0) break;
    if (written) written = unpacking.write({buffer_.data(), got});
    done += got;
    reporter_.amount("Loading layer", id, static_cast<std::int64_t>(done), static_cast<std::int64_t>(size));
  }
  if (!written && written.error().code() != ErrorCode::cancelled) return std::unexpected(std::move(written).error());
  return unpacking.finish();
}

// An image of the archive, with its parts found.
struct Found {
  NewImage image;
  std::vector<std::string> shown;  // familiar tags
};

Result<void> take_layers(const Archive& archive, const oci::ImageConfig& config, const std::vector<std::string>& paths,
                         NewImage& image) {
  if (paths.size() != config.diff_ids.size())
    return fail(ErrorCode::invalid, "invalid manifest, layers length mismatch: expected {}, got {}",
                config.diff_ids.size(), paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    auto layer = archive.layers.find(archive.resolve(paths[i]));
    if (layer == archive.layers.end()) return fail(ErrorCode::invalid, "invalid archive: no layer {}", paths[i]);
    if (!layer->second) return std::unexpected(Error(layer->second.error()).with("layer " + paths[i]));
    const StagedLayer& staged = *layer->second;
    if (staged.diff_id != config.diff_ids[i].hex())
      return fail(ErrorCode::invalid, "invalid diffID for layer {}: expected \"{}\", got \"sha256:{}\"", i,
                  config.diff_ids[i].text(), staged.diff_id);
    if (!staged.directory.empty()) image.staged.push_back(staged);
  }
  return {};
}

Result<void> add_tag(std::string_view name, Found& found) {
  TRY(oci::Reference reference, oci::Reference::parse(name));
  if (!reference.tag) return fail(ErrorCode::invalid, "invalid tag \"{}\"", name);
  reference.digest.reset();
  found.image.tags.push_back(reference.canonical());
  found.shown.push_back(reference.familiar());
  return {};
}

// One element of manifest.json: {"Config": path, "RepoTags": [...], "Layers": [paths]}.
Result<Found> find_docker_image(const Archive& archive, const json::Value& item) {
  Found found;
  std::string path = json::string_or(item, "Config");
  const std::string* text = archive.text(path);
  if (text == nullptr) return fail(ErrorCode::invalid, "invalid archive: no image config \"{}\"", path);
  found.image.config_text = *text;
  TRY(oci::ImageConfig config, oci::parse_image_config(*text));
  std::vector<std::string> layers, tags;
  if (const json::Value* list = json::find(item, "Layers")) TRY_OK(json::decode_into(*list, layers, "Layers"));
  if (const json::Value* list = json::find(item, "RepoTags")) TRY_OK(json::decode_into(*list, tags, "RepoTags"));
  TRY_OK(take_layers(archive, config, layers, found.image));
  for (const std::string& tag : tags) TRY_OK(add_tag(tag, found));
  return found;
}

std::string blob_path(const oci::Digest& digest) {
  return fmt::format("blobs/{}/{}", digest.algorithm(), digest.hex());
}

// A blob of an OCI layout, which must be what its name says.
Result<std::string> blob_text(const Archive& archive, const oci::Digest& digest) {
  const std::string* text = archive.text(blob_path(digest));
  if (text == nullptr) return fail(ErrorCode::invalid, "invalid archive: no blob {}", digest.text());
  if (!digest.is_sha256() || fs::sha256_hex(*text) != digest.hex())
    return fail(ErrorCode::invalid, "invalid archive: blob {} has other content", digest.text());
  return *text;
}

Result<oci::Manifest> find_oci_manifest(const Archive& archive, oci::Descriptor descriptor) {
  constexpr int kMaxNesting = 4;
  for (int i = 0; i < kMaxNesting; ++i) {
    TRY(std::string text, blob_text(archive, descriptor.digest));
    TRY(oci::AnyManifest any, oci::parse_manifest(text, descriptor.media_type));
    if (auto* manifest = std::get_if<oci::Manifest>(&any)) return std::move(*manifest);
    TRY(descriptor, oci::choose(std::get<oci::Index>(any), oci::host_platform()));
  }
  return fail(ErrorCode::invalid, "invalid archive: indexes nest too deep");
}

// One element of index.json's manifests. The name is in an annotation: containerd's is a whole reference,
// org.opencontainers.image.ref.name may be one, or only a tag (then the image stays without a name).
Result<Found> find_oci_image(const Archive& archive, const json::Value& item) {
  oci::Descriptor descriptor;
  descriptor.media_type = json::string_or(item, "mediaType");
  TRY(descriptor.digest, oci::Digest::parse(json::string_or(item, "digest")));
  TRY(oci::Manifest manifest, find_oci_manifest(archive, descriptor));
  Found found;
  TRY(found.image.config_text, blob_text(archive, manifest.config.digest));
  TRY(oci::ImageConfig config, oci::parse_image_config(found.image.config_text));
  std::vector<std::string> layers;
  for (const oci::Descriptor& layer : manifest.layers) layers.push_back(blob_path(layer.digest));
  TRY_OK(take_layers(archive, config, layers, found.image));
  const json::Value* annotations = json::find(item, "annotations");
  if (annotations == nullptr) return found;
  std::string name = json::string_or(*annotations, "io.containerd.image.name");
  if (name.empty()) name = json::string_or(*annotations, "org.opencontainers.image.ref.name");
  if (name.find(':') != std::string::npos || name.find('/') != std::string::npos) TRY_OK(add_tag(name, found));
  return found;
}

Result<std::vector<Found>> find_images(const Archive& archive) {
  const std::string* docker = archive.text("manifest.json");
  const std::string* oci = archive.text("index.json");
  if (docker == nullptr && oci == nullptr)
    return fail(ErrorCode::invalid, "invalid archive: does not contain a manifest.json");
  TRY(json::Value value, json::parse(docker != nullptr ? *docker : *oci));
  const json::Value* list = docker != nullptr ? &value : json::find(value, "manifests");
  if (list == nullptr || !list->is_array()) return fail(ErrorCode::invalid, "invalid archive: no list of images");
  std::vector<Found> images;
  for (const json::Value& item : list->get_array()) {
    TRY(Found found, docker != nullptr ? find_docker_image(archive, item) : find_oci_image(archive, item));
    images.push_back(std::move(found));
  }
  return images;
}

async::Task<Result<std::vector<ImagePtr>>> load_into(Store::State& state, sys::UniqueFd file, Stage& stage,
                                                     Reporter& reporter) {
  std::set<std::string> known;
  Pins pins(state);
  for (const auto& [hex, layer] : state.catalog.layers) {
    if (!state.has_layer(hex)) continue;
    known.insert(hex);
    pins.add(hex);
  }
  // stage and reporter live in the caller's frame, which waits for this.
  auto work = [&file, &stage, &reporter, known, settings = state.unpack_settings()]() -> Result<std::vector<Found>> {
    fs::FdSource raw(file.get());
    Decompressor plain(raw);
    ArchiveReader reader(plain, settings, stage, known, reporter);
    TRY(Archive archive, reader.read());
    return find_images(archive);
  };
  Result<std::vector<Found>> images = co_await state.loop.dedicated(std::move(work));
  if (!images) co_return std::unexpected(std::move(images).error());
  std::vector<ImagePtr> loaded;
  for (Found& found : *images) {
    Result<ImagePtr> image = co_await state.add(std::move(found.image));
    if (!image) co_return std::unexpected(std::move(image).error());
    loaded.push_back(*image);
    for (const std::string& tag : found.shown) reporter.stream(fmt::format("Loaded image: {}\n", tag));
    if (found.shown.empty()) reporter.stream(fmt::format("Loaded image ID: {}\n", (*image)->id.text()));
    state.emit("load", std::string((*image)->id.hex()), (*image)->id.text());
  }
  co_return loaded;
}

}  // namespace

async::Task<Result<std::vector<ImagePtr>>> Store::load(sys::UniqueFd archive, Progress progress) {
  State& state = *state_;
  Operation operation(state);
  Reporter reporter(state.loop, std::move(progress));
  auto make_stage = [paths = state.paths] { return Stage::make(paths); };
  Result<Stage> stage = co_await state.loop.blocking(std::move(make_stage));
  if (!stage) co_return std::unexpected(std::move(stage).error());
  Result<std::vector<ImagePtr>> loaded = co_await load_into(state, std::move(archive), *stage, reporter);
  co_await state.discard(*std::move(stage));
  co_return loaded;
}

}  // namespace berth::image
