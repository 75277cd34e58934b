#include "image/store.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "fs/digest.h"
#include "fs/tree.h"
#include "image/detail/state.h"
#include "sys/file.h"

namespace berth::image {

namespace {

constexpr std::chrono::hours kKeepDownloads(7 * 24);

Result<Catalog> read_catalog(const Paths& paths) {
  if (!sys::exists(paths.catalog())) return Catalog();
  TRY(std::string text, sys::read_file(paths.catalog()));
  TRY(json::Value value, annotate(json::parse(text), "{}", paths.catalog()));
  TRY(Catalog catalog, annotate(json::decode<Catalog>(value), "{}", paths.catalog()));
  if (catalog.version != 1)
    return fail(ErrorCode::unsupported, "{} was written by a newer Berth (version {})", paths.catalog(),
                catalog.version);
  return catalog;
}

Result<void> write_catalog(const Paths& paths, const Catalog& catalog) {
  return sys::replace_file(paths.catalog(), json::print(json::encode(catalog)), 0600, sys::Durability::power);
}

// Removes what is in the directory but not in keep.
template <class Map>
Result<void> remove_others(const std::string& directory, const Map& keep) {
  TRY(std::vector<std::string> names, sys::list_directory(directory));
  for (const std::string& name : names) {
    if (keep.contains(name)) continue;
    log::info("image leftover removed", {{"path", directory + "/" + name}});
    TRY_OK(fs::remove_tree(directory + "/" + name));
  }
  return {};
}

Result<void> remove_old_downloads(const Paths& paths) {
  TRY(std::vector<std::string> names, sys::list_directory(paths.downloads()));
  for (const std::string& name : names) {
    std::string path = paths.downloads() + "/" + name;
    struct stat status{};
    if (::lstat(path.c_str(), &status) < 0) continue;
    auto age = std::chrono::nanoseconds(now().nanoseconds) - std::chrono::seconds(status.st_mtim.tv_sec);
    if (age > kKeepDownloads) TRY_OK(sys::remove_file(path));
  }
  return {};
}

Result<LoadedConfig> read_config(const Paths& paths, const std::string& hex) {
  TRY(std::string text, sys::read_file(paths.config(hex)));
  if (fs::sha256_hex(text) != hex) return fail(ErrorCode::io, "{} is damaged", paths.config(hex));
  TRY(oci::ImageConfig config, oci::parse_image_config(text));
  return LoadedConfig{std::move(text), std::move(config)};
}

// An image that lacks a part cannot be used; it must not keep the others from being used.
Result<std::map<std::string, LoadedConfig>> read_configs(const Paths& paths, Catalog& catalog) {
  std::map<std::string, LoadedConfig> configs;
  for (auto image = catalog.images.begin(); image != catalog.images.end();) {
    auto config = read_config(paths, image->first);
    bool whole = config.has_value();
    for (const std::string& layer : image->second.layers)
      whole = whole && catalog.layers.contains(layer) && sys::exists(paths.layer(layer));
    if (whole) {
      configs[image->first] = *std::move(config);
      ++image;
    } else {
      log::error("image is incomplete and was dropped",
                 {{"image", image->first}, {"reason", config ? "a layer is missing" : config.error().text()}});
      image = catalog.images.erase(image);
    }
  }
  return configs;
}

// Forgets the layers that no image has. On a full disk they stay: an engine that does not start helps nobody.
void forget_unused_layers(const Paths& paths, Catalog& catalog) {
  Catalog used = catalog;
  for (const std::string& hex : catalog.unused_layers()) used.layers.erase(hex);
  if (used.layers.size() == catalog.layers.size()) return;
  if (auto written = write_catalog(paths, used); !written)
    log::warning("unused layers are kept", {{"error", written.error().text()}});
  else
    catalog = std::move(used);
}

Result<void> tidy(const Paths& paths, Catalog& catalog) {
  TRY_OK(remove_others(paths.temporary(), Catalog().images));
  // The record goes before the files: the other way round a crash would leave a record of nothing.
  forget_unused_layers(paths, catalog);
  TRY_OK(remove_others(paths.layers(), catalog.layers));
  TRY_OK(remove_others(paths.outlines(), catalog.layers));
  TRY_OK(remove_others(paths.configs(), catalog.images));
  return remove_old_downloads(paths);
}

// Absolute directories, each once, at its topmost place: overlay refuses a directory that it has already.
std::vector<std::string> directories_of(const Paths& paths, const std::vector<std::string>& layers) {
  std::vector<std::string> directories;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    std::string directory = paths.layer(*layer);
    if (std::find(directories.begin(), directories.end(), directory) == directories.end())
      directories.push_back(std::move(directory));
  }
  std::reverse(directories.begin(), directories.end());
  return directories;
}

std::vector<std::string> familiar_all(const std::vector<std::string>& canonical) {
  std::vector<std::string> names;
  for (const std::string& name : canonical) names.push_back(familiar(name));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<Stage> Stage::make(const Paths& paths) {
  Stage stage;
  stage.directory_ = paths.temporary() + "/" + random_hex(8);
  TRY_OK(sys::make_directory(stage.directory_, 0700));
  return stage;
}

Pins::~Pins() {
  for (const std::string& hex : layers_)
    if (--state_.pinned[hex] == 0) state_.pinned.erase(hex);
}

void Pins::add(const std::string& hex) {
  ++state_.pinned[hex];
  layers_.push_back(hex);
}

Store::State::State(async::Loop& l, StoreSettings s)
    : loop(l), settings(std::move(s)), paths{settings.directory}, changing(l), tasks(l), operation_ended(l) {}

std::vector<ImageUser> Store::State::users_of(const std::string& hex) const {
  return find_users ? find_users(oci::Digest::sha256(hex)) : std::vector<ImageUser>();
}

void Store::State::emit(std::string_view action, const std::string& hex, const std::string& name) const {
  if (on_event) on_event(action, oci::Digest::sha256(hex), name);
}

void Store::State::refresh() {
  std::map<std::string, ImagePtr> next;
  std::set<std::string> parents;
  for (const auto& [hex, record] : catalog.images)
    if (!record.removed) parents.insert(record.parent);
  for (const auto& [hex, record] : catalog.images) {
    const LoadedConfig& config = configs.at(hex);
    auto image = std::make_shared<Image>();
    image->id = oci::Digest::sha256(hex);
    image->repo_tags = familiar_all(record.tags);
    image->repo_digests = familiar_all(record.digests);
    for (const std::string& layer : record.layers) image->size += catalog.layers.at(layer).size;
    image->config = config.config;
    image->config_text = config.text;
    image->layers = directories_of(paths, record.layers);
    image->tagged = record.tagged;
    if (!record.parent.empty()) image->parent = oci::Digest::sha256(record.parent);
    image->step = record.step;
    image->has_children = parents.contains(hex);
    next[hex] = std::move(image);
  }
  images = std::move(next);
}

async::Task<Result<void>> Store::State::change(std::function<Result<void>()> prepare,
                                               std::function<Result<void>(Catalog&)> edit,
                                               std::function<Result<void>()> finish) {
  auto lock = co_await changing.lock();
  if (prepare) {
    Result<void> prepared = co_await loop.blocking(std::move(prepare));
    CO_TRY_OK(std::move(prepared));
  }
  Catalog next = catalog;
  CO_TRY_OK(edit(next));
  auto write = [paths = paths, next] { return write_catalog(paths, next); };
  Result<void> written = co_await loop.blocking(std::move(write));
  CO_TRY_OK(std::move(written));
  catalog = std::move(next);
  refresh();
  if (!finish) co_return Result<void>();
  co_return co_await loop.blocking(std::move(finish));
}

async::Task<Result<ImagePtr>> Store::State::add(NewImage image) {
  auto parsed = oci::parse_image_config(image.config_text);
  if (!parsed) co_return std::unexpected(std::move(parsed).error());
  std::string hex = fs::sha256_hex(image.config_text);
  // Inserted before the change: it makes the image visible from this. A refresh meanwhile may drop it again.
  auto prepare = [paths = paths, hex, image]() -> Result<void> {
    for (const StagedLayer& layer : image.staged) TRY_OK(activate(paths, layer));
    crash_point("image.layers-activated");
    TRY_OK(sys::replace_file(paths.config(hex), image.config_text, 0600, sys::Durability::power));
    crash_point("image.config-written");
    return {};
  };
  auto edit = [this, hex, image, config = *parsed](Catalog& next) -> Result<void> {
    for (const StagedLayer& layer : image.staged)
      next.layers.try_emplace(layer.diff_id, LayerRecord{layer.size, layer.stream, layer.overlapping, {}});
    ImageRecord& record = next.images[hex];
    record.layers.clear();
    for (const oci::Digest& id : config.diff_ids) {
      std::string layer(id.hex());
      auto known = next.layers.find(layer);
      if (known == next.layers.end()) return fail(ErrorCode::internal, "layer {} is missing", layer);
      record.layers.push_back(layer);
      auto blob = image.blobs.find(layer);
      auto& blobs = known->second.blobs;
      if (blob != image.blobs.end() && std::find(blobs.begin(), blobs.end(), blob->second) == blobs.end())
        blobs.push_back(blob->second);
    }
    record.removed = false;
    if (!image.step.empty()) record.step = image.step;
    if (!image.parent.empty() && next.images.contains(image.parent)) record.parent = image.parent;
    for (const std::string& digest : image.digests) next.add_digest(hex, digest);
    for (const std::string& tag : image.tags) next.set_tag(hex, tag);
    configs[hex] = {image.config_text, config};
    return {};
  };
  Result<void> changed = co_await change(std::move(prepare), std::move(edit), nullptr);
  CO_TRY_OK(std::move(changed));
  crash_point("image.catalog-written");
  co_return images.at(hex);
}

namespace {

// Puts what the catalog no longer names into a stage, from where it may be removed at leisure.
Result<void> set_aside(const Paths& paths, std::optional<Stage>& stage, const std::vector<std::string>& layers,
                       const std::vector<std::string>& images) {
  if (!layers.empty()) {
    TRY(stage, Stage::make(paths));
  }
  for (const std::string& hex : layers) {
    if (::rename(paths.layer(hex).c_str(), stage->next().c_str()) < 0) return fail_errno("remove layer " + hex);
    TRY_OK(sys::remove_file(paths.outline(hex)));
  }
  for (const std::string& hex : images) TRY_OK(sys::remove_file(paths.config(hex)));
  return {};
}

}  // namespace

async::Task<> Store::State::collect() {
  std::optional<Stage> stage;
  std::vector<std::string> gone, gone_images;
  // All of these live in this frame until change() is over.
  auto edit = [this, &gone, &gone_images](Catalog& next) -> Result<void> {
    std::erase_if(next.images,
                  [this](const auto& image) { return image.second.removed && users_of(image.first).empty(); });
    for (const auto& [hex, config] : configs)
      if (!next.images.contains(hex)) gone_images.push_back(hex);
    for (const std::string& hex : next.unused_layers()) {
      if (pinned.contains(hex)) continue;
      next.layers.erase(hex);
      doomed.insert(hex);
      gone.push_back(hex);
    }
    return {};
  };
  auto finish = [paths = paths, &stage, &gone, &gone_images] { return set_aside(paths, stage, gone, gone_images); };
  Result<void> removed = co_await change(nullptr, std::move(edit), std::move(finish));
  // Large trees take seconds: nobody waits for them but close().
  if (stage) tasks.spawn("remove layers", discard(*std::move(stage)));
  for (const std::string& hex : gone) doomed.erase(hex);
  // Unless it has come back meanwhile.
  for (const std::string& hex : gone_images)
    if (removed && !catalog.images.contains(hex)) configs.erase(hex);
  if (!removed) log::error("layers were not removed", {{"error", removed.error().text()}});
}

async::Task<> Store::State::discard(Stage stage) {
  auto remove = [directory = stage.directory()] { return fs::remove_tree(directory); };
  Result<void> removed = co_await loop.blocking(std::move(remove));
  if (!removed) log::warning("leftover stays until the next start", {{"error", removed.error().text()}});
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(async::Loop& loop, StoreSettings settings) {
  // A reader that goes away is an error of write(2) here, as for every daemon.
  ::signal(SIGPIPE, SIG_IGN);
  auto state = std::make_unique<State>(loop, std::move(settings));
  const Paths& paths = state->paths;
  // Layers hold setuid files with the ids of containers: nobody but root may reach them.
  TRY_OK(sys::ensure_directories(paths.root, 0700));
  for (const std::string& directory :
       {paths.configs(), paths.layers(), paths.outlines(), paths.downloads(), paths.temporary()})
    TRY_OK(sys::ensure_directories(directory, 0700));
  fs::spread_children(paths.temporary());
  TRY(state->catalog, read_catalog(paths));
  TRY(state->configs, read_configs(paths, state->catalog));
  TRY_OK(tidy(paths, state->catalog));
  state->refresh();
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

async::Task<> Store::close() {
  State& state = *state_;
  state.stopping->store(true);
  for (auto& [key, job] : state.pulls) job->stop->store(true);
  co_await state.tasks.join();
  while (state.operations > 0) co_await state.operation_ended.wait();
}

void Store::set_users(FindUsers find_users) { state_->find_users = std::move(find_users); }
void Store::set_events(ImageEvent on_event) { state_->on_event = std::move(on_event); }

std::vector<ImagePtr> Store::list() const {
  std::vector<ImagePtr> images;
  for (const auto& [hex, image] : state_->images)
    if (!state_->catalog.images.at(hex).removed) images.push_back(image);
  std::sort(images.begin(), images.end(), [](const ImagePtr& a, const ImagePtr& b) {
    return std::tie(b->config.created, a->id) < std::tie(a->config.created, b->id);
  });
  return images;
}

Result<ImagePtr> Store::find(std::string_view name) const {
  TRY(std::string hex, state_->catalog.find(name));
  return state_->images.at(hex);
}

Result<ImagePtr> Store::find_held(const oci::Digest& id) const {
  auto image = state_->images.find(std::string(id.hex()));
  if (image == state_->images.end()) return fail(ErrorCode::not_found, "No such image: {}", id.text());
  return image->second;
}

DiskUsage Store::disk_usage() const {
  DiskUsage usage;
  std::map<std::string, int> uses;
  for (const auto& [hex, record] : state_->catalog.images)
    for (const std::string& layer : record.layers) ++uses[layer];
  for (const auto& [hex, layer] : state_->catalog.layers) usage.layers_bytes += layer.size;
  for (const auto& [hex, record] : state_->catalog.images) {
    std::uint64_t shared = 0;
    for (const std::string& layer : record.layers)
      if (uses[layer] > 1) shared += state_->catalog.layers.at(layer).size;
    usage.shared.emplace_back(oci::Digest::sha256(hex), shared);
  }
  return usage;
}

async::Task<Result<void>> Store::tag(std::string source, oci::Reference reference) {
  State& state = *state_;
  Operation operation(state);
  if (reference.digest) co_return fail(ErrorCode::invalid, "refusing to create a tag with a digest reference");
  std::string canonical = reference.with_default_tag().canonical();
  auto edit = [source, canonical](Catalog& next) -> Result<void> {
    TRY(std::string hex, next.find(source));
    next.set_tag(hex, canonical);
    return {};
  };
  Result<void> changed = co_await state.change(nullptr, std::move(edit), nullptr);
  CO_TRY_OK(std::move(changed));
  if (const std::string* hex = state.catalog.find_canonical(canonical)) state.emit("tag", *hex, familiar(canonical));
  co_return Result<void>();
}

async::Task<Result<std::vector<Removal>>> Store::remove(std::string name, RemoveOptions options) {
  State& state = *state_;
  Operation operation(state);
  std::vector<Removal> removals;
  std::string hex;
  // removals and hex live in this frame until change() is over.
  auto edit = [&state, &removals, &hex, name, force = options.force,
               prune_parents = options.prune_parents](Catalog& next) -> Result<void> {
    TRY(hex, next.find(name));
    std::string parent = next.images.at(hex).parent;
    TRY(removals, next.remove(name, force, state.users_of(hex)));
    if (prune_parents && !next.images.contains(hex)) {
      auto in_use = [&state](const std::string& id) { return !state.users_of(id).empty(); };
      for (Removal& removal : next.remove_nameless(parent, in_use)) removals.push_back(std::move(removal));
    }
    return {};
  };
  Result<void> changed = co_await state.change(nullptr, std::move(edit), nullptr);
  CO_TRY_OK(std::move(changed));
  co_await state.collect();
  for (const Removal& removal : removals) {
    if (!removal.untagged.empty()) state.emit("untag", hex, removal.untagged);
    if (!removal.deleted.empty()) state.emit("delete", hex, removal.deleted);
  }
  co_return removals;
}

async::Task<Result<PruneResult>> Store::prune(bool all, std::function<bool(const Image&)> chosen) {
  State& state = *state_;
  Operation operation(state);
  PruneResult result;
  std::vector<std::string> pruned;
  // result and pruned live in this frame until change() is over.
  auto edit = [&state, &result, &pruned, all, chosen = std::move(chosen)](Catalog& next) -> Result<void> {
    auto in_use = [&state](const std::string& id) { return !state.users_of(id).empty(); };
    auto prune_one = [&](const std::string& hex, const Image& image) {
      auto at = next.images.find(hex);
      if (at == next.images.end()) return false;
      const ImageRecord& record = at->second;
      bool skip = record.removed || (!all && !record.tags.empty()) || (chosen && !chosen(image));
      if (skip || next.has_children(hex) || in_use(hex)) return false;
      std::string parent = record.parent;
      for (Removal& removal : next.remove_image(hex, false)) result.removed.push_back(std::move(removal));
      for (Removal& removal : next.remove_nameless(parent, in_use)) result.removed.push_back(std::move(removal));
      pruned.push_back(hex);
      return true;
    };
    // An image can go only after those that were made from it.
    for (bool again = true; again;) {
      again = false;
      for (const auto& [hex, image] : state.images) again |= prune_one(hex, *image);
    }
    for (const std::string& layer : next.unused_layers())
      if (!state.pinned.contains(layer)) result.reclaimed += next.layers.at(layer).size;
    return {};
  };
  Result<void> changed = co_await state.change(nullptr, std::move(edit), nullptr);
  CO_TRY_OK(std::move(changed));
  co_await state.collect();
  for (const std::string& hex : pruned) state.emit("delete", hex, "sha256:" + hex);
  co_return result;
}

async::Task<> Store::collect_garbage() {
  State& state = *state_;
  // All else is collected where it becomes garbage, and most removals of containers leave none.
  auto awaits_its_containers = [](const auto& image) { return image.second.removed; };
  if (std::ranges::none_of(state.catalog.images, awaits_its_containers)) co_return;
  Operation operation(state);
  co_await state.collect();
}

}  // namespace berth::image
