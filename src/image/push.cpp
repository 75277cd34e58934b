// Store::push and Store::login.
#include <fcntl.h>
#include <sys/stat.h>

#include "fs/digest.h"
#include "image/detail/compression.h"
#include "image/detail/registry.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"
#include "oci/manifest.h"
#include "sys/file.h"

namespace berth::image {

namespace {

struct PushedLayer {
  std::string diff_id;  // hex
  LayerRecord record;
};

struct PushOrder {
  oci::Reference reference;
  ImagePtr image;
  std::vector<PushedLayer> layers;
};

class Pusher {
 public:
  Pusher(const Paths& paths, Registry& registry, Stage& stage, Reporter& reporter)
      : paths_(paths), registry_(registry), stage_(stage), reporter_(reporter) {}

  // The manifest's digest; what the layers are called there comes in blobs, by diff id.
  Result<oci::Digest> push(const PushOrder& order, std::map<std::string, BlobRecord>& blobs);

 private:
  Result<oci::Descriptor> push_layer(const PushOrder& order, const PushedLayer& layer);
  Result<bool> is_there(const PushOrder& order, const BlobRecord& blob, const std::string& id);
  Result<void> push_text(const oci::Digest& digest, const std::string& text);

  const Paths& paths_;
  Registry& registry_;
  Stage& stage_;
  Reporter& reporter_;
};

// Counts and hashes what goes to a file.
class BlobFile : public fs::Sink {
 public:
  explicit BlobFile(int fd) : fd_(fd) {}
  Result<void> write(std::string_view bytes) override {
    hash_.update(bytes);
    size_ += bytes.size();
    return sys::write_all(fd_, bytes);
  }
  std::string hex() const { return hash_.hex(); }
  std::uint64_t size() const { return size_; }

