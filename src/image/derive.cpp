// Store::derive: an image on top of another, as commit and each step of a build make it; and Store::extract, which
// gives a build its context.
#include "base/crash_point.h"
#include "image/detail/import.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"
#include "sys/file.h"

namespace berth::image {

namespace {

// The diff id of a tar stream that holds nothing but its end mark. Docker lists no such layer.
constexpr std::string_view kEmptyLayer = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

Result<StagedLayer> write_staged(const UnpackSettings& settings, Stage& stage, const WriteLayer& write_layer) {
  TRY(Unpacking unpacking, Unpacking::start(settings, stage.next()));
  fs::BufferedSink buffered(unpacking, 256 << 10);
  auto written = write_layer(buffered);
  if (written) written = buffered.flush();
  // When the child has given up, its reason is the better one.
  if (!written && !unpacking.has_given_up()) return std::unexpected(std::move(written).error());
  return unpacking.finish();
}

oci::ImageConfig complete(DeriveRequest& request, const std::optional<oci::Digest>& layer) {
  oci::ImageConfig config = std::move(request.config);
  oci::Platform host = oci::host_platform();
  if (!config.created.is_set()) config.created = now();
  if (config.architecture.empty()) config.architecture = host.architecture;
  if (config.os.empty()) config.os = host.os;
  config.diff_ids = request.base ? request.base->config.diff_ids : std::vector<oci::Digest>();
  if (layer) config.diff_ids.push_back(*layer);
  if (!config.history.empty()) config.history.back().empty_layer = !layer;
  return config;
}

}  // namespace

async::Task<Result<ImagePtr>> Store::derive(DeriveRequest request, WriteLayer write_layer) {
  State& state = *state_;
  Operation operation(state);
  Pins pins(state);
  if (request.base)
    for (const oci::Digest& id : request.base->config.diff_ids) pins.add(std::string(id.hex()));
  if (request.layer) pins.add(std::string(request.layer->hex()));
  std::optional<oci::Digest> layer = request.layer;
  std::optional<Stage> stage;
  NewImage parts;
  Result<void> written;
  if (write_layer) {
    // This frame waits for the work.
    auto work = [&stage, &write_layer, paths = state.paths,
                 settings = state.unpack_settings()]() -> Result<StagedLayer> {
      TRY(stage, Stage::make(paths));
      return write_staged(settings, *stage, write_layer);
    };
    Result<StagedLayer> staged = co_await state.loop.dedicated(std::move(work));
    if (!staged) {
      written = std::unexpected(std::move(staged).error());
    } else if (staged->diff_id != kEmptyLayer) {
      layer = oci::Digest::sha256(staged->diff_id);
      parts.staged = {*staged};
    }
  }
  crash_point("derive.layer-staged");
  Result<ImagePtr> image = ImagePtr();
  if (written) {
    if (request.base) parts.parent = request.base->id.hex();
    parts.step = request.step;
    for (const oci::Reference& reference : request.references)
      parts.tags.push_back(reference.with_default_tag().canonical());
    parts.config_text = oci::print_image_config(complete(request, layer));
    image = co_await state.add(std::move(parts));
    crash_point("derive.done");
  } else {
    image = std::unexpected(std::move(written).error());
  }
  if (stage) co_await state.discard(*std::move(stage));
  if (image)
    for (const oci::Reference& reference : request.references)
      state.emit("tag", std::string((*image)->id.hex()), reference.with_default_tag().familiar());
  co_return image;
}

ImagePtr Store::find_step(const oci::Digest& parent, std::string_view step) const {
  ImagePtr newest;
  for (const auto& [hex, image] : state_->images) {
    if (image->step != step || image->parent != parent || state_->catalog.images.at(hex).removed) continue;
    if (!newest || image->config.created > newest->config.created) newest = image;
  }
  return newest;
}

namespace {

Result<Store::Extracted> extract_plain(UnpackSettings settings, int archive, const std::string& directory) {
  settings.limits.plain = true;
  TRY(Unpacking unpacking, Unpacking::start(settings, directory));
  std::vector<char> buffer(256 << 10);
  fs::FdSource source(archive);
  while (true) {
    TRY(std::size_t got, source.read(buffer));
    if (got == 0) break;
    auto written = unpacking.write({buffer.data(), got});
    if (!written && unpacking.has_given_up()) break;
    TRY_OK(std::move(written));
  }
  auto layer = unpacking.finish();
  if (layer) return Store::Extracted{.bytes = layer->size};
  // What failed before its first entry was no archive.
  auto made = sys::list_directory(directory + "/root");
  if (layer.error().code() == ErrorCode::invalid && made && made->empty()) return Store::Extracted{.is_archive = false};
  return std::unexpected(std::move(layer).error());
}

}  // namespace

async::Task<Result<Store::Extracted>> Store::extract(sys::UniqueFd archive, std::string directory) {
  State& state = *state_;
  Operation operation(state);
  auto work = [&archive, settings = state.unpack_settings(), directory = std::move(directory)] {
    return extract_plain(settings, archive.get(), directory);
  };
  co_return co_await state.loop.dedicated(std::move(work));
}

}  // namespace berth::image
