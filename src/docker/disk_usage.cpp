// GET /system/df: what images, containers, volumes and build cache take on disk.
#include <algorithm>

#include "docker/api.h"
#include "docker/inspect.h"
#include "docker/sizes.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

json::Array print_images(Api& api, const image::DiskUsage& usage, bool with_virtual_size) {
  json::Array images;
  for (const image::ImagePtr& image : api.images().list()) {
    std::uint64_t shared = 0;
    for (const auto& [id, bytes] : usage.shared)
      if (id == image->id) shared = bytes;
    json::Object shown{{"Containers", api.engine.using_image(image->id.text()).size()},
                       {"Created", image->config.created.nanoseconds / 1'000'000'000},
                       {"Id", image->id.text()},
                       {"Labels", json::encode(image->config.config.labels)},
                       {"ParentId", ""},
                       {"RepoDigests", json::encode(image->repo_digests)},
                       {"RepoTags", json::encode(image->repo_tags)},
                       {"SharedSize", shared},
                       {"Size", image->size}};
    if (with_virtual_size) shown["VirtualSize"] = image->size;
    images.push_back(std::move(shown));
  }
  return images;
}

Task<json::Array> print_containers(Api& api) {
  json::Array containers;
  for (const auto& container : api.engine.list()) {
    // One that was removed meanwhile uses nothing.
    auto size = co_await measure(api, container);
    if (size) containers.push_back(print_summary(api, *container, *size));
  }
  co_return containers;
}

Task<json::Array> print_volumes(Api& api) {
  json::Array volumes;
  for (const volume::Volume& volume : api.volumes().list()) {
    auto bytes = co_await api.volumes().usage(volume.name);
    if (!bytes) continue;
    volumes.push_back(json::Object{
        {"CreatedAt", format_rfc3339(volume.created)},
        {"Driver", volume.driver},
        {"Labels", json::encode(volume.labels)},
        {"Mountpoint", volume.mountpoint},
        {"Name", volume.name},
        {"Options", volume.options.empty() ? json::Value(nullptr) : json::encode(volume.options)},
        {"Scope", "local"},
        {"UsageData", json::Object{{"RefCount", api.engine.using_volume(volume.name).size()}, {"Size", *bytes}}}});
  }
  co_return volumes;
}

// `type` may be given several times, since API 1.42; what was not asked for is null.
Task<Result<void>> disk_usage(Api& api, Exchange& exchange) {
  std::vector<std::string> types = exchange.request.query.all("type");
  for (const std::string& type : types)
    if (type != "container" && type != "image" && type != "volume" && type != "build-cache")
      co_return fail(ErrorCode::invalid, "unknown object type: {}", type);
  auto wanted = [&types](std::string_view type) {
    return types.empty() || std::ranges::find(types, type) != types.end();
  };
  json::Object answer{
      {"LayersSize", 0}, {"Images", nullptr}, {"Containers", nullptr}, {"Volumes", nullptr}, {"BuildCache", nullptr}};
  if (wanted("image")) {
    image::DiskUsage usage = api.images().disk_usage();
    answer["LayersSize"] = usage.layers_bytes;
    answer["Images"] = print_images(api, usage, !speaks(exchange, "1.44"));
  }
  if (wanted("container")) answer["Containers"] = co_await print_containers(api);
  if (wanted("volume")) answer["Volumes"] = co_await print_volumes(api);
  if (wanted("build-cache")) answer["BuildCache"] = json::Array{};
  if (!speaks(exchange, "1.42")) answer["BuilderSize"] = 0;
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_disk_usage_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /system/df", disk_usage, {.on_gone = http::OnGone::cancel});
}

}  // namespace berth::docker