 private:
  int fd_;
  fs::Sha256 hash_;
  std::uint64_t size_ = 0;
};

Result<bool> Pusher::is_there(const PushOrder& order, const BlobRecord& blob, const std::string& id) {
  TRY(oci::Digest digest, oci::Digest::parse(blob.digest));
  TRY(bool has, registry_.has_blob(digest));
  if (has) {
    reporter_.status("Layer already exists", id);
    return true;
  }
  TRY(oci::Reference known, oci::Reference::parse(blob.repository));
  if (known.domain != order.reference.domain || known.path == order.reference.path) return false;
  TRY(bool mounted, registry_.mount_blob(digest, known.path));
  if (mounted) reporter_.status("Mounted from " + known.path, id);
  return mounted;
}

Result<oci::Descriptor> Pusher::push_layer(const PushOrder& order, const PushedLayer& layer) {
  std::string id = layer.diff_id.substr(0, 12);
  for (const BlobRecord& blob : layer.record.blobs) {
    TRY(bool there, is_there(order, blob, id));
    if (!there) continue;
    TRY(oci::Digest digest, oci::Digest::parse(blob.digest));
    return oci::Descriptor{blob.media_type, digest, blob.size, {}};
  }
  if (layer.record.overlapping)
    return fail(ErrorCode::unsupported, "layer sha256:{} has an entry twice and cannot be written again",
                layer.diff_id);
  auto total = static_cast<std::int64_t>(layer.record.stream);
  reporter_.amount("Pushing", id, 0, total);
  // The blob's digest is wanted before its bytes, so it is made in full first.
  TRY(sys::UniqueFd file, sys::open_file(stage_.next(), O_RDWR | O_CREAT | O_EXCL, 0600));
  BlobFile blob(file.get());
  GzipSink gzip(blob);
  TRY_OK(rebuild(paths_, layer.diff_id, gzip));
  TRY_OK(gzip.finish());
  oci::Descriptor descriptor{std::string(oci::kDockerLayerGzip), oci::Digest::sha256(blob.hex()), blob.size(), {}};
  TRY(bool has, registry_.has_blob(descriptor.digest));
  if (!has) TRY_OK(registry_.push_blob(descriptor.digest, file.get(), descriptor.size));
  reporter_.amount("Pushing", id, total, total);
  reporter_.status(has ? "Layer already exists" : "Pushed", id);
  return descriptor;
}

Result<void> Pusher::push_text(const oci::Digest& digest, const std::string& text) {
  TRY(bool has, registry_.has_blob(digest));
  if (has) return {};
  TRY(sys::UniqueFd file, sys::open_file(stage_.next(), O_RDWR | O_CREAT | O_EXCL, 0600));
  TRY_OK(sys::write_all(file.get(), text));
  return registry_.push_blob(digest, file.get(), text.size());
}

Result<oci::Digest> Pusher::push(const PushOrder& order, std::map<std::string, BlobRecord>& blobs) {
  oci::Manifest manifest;
  manifest.media_type = oci::kDockerManifest;
  manifest.config = {std::string(oci::kDockerConfig), order.image->id, order.image->config_text.size(), {}};
  for (const PushedLayer& layer : order.layers) reporter_.status("Preparing", layer.diff_id.substr(0, 12));
  for (const PushedLayer& layer : order.layers) {
    TRY(oci::Descriptor descriptor, push_layer(order, layer));
    blobs[layer.diff_id] = {descriptor.digest.text(), descriptor.size, descriptor.media_type, order.reference.name()};
    manifest.layers.push_back(std::move(descriptor));
  }
  TRY_OK(push_text(order.image->id, order.image->config_text));
  std::string text = oci::print_manifest(manifest);
  std::string tag = order.reference.version();
  TRY(oci::Digest digest, registry_.push_manifest(tag, text, manifest.media_type));
  reporter_.status(fmt::format("{}: digest: {} size: {}", tag, digest.text(), text.size()));
  reporter_.aux(json::Object{{"Tag", tag}, {"Digest", digest.text()}, {"Size", text.size()}});
  return digest;
}

Result<std::vector<PushOrder>> make_orders(const Store::State& state, const oci::Reference& reference) {
  std::vector<PushOrder> orders;
  std::string prefix = reference.name() + ":";
  for (const auto& [hex, image] : state.catalog.images) {
    for (const std::string& tag : image.tags) {
      if (reference.tag ? tag != reference.canonical() : !tag.starts_with(prefix)) continue;
      TRY(oci::Reference full, oci::Reference::parse(tag));
      PushOrder order{full, state.images.at(hex), {}};
      for (const std::string& layer : image.layers) order.layers.push_back({layer, state.catalog.layers.at(layer)});
      orders.push_back(std::move(order));
    }
  }
  if (orders.empty())
    return fail(ErrorCode::not_found, "An image does not exist locally with the tag: {}", reference.familiar_name());
  return orders;
}

using Pushed = std::pair<oci::Digest, std::map<std::string, BlobRecord>>;

async::Task<Result<void>> record(Store::State& state, const PushOrder& order, Pushed pushed) {
  std::string hex(order.image->id.hex());
  auto edit = [hex, pushed,
               name = order.reference.with_digest(pushed.first).canonical()](Catalog& next) -> Result<void> {
    if (!next.images.contains(hex)) return {};  // removed meanwhile: then nothing is to be remembered
    next.add_digest(hex, name);
    for (const auto& [layer, blob] : pushed.second) {
      auto at = next.layers.find(layer);
      if (at == next.layers.end()) continue;
      auto& blobs = at->second.blobs;
      if (std::find(blobs.begin(), blobs.end(), blob) == blobs.end()) blobs.push_back(blob);
    }
    return {};
  };
  return state.change(nullptr, std::move(edit), nullptr);
}

RegistrySettings registry_settings(const StoreSettings& settings) {
  return {settings.insecure_registries, settings.registry_mirrors, settings.user_agent};
}

async::Task<Result<void>> push_all(Store::State& state, std::vector<PushOrder> orders, Registry& registry, Stage& stage,
                                   Reporter& reporter) {
  for (const PushOrder& order : orders) {
    // Everything named by reference outlives the work: this frame and the caller's wait for it.
    auto work = [&order, &registry, &stage, &reporter, paths = state.paths]() -> Result<Pushed> {
      std::map<std::string, BlobRecord> blobs;
      TRY_OK(registry.connect());
      TRY(oci::Digest digest, Pusher(paths, registry, stage, reporter).push(order, blobs));
      return Pushed{digest, std::move(blobs)};
    };
    Result<Pushed> pushed = co_await state.loop.dedicated(std::move(work));
    if (!pushed) co_return std::unexpected(std::move(pushed).error());
    Result<void> recorded = co_await record(state, order, *std::move(pushed));
    CO_TRY_OK(std::move(recorded));
    state.emit("push", std::string(order.image->id.hex()), order.reference.familiar());
  }
  co_return Result<void>();
}

}  // namespace

async::Task<Result<void>> Store::push(PushRequest request, Progress progress) {
  State& state = *state_;
  Operation operation(state);
  Reporter reporter(state.loop, std::move(progress));
  // Said before it is known whether there is anything to push, as Docker does: clients show it.
  reporter.status(fmt::format("The push refers to repository [{}]", request.reference.name()));
  co_await async::yield();
  Result<std::vector<PushOrder>> orders = make_orders(state, request.reference);
  if (!orders) co_return std::unexpected(std::move(orders).error());
  Pins pins(state);
  for (const PushOrder& order : *orders)
    for (const PushedLayer& layer : order.layers) pins.add(layer.diff_id);
  Registry registry(registry_settings(state.settings), request.reference, request.credentials, Access::push,
                    state.stopping);
  auto make_stage = [paths = state.paths] { return Stage::make(paths); };
  Result<Stage> stage = co_await state.loop.blocking(std::move(make_stage));
  if (!stage) co_return std::unexpected(std::move(stage).error());
  Result<void> pushed = co_await push_all(state, *std::move(orders), registry, *stage, reporter);
  co_await state.discard(*std::move(stage));
  co_return pushed;
}

async::Task<Result<std::string>> Store::login(std::string registry, Credentials credentials) {
  State& state = *state_;
  Operation operation(state);
  // Docker Hub is known by the address of its first API.
  for (std::string_view prefix : {"https://", "http://"})
    if (registry.starts_with(prefix)) registry.erase(0, prefix.size());
  registry = registry.substr(0, registry.find('/'));
  if (registry.empty() || registry == "index.docker.io") registry = "docker.io";
  oci::Reference any{registry, "library/any", std::nullopt, std::nullopt};
  auto work = [settings = registry_settings(state.settings), any, credentials,
               stop = state.stopping]() -> Result<std::string> {
    Registry client(settings, any, credentials, Access::push, stop);
    TRY_OK(client.connect());
    TRY_OK(client.check_login());
    return "Login Succeeded";
  };
  co_return co_await state.loop.dedicated(std::move(work));
}

}  // namespace berth::image
