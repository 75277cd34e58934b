// Store::import and import_directory: a root file system becomes an image of one layer.
#include "image/detail/import.h"
#include "fs/pack.h"
#include "fs/root_dir.h"
#include "image/detail/reporter.h"
#include "image/detail/state.h"

namespace berth::image {

Result<StagedLayer> unpack_stream(const UnpackSettings& settings, Stage& stage, int archive, Reporter& reporter) {
  TRY(Unpacking unpacking, Unpacking::start(settings, stage.next()));
  std::vector<char> buffer(256 << 10);
  fs::FdSource source(archive);
  std::int64_t done = 0;
  while (true) {
    TRY(std::size_t got, source.read(buffer));
    if (got == 0) break;
    done += static_cast<std::int64_t>(got);
    reporter.amount("Importing", "", done, 0);
    auto written = unpacking.write({buffer.data(), got});
    if (!written && written.error().code() == ErrorCode::cancelled) break;
    TRY_OK(std::move(written));
  }
  return unpacking.finish();
}

namespace {

Result<StagedLayer> unpack_directory(const UnpackSettings& settings, Stage& stage, const std::string& directory) {
  TRY(fs::RootDir root, fs::RootDir::open_host(directory));
  TRY(Unpacking unpacking, Unpacking::start(settings, stage.next()));
  fs::BufferedSink buffered(unpacking, 256 << 10);
  auto packed = fs::pack(root, "", buffered, {});
  if (packed) packed = buffered.flush();
  // When the child has given up, its reason is the better one.
  if (!packed && packed.error().code() != ErrorCode::cancelled) return std::unexpected(std::move(packed).error());
  return unpacking.finish();
}

oci::ImageConfig complete(ImportRequest& request, const StagedLayer& layer) {
  oci::ImageConfig config = std::move(request.config);
  oci::Platform host = oci::host_platform();
  if (!config.created.is_set()) config.created = now();
  if (config.architecture.empty()) config.architecture = host.architecture;
  if (config.os.empty()) config.os = host.os;
  config.diff_ids = {oci::Digest::sha256(layer.diff_id)};
  config.history = {{config.created, "", config.author, request.comment, false}};
  return config;
}

}  // namespace

async::Task<Result<ImagePtr>> import_layer(Store::State& state, ImportRequest request, MakeLayer make_layer,
                                           Reporter& reporter) {
  auto make_stage = [paths = state.paths] { return Stage::make(paths); };
  Result<Stage> stage = co_await state.loop.blocking(std::move(make_stage));
  if (!stage) co_return std::unexpected(std::move(stage).error());
  // stage and reporter outlive the work: this frame and the caller's wait for it.
  auto work = [&stage, &reporter, settings = state.unpack_settings(), make_layer = std::move(make_layer)] {
    return make_layer(settings, *stage, reporter);
  };
  Result<StagedLayer> layer = co_await state.loop.dedicated(std::move(work));
  Result<ImagePtr> image = ImagePtr();
  if (layer) {
    NewImage parts;
    parts.config_text = oci::print_image_config(complete(request, *layer));
    parts.staged = {*layer};
    if (request.reference) parts.tags = {request.reference->with_default_tag().canonical()};
    image = co_await state.add(std::move(parts));
  } else {
    image = std::unexpected(std::move(layer).error());
  }
  co_await state.discard(*std::move(stage));
  if (image) {
    reporter.status((*image)->id.text());
    state.emit("import", std::string((*image)->id.hex()),
               request.reference ? request.reference->with_default_tag().familiar() : (*image)->id.text());
  }
  co_await async::yield();  // what was reported is told before the end
  co_return image;
}

async::Task<Result<ImagePtr>> Store::import(ImportRequest request, sys::UniqueFd archive, Progress progress) {
  State& state = *state_;
  Operation operation(state);
  Reporter reporter(state.loop, std::move(progress));
  auto shared = std::make_shared<sys::UniqueFd>(std::move(archive));
  MakeLayer make_layer = [shared](const UnpackSettings& settings, Stage& stage, Reporter& to) {
    return unpack_stream(settings, stage, shared->get(), to);
  };
  co_return co_await import_layer(state, std::move(request), std::move(make_layer), reporter);
}

async::Task<Result<ImagePtr>> Store::import_directory(ImportRequest request, std::string directory, Progress progress) {
  State& state = *state_;
  Operation operation(state);
  Reporter reporter(state.loop, std::move(progress));
  MakeLayer make_layer = [directory](const UnpackSettings& settings, Stage& stage, Reporter&) {
    return unpack_directory(settings, stage, directory);
  };
  co_return co_await import_layer(state, std::move(request), std::move(make_layer), reporter);
}

}  // namespace berth::image
