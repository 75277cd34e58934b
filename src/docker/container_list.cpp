// GET /containers/json with its filters, and prune.
#include <algorithm>

#include "base/text.h"
#include "docker/api.h"
#include "docker/filters.h"
#include "docker/inspect.h"
#include "docker/policy.h"
#include "docker/sizes.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;
using ContainerPtr = std::shared_ptr<engine::Container>;

std::string_view health_of(const engine::Container& container) {
  const auto& health = container.status().health;
  return health ? std::string_view(health->state) : "none";
}

constexpr std::initializer_list<std::string_view> kListFilters = {
    "ancestor", "before", "expose",  "exited",  "health", "id",     "is-task", "isolation",
    "label",    "name",   "network", "publish", "since",  "status", "volume"};

Result<void> check_values(const Filters& filters) {
  constexpr std::string_view kStates[] = {"created", "running", "paused", "restarting", "removing", "exited", "dead"};
  for (const std::string& status : filters.all("status"))
    if (std::ranges::find(kStates, status) == std::end(kStates))
      return fail(ErrorCode::invalid, "invalid filter 'status={}'", status);
  constexpr std::string_view kHealths[] = {"starting", "healthy", "unhealthy", "none"};
  for (const std::string& health : filters.all("health"))
    if (std::ranges::find(kHealths, health) == std::end(kHealths))
      return fail(ErrorCode::invalid, "invalid filter 'health={}'", health);
  for (const std::string& code : filters.all("exited"))
    if (!parse_number<int>(code)) return fail(ErrorCode::invalid, "invalid filter 'exited={}'", code);
  return {};
}

bool matches_ancestor(const Api& api, const Filters& filters, const engine::ContainerSpec& spec) {
  return !filters.has("ancestor") || std::ranges::any_of(filters.all("ancestor"), [&](const std::string& name) {
    auto image = api.images().find(name);
    return image && (*image)->id.text() == spec.image_id;
  });
}

bool matches_volume(const Filters& filters, const engine::ContainerSpec& spec) {
  return !filters.has("volume") || std::ranges::any_of(spec.mounts, [&](const engine::MountSpec& mount) {
    return filters.exact("volume", mount.source) || filters.exact("volume", mount.target);
  });
}

bool matches_network(const Filters& filters, const engine::Container& container) {
  if (!filters.has("network")) return true;
  if (filters.exact("network", container.spec().network)) return true;
  for (const engine::AttachmentSpec& attachment : container.spec().networks)
    if (filters.exact("network", attachment.network)) return true;
  for (const network::Endpoint& endpoint : container.endpoints())
    if (filters.exact("network", endpoint.network)) return true;
  return false;
}

// "80", "80/tcp", "8000-8010": whether the port is among them.
bool in_ports(const std::vector<std::string>& wanted, int port, std::string_view protocol) {
  return std::ranges::any_of(wanted, [&](const std::string& text) {
    auto [range, wanted_protocol] = split_once(text, '/');
    auto [first, last] = split_once(range, '-');
    int low = parse_number<int>(first).value_or(0);
    int high = last ? parse_number<int>(*last).value_or(0) : low;
    return port >= low && port <= high && wanted_protocol.value_or("tcp") == protocol;
  });
}

bool matches_ports(const Filters& filters, const engine::Container& container) {
  auto exposed = [&](const std::string& text) {
    auto [port, protocol] = split_once(text, '/');
    return in_ports(filters.all("expose"), parse_number<int>(port).value_or(0), protocol.value_or("tcp"));
  };
  auto published = [&](const engine::PortSpec& port) {
    return in_ports(filters.all("publish"), port.container_port, port.protocol) ||
           in_ports(filters.all("publish"), port.host_port, port.protocol);
  };
  return (!filters.has("expose") || std::ranges::any_of(container.spec().exposed_ports, exposed)) &&
         (!filters.has("publish") || std::ranges::any_of(container.spec().ports, published));
}

bool matches(const Api& api, const Filters& filters, const engine::Container& container) {
  const engine::ContainerSpec& spec = container.spec();
  bool named = filters.match("name", spec.name) || filters.match("name", "/" + spec.name);
  bool exited = !filters.has("exited") || (container.status().finished_at.is_set() && !container.active() &&
                                           filters.exact("exited", std::to_string(container.status().exit_code)));
  return named && exited && filters.match("id", spec.id) && filters.labels(spec.labels) &&
         filters.exact("status", engine::state_name(container.status().state)) &&
         filters.exact("health", health_of(container)) && filters.exact("is-task", "false") &&
         filters.exact("isolation", "default") && matches_ancestor(api, filters, spec) &&
         matches_volume(filters, spec) && matches_network(filters, container) && matches_ports(filters, container);
}

// `before` and `since` name containers; what was made strictly before or after them stays.
Result<void> keep_between(Api& api, const Filters& filters, Access access, std::vector<ContainerPtr>& containers) {
  for (const char* key : {"before", "since"}) {
    for (const std::string& name : filters.all(key)) {
      TRY(auto other, api.engine.find(name));
      TRY_OK(check_sees(access, *other, name));
      bool before = std::string_view(key) == "before";
      std::erase_if(containers, [&](const ContainerPtr& each) {
        return before ? each->spec().created >= other->spec().created : each->spec().created <= other->spec().created;
      });
    }
  }
  return {};
}

Task<Result<void>> list(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  CO_TRY(Filters filters, Filters::parse(query.get("filters"), kListFilters));
  CO_TRY_OK(check_values(filters));
  auto limit = parse_number<int>(query.get("limit")).value_or(0);
  bool all = query.truth("all") || limit > 0 || filters.has("status") || filters.has("exited");
  std::vector<ContainerPtr> containers = api.engine.list();
  Access access = access_of(exchange);
  std::erase_if(containers, [&](const ContainerPtr& each) {
    return !sees(access, *each) || (!all && !each->active()) || !matches(api, filters, *each);
  });
  CO_TRY_OK(keep_between(api, filters, access, containers));
  if (limit > 0 && containers.size() > static_cast<std::size_t>(limit))
    containers.resize(static_cast<std::size_t>(limit));
  json::Array shown;
  for (const ContainerPtr& container : containers) {
    std::optional<ContainerSize> size;
    if (query.truth("size")) {
      // One that was removed meanwhile has no size and no place in the list.
      auto measured = co_await measure(api, container);
      if (!measured) continue;
      size = *measured;
    }
    shown.push_back(print_summary(api, *container, size));
  }
  co_return co_await exchange.respond_json(200, std::move(shown));
}

Task<Result<void>> prune(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters, Filters::parse(exchange.request.query.get("filters"), {"label", "label!"}));
  json::Array deleted;
  std::uint64_t reclaimed = 0;
  for (const ContainerPtr& container : api.engine.list()) {
    if (container->active() || !filters.labels(container->spec().labels)) continue;
    if (filters.has("label!") && filters.labels(container->spec().labels, "label!")) continue;
    auto size = co_await measure(api, container);
    // Started or removed by somebody else meanwhile: not ours any more.
    if (auto removed = co_await api.engine.remove(container, {}); !removed) continue;
    deleted.push_back(json::Value(container->id()));
    reclaimed += size ? size->writable : 0;
  }
  json::Object answer{{"ContainersDeleted", deleted.empty() ? json::Value(nullptr) : json::Value(std::move(deleted))},
                      {"SpaceReclaimed", reclaimed}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_container_list_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /containers/json", list);
  add_route(router, api, "POST /containers/prune", prune);
}

}  // namespace berth::docker
