// Volumes: list, inspect, create, remove, prune.
#include "docker/api.h"
#include "docker/fields.h"
#include "docker/filters.h"
#include "docker/policy.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

json::Value print_volume(const volume::Volume& volume) {
  auto map_or_null = [](const std::map<std::string, std::string>& map) {
    return map.empty() ? json::Value(nullptr) : json::encode(map);
  };
  return json::Object{{"CreatedAt", format_rfc3339(volume.created)},
                      {"Driver", volume.driver},
                      {"Labels", map_or_null(volume.labels)},
                      {"Mountpoint", volume.mountpoint},
                      {"Name", volume.name},
                      {"Options", map_or_null(volume.options)},
                      {"Scope", "local"}};
}

Result<volume::Volume> find(Api& api, const Exchange& exchange) {
  const std::string& name = exchange.request.param("name");
  TRY(volume::Volume volume, api.volumes().find(name));
  if (!sees(access_of(exchange), volume)) return fail(ErrorCode::not_found, "get {}: no such volume", name);
  return volume;
}

Task<Result<void>> list(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters,
         Filters::parse(exchange.request.query.get("filters"), {"dangling", "driver", "label", "name"}));
  json::Array shown;
  for (const volume::Volume& volume : api.volumes().list()) {
    if (!sees(access_of(exchange), volume) || !filters.match("name", volume.name) ||
        !filters.exact("driver", volume.driver) || !filters.labels(volume.labels))
      continue;
    if (filters.has("dangling")) {
      CO_TRY(bool dangling, filters.truth("dangling", true));
      if (dangling != api.engine.using_volume(volume.name).empty()) continue;
    }
    shown.push_back(print_volume(volume));
  }
  json::Object answer{{"Volumes", std::move(shown)}, {"Warnings", nullptr}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

Task<Result<void>> inspect(Api& api, Exchange& exchange) {
  CO_TRY(volume::Volume volume, find(api, exchange));
  co_return co_await exchange.respond_json(200, print_volume(volume));
}

Result<volume::VolumeSpec> decode_volume(const json::Value& body) {
  Fields fields(body, "");
  volume::VolumeSpec spec;
  spec.name = fields.take<std::string>("Name");
  std::string driver = fields.take<std::string>("Driver");
  if (!driver.empty()) spec.driver = driver;
  spec.labels = fields.take<std::map<std::string, std::string>>("Labels");
  spec.options = fields.take<std::map<std::string, std::string>>("DriverOpts");
  TRY_OK(fields.finish_body({"ClusterVolumeSpec"}));
  return spec;
}

void publish(Api& api, std::string action, const volume::Volume& volume) {
  api.engine.events().publish({.type = "volume",
                               .action = std::move(action),
                               .id = volume.name,
                               .attributes = {{"driver", volume.driver}},
                               .time = now()});
}

Task<Result<void>> create(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  CO_TRY(volume::VolumeSpec spec, decode_volume(body));
  bool portal = access_of(exchange) == Access::portal;
  // They lead to any directory of the host.
  if (portal && !spec.options.empty()) co_return fail(ErrorCode::denied, "volumes of the portal take no options");
  if (portal) spec.labels[std::string(kPortalVolumeLabel)] = "portal";
  auto existing = api.volumes().find(spec.name);
  if (existing && !sees(access_of(exchange), *existing))
    co_return fail(ErrorCode::denied, "the volume name {} is taken", spec.name);
  CO_TRY(volume::Volume volume, api.volumes().create(std::move(spec)));
  if (!existing) publish(api, "create", volume);
  co_return co_await exchange.respond_json(201, print_volume(volume));
}

Task<Result<void>> remove(Api& api, Exchange& exchange) {
  auto volume = find(api, exchange);
  bool force = exchange.request.query.truth("force");
  if (!volume && force && volume.error().code() == ErrorCode::not_found) co_return co_await exchange.respond_empty(204);
  if (!volume) co_return std::unexpected(std::move(volume).error());
  CO_TRY_OK(co_await api.volumes().remove(volume->name));
  publish(api, "destroy", *volume);
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> prune(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters, Filters::parse(exchange.request.query.get("filters"), {"all", "label", "label!"}));
  // Since API 1.42 only anonymous volumes go unless `all` is asked for.
  CO_TRY(bool all, filters.truth("all", !speaks(exchange, "1.42")));
  auto chosen = [&filters, all](const volume::Volume& volume) {
    bool anonymous = volume.anonymous || volume.labels.contains("com.docker.volume.anonymous");
    return (all || anonymous) && filters.labels(volume.labels) &&
           !(filters.has("label!") && filters.labels(volume.labels, "label!"));
  };
  CO_TRY(auto pruned, co_await api.volumes().prune(chosen));
  json::Object answer{{"VolumesDeleted", pruned.names.empty() ? json::Value(nullptr) : json::encode(pruned.names)},
                      {"SpaceReclaimed", pruned.bytes}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_volume_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /volumes", list);
  add_route(router, api, "GET /volumes/{name}", inspect);
  add_route(router, api, "POST /volumes/create", create);
  add_route(router, api, "DELETE /volumes/{name}", remove);
  add_route(router, api, "POST /volumes/prune", prune);
}

}  // namespace berth::docker
