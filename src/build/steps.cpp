// What a step leaves behind: an image, made now or found in the cache.
#include "base/crash_point.h"
#include "base/text.h"
#include "build/detail/build.h"
#include "engine/root_view.h"
#include "fs/digest.h"

namespace berth::build {

using async::Task;
using image::ImagePtr;

Lookup Build::variables(const StageState& state) const {
  return [this, &state](std::string_view name) { return arguments_.find(name, state.draft.config.env); };
}

// How the history of an image shows a step that runs nothing.
std::string Build::nop(const StageState& state, std::string_view text, bool spaced) const {
  return fmt::format("{} #(nop) {}{}", join(shell_of(state.draft.config), " "), spaced ? " " : "", text);
}

Result<RootPtr> Build::root_of(const ImagePtr& image) const {
  if (!image || image->layers.empty()) return RootPtr();
  TRY(sys::UniqueFd view, engine::open_image_view(image->layers));
  return std::make_shared<const fs::RootDir>(std::move(view));
}

std::string Build::step_key(const StageState& state, const StepResult& result) const {
  fs::Sha256 hash;
  std::string config = json::print(oci::print_container_defaults(state.draft.config));
  for (std::string_view part :
       {std::string_view(result.history), std::string_view(result.key), std::string_view(config)})
    hash.update(fmt::format("{}:{}\n", part.size(), part));
  return hash.hex();
}

// Whether a cache source was made by way of this image.
bool Build::sources_descend_from(const ImagePtr& image) const {
  for (const std::string& name : request_.cache_from) {
    auto source = images().find(name);
    while (source) {
      if ((*source)->id == image->id) return true;
      if ((*source)->parent.empty()) break;
      source = images().find_held((*source)->parent);
    }
  }
  return false;
}

// The same step in the history of an image that came from elsewhere, which has no parent here.
Task<Result<bool>> Build::from_sources(StageState& state, const StepResult& result) {
  std::size_t steps = state.image ? state.image->config.history.size() : 0;
  std::size_t layers = state.image ? state.image->config.diff_ids.size() : 0;
  for (const std::string& name : request_.cache_from) {
    auto source = images().find(name);
    if (!source) continue;
    const oci::ImageConfig& config = (*source)->config;
    if (config.history.size() <= steps || config.history[steps].created_by != result.history) continue;
    bool same = true;
    for (std::size_t i = 0; same && i < steps; ++i)
      same = config.history[i].created_by == state.image->config.history[i].created_by;
    for (std::size_t i = 0; same && i < layers; ++i)
      same = i < config.diff_ids.size() && config.diff_ids[i] == state.image->config.diff_ids[i];
    const oci::History& entry = config.history[steps];
    if (!same || (!entry.empty_layer && config.diff_ids.size() <= layers)) continue;
    image::DeriveRequest request;
    request.base = state.image;
    if (state.image) request.config = state.image->config;
    request.config.created = entry.created;
    request.config.config = state.draft.config;
    request.config.history.push_back(entry);
    request.step = step_key(state, result);
    if (!entry.empty_layer) request.layer = config.diff_ids[layers];
    CO_TRY(state.image, co_await images().derive(std::move(request), {}));
    co_return true;
  }
  co_return false;
}

Task<Result<bool>> Build::from_cache(StageState& state, const StepResult& result) {
  if (!request_.use_cache || state.cache_lost) co_return false;
  ImagePtr found = images().find_step(state.image ? state.image->id : oci::Digest(), step_key(state, result));
  // With sources named, nothing but what leads to one of them counts.
  if (found && (request_.cache_from.empty() || sources_descend_from(found))) {
    state.image = found;
  } else {
    CO_TRY(bool taken, co_await from_sources(state, result));
    if (!taken) {
      state.cache_lost = true;
      co_return false;
    }
  }
  say(" ---> Using cache\n");
  say_image(state.image);
  co_return true;
}

Task<Result<void>> Build::finish_step(StageState& state, StepResult result) {
  CO_TRY(bool cached, co_await from_cache(state, result));
  if (cached) co_return Result<void>();
  co_return co_await finish_made(state, std::move(result));
}

Task<Result<void>> Build::finish_made(StageState& state, StepResult result) {
  image::DeriveRequest request;
  request.base = state.image;
  if (state.image) request.config = state.image->config;
  if (request_.platform && !state.image) {
    request.config.os = request_.platform->os;
    request.config.architecture = request_.platform->architecture;
    request.config.variant = request_.platform->variant;
  }
  request.config.created = now();
  if (!state.draft.author.empty()) request.config.author = state.draft.author;
  request.config.config = state.draft.config;
  request.config.history.push_back({request.config.created, result.history, request.config.author, "", false});
  request.step = step_key(state, result);
  CO_TRY(state.image, co_await images().derive(std::move(request), std::move(result.layer)));
  crash_point("build.step-done");
  say_image(state.image);
  co_return Result<void>();
}

}  // namespace berth::build
