// Store::pull: manifest, configuration and layers of one image, by several callers at once if they ask for the same.
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/crash_point.h"
#include "base/log.h"
#include "image/detail/fetch.h"
#include "image/detail/registry.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"
#include "oci/manifest.h"
#include "sys/file.h"

namespace berth::image {

namespace {

constexpr std::size_t kMaxConfig = 4 << 20;
constexpr int kMaxNesting = 4;

// What the registry says the image is.
struct Plan {
  oci::Digest top;  // of what the reference names: manifest or index
  oci::Manifest manifest;
  std::string config_text;
  oci::ImageConfig config;
  std::string image_id;  // hex
};

// A pull under way. Lives in its task's frame; the threads that work get parts of it.
struct Pull {
  Store::State& state;
  std::shared_ptr<PullJob> job;
  PullRequest request;
  std::shared_ptr<Registry> registry;
  Reporter reporter;
  Plan plan;
  std::optional<Stage> stage;
  Pins pins;

  Pull(Store::State& s, std::shared_ptr<PullJob> j, PullRequest r)
      : state(s),
        job(j),
        request(std::move(r)),
        registry(std::make_shared<Registry>(
            RegistrySettings{s.settings.insecure_registries, s.settings.registry_mirrors, s.settings.user_agent},
            request.reference, request.credentials, Access::pull, j->stop)),
        reporter(s.loop, [j](const ProgressEvent& event) { j->report(event); }),
        pins(s) {}
};

Result<Plan> make_plan(Registry& registry, const PullRequest& request) {
  TRY_OK(registry.connect());
  Plan plan;
  oci::Reference at = request.reference;
  oci::Platform platform = request.platform.value_or(oci::host_platform());
  if (platform.os != "linux")
    return fail(ErrorCode::unsupported, "{} images are not supported: only linux ones run here", platform.os);
  for (int i = 0; i < kMaxNesting && plan.config_text.empty(); ++i) {
    TRY(FetchedManifest fetched, registry.manifest(at));
    if (plan.top.empty()) plan.top = fetched.digest;
    TRY(oci::AnyManifest any, oci::parse_manifest(fetched.text, fetched.media_type));
    if (auto* index = std::get_if<oci::Index>(&any)) {
      TRY(oci::Descriptor chosen, oci::choose(*index, platform));
      at = request.reference.with_digest(chosen.digest);
      continue;
    }
    plan.manifest = std::move(std::get<oci::Manifest>(any));
    TRY(plan.config_text, registry.blob_text(plan.manifest.config, kMaxConfig));
  }
  if (plan.config_text.empty()) return fail(ErrorCode::invalid, "the image's indexes nest too deep");
  TRY(plan.config, oci::parse_image_config(plan.config_text));
  plan.image_id = plan.manifest.config.digest.hex();
  if (plan.config.diff_ids.size() != plan.manifest.layers.size())
    return fail(ErrorCode::invalid, "layers from manifest don't match image configuration");
  // A single manifest has no platform to choose by; its configuration tells.
  bool is_foreign = plan.config.os != "linux" || plan.config.architecture != platform.architecture;
  if (is_foreign)
    return fail(ErrorCode::not_found,
                "image with reference {} was found but does not match the specified platform: wanted {}, actual: {}/{}",
                request.reference.familiar(), oci::print_platform(platform), plan.config.os, plan.config.architecture);
  return plan;
}

struct LayerOrder {
  oci::Descriptor blob;
  oci::Digest diff_id;
};

// What the workers of one pull share.
struct Layers {
  std::deque<LayerOrder> left;
  std::vector<StagedLayer> staged;
  std::optional<Error> failure;
};

std::shared_ptr<async::Mutex> download_mutex(Store::State& state, const std::string& digest) {
  std::erase_if(state.downloads, [](const auto& entry) { return entry.second.expired(); });
  auto mutex = state.downloads[digest].lock();
  if (!mutex) {
    mutex = std::make_shared<async::Mutex>(state.loop);
    state.downloads[digest] = mutex;
  }
  return mutex;
}

async::Task<Result<void>> pull_layer(Pull& pull, Layers& layers, LayerOrder layer) {
  Store::State& state = pull.state;
  std::string id(layer.blob.digest.short_hex());
  auto mutex = download_mutex(state, layer.blob.digest.text());
  auto lock = co_await mutex->lock();
  std::string hex(layer.diff_id.hex());
  pull.pins.add(hex);
  // Another pull may have brought it while this one waited.
  if (state.has_layer(hex)) {
    pull.reporter.status("Already exists", id);
    co_return Result<void>();
  }
  FetchOrder order{layer.blob, layer.diff_id, state.paths.downloads() + "/" + std::string(layer.blob.digest.hex()),
                   pull.stage->next(), state.settings.limits.blob_bytes};
  auto total = static_cast<std::int64_t>(layer.blob.size);
  Reporter* reporter = &pull.reporter;  // outlives the work: the pull waits for it
  FetchProgress progress;
  progress.downloading = [reporter, id, total](std::uint64_t bytes) {
    reporter->amount("Downloading", id, static_cast<std::int64_t>(bytes), total);
  };
  progress.downloaded = [reporter, id, total] {
    reporter->status("Verifying Checksum", id);
    reporter->status("Download complete", id);
    reporter->amount("Extracting", id, total, total);
  };
  auto work = [registry = pull.registry, settings = state.unpack_settings(), order, progress] {
    return fetch_layer(*registry, settings, order, progress);
  };
  Result<StagedLayer> staged = co_await state.loop.dedicated(std::move(work));
  if (!staged) co_return std::unexpected(std::move(staged).error());
  layers.staged.push_back(*std::move(staged));
  pull.reporter.status("Pull complete", id);
  co_return Result<void>();
}

async::Task<> work_off(Pull& pull, Layers& layers) {
  while (!layers.left.empty() && !layers.failure) {
    LayerOrder layer = std::move(layers.left.front());
    layers.left.pop_front();
    Result<void> done = co_await pull_layer(pull, layers, layer);
    if (done || layers.failure) continue;
    layers.failure = std::move(done).error();
    pull.job->stop->store(true);
  }
}

async::Task<Result<std::vector<StagedLayer>>> pull_layers(Pull& pull) {
  Layers layers;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < pull.plan.manifest.layers.size(); ++i) {
    LayerOrder layer{pull.plan.manifest.layers[i], pull.plan.config.diff_ids[i]};
    if (!seen.insert(std::string(layer.diff_id.hex())).second) continue;
    std::string id(layer.blob.digest.short_hex());
    if (pull.state.has_layer(std::string(layer.diff_id.hex()))) {
      pull.pins.add(std::string(layer.diff_id.hex()));
      pull.reporter.status("Already exists", id);
      continue;
    }
    pull.reporter.status("Pulling fs layer", id);
    if (layers.left.size() >= pull.state.settings.parallel_downloads) pull.reporter.status("Waiting", id);
    layers.left.push_back(std::move(layer));
  }
  // The workers use this frame, which waits for all of them.
  async::TaskGroup workers(pull.state.loop);
  for (std::size_t i = 0; i < pull.state.settings.parallel_downloads; ++i)
    workers.spawn("pull worker", work_off(pull, layers));
  co_await workers.join();
  if (layers.failure) co_return std::unexpected(*std::move(layers.failure));
  co_return std::move(layers.staged);
}

bool is_up_to_date(const Pull& pull) {
  oci::Reference reference = pull.request.reference;
  if (reference.digest) reference.tag.reset();
  const std::string* id = pull.state.catalog.find_canonical(reference.canonical());
  return id != nullptr && *id == pull.plan.image_id;
}

NewImage new_image(const Pull& pull, std::vector<StagedLayer> staged) {
  const oci::Reference& reference = pull.request.reference;
  NewImage image;
  image.config_text = pull.plan.config_text;
  if (!reference.digest) image.tags = {reference.canonical()};
  image.digests = {reference.with_digest(pull.plan.top).canonical()};
  image.staged = std::move(staged);
  for (std::size_t i = 0; i < pull.plan.manifest.layers.size(); ++i) {
    const oci::Descriptor& blob = pull.plan.manifest.layers[i];
    image.blobs[std::string(pull.plan.config.diff_ids[i].hex())] = {blob.digest.text(), blob.size, blob.media_type,
                                                                    reference.name()};
  }
  return image;
}

async::Task<Result<PullResult>> fetch_image(Pull& pull) {
  Store::State& state = pull.state;
  const oci::Reference& reference = pull.request.reference;
  auto plan = [registry = pull.registry, request = pull.request] { return make_plan(*registry, request); };
  Result<Plan> made = co_await state.loop.dedicated(std::move(plan));
  if (!made) co_return std::unexpected(std::move(made).error());
  crash_point("pull.manifest-read");
  pull.plan = *std::move(made);
  pull.reporter.status("Pulling from " + reference.path, reference.version());
  bool up_to_date = is_up_to_date(pull);
  auto make_stage = [paths = state.paths] { return Stage::make(paths); };
  Result<Stage> stage = co_await state.loop.blocking(std::move(make_stage));
  if (!stage) co_return std::unexpected(std::move(stage).error());
  crash_point("pull.stage-made");
  pull.stage = *stage;
  Result<std::vector<StagedLayer>> staged = co_await pull_layers(pull);
  if (!staged) co_return std::unexpected(std::move(staged).error());
  crash_point("pull.layers-staged");
  Result<ImagePtr> image = co_await state.add(new_image(pull, *std::move(staged)));
  if (!image) co_return std::unexpected(std::move(image).error());
  // The blobs have served: the layers' streams can be made again without them.
  auto tidy = [paths = state.paths, manifest = pull.plan.manifest] {
    for (const oci::Descriptor& layer : manifest.layers)
      (void)sys::remove_file(paths.downloads() + "/" + std::string(layer.digest.hex()));
  };
  co_await state.loop.blocking(std::move(tidy));
  crash_point("pull.done");
  pull.reporter.status("Digest: " + pull.plan.top.text());
  pull.reporter.status(fmt::format("Status: {} for {}", up_to_date ? "Image is up to date" : "Downloaded newer image",
                                   reference.familiar()));
  state.emit("pull", pull.plan.image_id, reference.familiar());
  co_return PullResult{*image, pull.plan.top, up_to_date};
}

async::Task<> run_pull(Store::State& state, std::shared_ptr<PullJob> job, PullRequest request, std::string key) {
  Result<PullResult> result = fail(ErrorCode::internal, "the pull has not run");
  {
    Pull pull(state, job, std::move(request));
    result = co_await fetch_image(pull);
    if (pull.stage) co_await state.discard(*pull.stage);
    co_await async::yield();  // what was reported is told before the end
  }
  // A layer that only this failed pull had in place is none's.
  if (!result) co_await state.collect();
  state.pulls.erase(key);
  job->finish(std::move(result));
}

// Callers with different logins must not share: one's right to an image is not the other's.
std::string key_of(const PullRequest& request) {
  const Credentials& who = request.credentials;
  std::string key = request.reference.canonical();
  if (request.platform) key += " " + oci::print_platform(*request.platform);
  for (const std::string& part : {who.username, who.password, who.identity_token, who.registry_token})
    key += '\0' + part;
  return key;
}

}  // namespace

async::Task<Result<PullResult>> Store::pull(PullRequest request, Progress progress) {
  State& state = *state_;
  Operation operation(state);
  request.reference = request.reference.with_default_tag();
  if (request.reference.digest) request.reference.tag.reset();
  std::string key = key_of(request);
  std::shared_ptr<PullJob> job;
  auto running = state.pulls.find(key);
  // One that has been given up but still winds down cannot be joined.
  while (running != state.pulls.end() && running->second->stop->load()) {
    job = running->second;
    co_await job->ended();
    if (!job->finished()) co_return fail(ErrorCode::cancelled, "context canceled");
    running = state.pulls.find(key);
  }
  if (running != state.pulls.end()) {
    job = running->second;
  } else {
    job = std::make_shared<PullJob>(state.loop);
    state.pulls[key] = job;
    state.tasks.spawn("pull " + request.reference.familiar(), run_pull(state, job, request, key));
  }
  co_return co_await job->wait(std::move(progress));
}

}  // namespace berth::image
