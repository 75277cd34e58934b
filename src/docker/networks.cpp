// Networks: list, inspect, create, connect, disconnect, remove, prune.
#include <algorithm>

#include "base/text.h"
#include "docker/api.h"
#include "docker/detail/host_config.h"
#include "docker/fields.h"
#include "docker/filters.h"
#include "docker/policy.h"

namespace berth::docker {

namespace {

using async::Task;
using engine::EventRecord;
using http::Exchange;

void print_pool(const std::optional<network::Pool>& pool, json::Array& config) {
  if (!pool) return;
  json::Object shown{{"Subnet", pool->subnet.text()}};
  if (pool->range) shown["IPRange"] = pool->range->text();
  shown["Gateway"] = pool->gateway.text();
  json::Object reserved;
  for (const auto& [name, address] : pool->reserved) reserved[name] = address.text();
  if (!reserved.empty()) shown["AuxiliaryAddresses"] = std::move(reserved);
  config.push_back(std::move(shown));
}

json::Value print_ipam(const network::Network& network) {
  json::Array config;
  print_pool(network.ipv4, config);
  print_pool(network.ipv6, config);
  json::Value options = network.ipam_options.empty() ? json::Value(nullptr) : json::encode(network.ipam_options);
  return json::Object{{"Driver", "default"}, {"Options", std::move(options)}, {"Config", std::move(config)}};
}

json::Value print_network(const network::Network& network) {
  return json::Object{{"Name", network.name},
                      {"Id", network.id},
                      {"Created", format_rfc3339(network.created)},
                      {"Scope", "local"},
                      {"Driver", network.driver},
                      {"EnableIPv4", true},
                      {"EnableIPv6", network.ipv6.has_value()},
                      {"IPAM", print_ipam(network)},
                      {"Internal", network.internal},
                      {"Attachable", network.attachable},
                      {"Ingress", false},
                      {"ConfigFrom", json::Object{{"Network", ""}}},
                      {"ConfigOnly", false},
                      {"Containers", json::Object{}},
                      {"Options", json::encode(network.options)},
                      {"Labels", json::encode(network.labels)}};
}

json::Value print_endpoints(const Api& api, const network::Network& network) {
  json::Object containers;
  for (const network::Endpoint& endpoint : api.networks().endpoints_in(network.id)) {
    auto container = api.engine.find(endpoint.container);
    containers[endpoint.container] =
        json::Object{{"Name", container ? (*container)->spec().name : endpoint.container_name},
                     {"EndpointID", endpoint.id},
                     {"MacAddress", endpoint.mac.text()},
                     {"IPv4Address", fmt::format("{}/{}", endpoint.ip.text(), endpoint.prefix)},
                     {"IPv6Address", endpoint.ip6 ? fmt::format("{}/{}", endpoint.ip6->text(), endpoint.prefix6) : ""}};
  }
  return containers;
}

Task<Result<void>> list(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters, Filters::parse(exchange.request.query.get("filters"),
                                         {"dangling", "driver", "id", "label", "name", "scope", "type"}));
  json::Array shown;
  for (const network::Network& network : api.networks().networks()) {
    bool built_in = network.predefined;
    if (!filters.match("name", network.name) || !filters.match("id", network.id) ||
        !filters.exact("driver", network.driver) || !filters.labels(network.labels) ||
        !filters.exact("scope", "local") || !filters.exact("type", built_in ? "builtin" : "custom"))
      continue;
    if (filters.has("dangling")) {
      CO_TRY(bool dangling, filters.truth("dangling", true));
      bool unused = !built_in && api.networks().endpoints_in(network.id).empty();
      if (dangling != unused) continue;
    }
    shown.push_back(print_network(network));
  }
  co_return co_await exchange.respond_json(200, std::move(shown));
}

Task<Result<void>> inspect(Api& api, Exchange& exchange) {
  CO_TRY(network::Network network, api.networks().find(exchange.request.param("id")));
  json::Value shown = print_network(network);
  shown.get_object()["Containers"] = print_endpoints(api, network);
  co_return co_await exchange.respond_json(200, std::move(shown));
}

template <class T>
Result<std::optional<T>> parse_optional(const std::string& text, const char* what, const char* notation) {
  if (text.empty()) return std::optional<T>();
  auto parsed = T::parse(text);
  if (!parsed) return fail(ErrorCode::invalid, "invalid network config:\ninvalid {} {}: {}", what, text, notation);
  return std::optional<T>(*parsed);
}

Result<network::PoolSpec> decode_pool(const json::Value& value, std::string path) {
  constexpr const char* kBlock = "invalid CIDR block notation";
  constexpr const char* kAddress = "invalid address";
  Fields fields(value, std::move(path));
  std::string subnet = fields.take<std::string>("Subnet"), gateway = fields.take<std::string>("Gateway");
  std::string range = fields.take<std::string>("IPRange");
  auto reserved = fields.take<std::map<std::string, std::string>>("AuxiliaryAddresses");
  TRY_OK(fields.finish());
  network::PoolSpec pool;
  TRY(pool.subnet, parse_optional<network::Subnet>(subnet, "subnet", kBlock));
  TRY(pool.range, parse_optional<network::Subnet>(range, "ip-range", kBlock));
  TRY(pool.gateway, parse_optional<network::Ip>(gateway, "gateway address", kAddress));
  for (const auto& [name, text] : reserved) {
    TRY(auto address, parse_optional<network::Ip>(text, "auxiliary address", kAddress));
    if (address) pool.reserved[name] = *address;
  }
  return pool;
}

bool is_v6(const network::PoolSpec& pool) {
  if (pool.subnet) return pool.subnet->base().is_v6();
  if (pool.range) return pool.range->base().is_v6();
  return pool.gateway && pool.gateway->is_v6();
}

Result<void> decode_ipam(const json::Value* value, network::NetworkSpec& spec) {
  if (value == nullptr) return {};
  Fields ipam(*value, "IPAM");
  std::string driver = ipam.take<std::string>("Driver");
  if (!driver.empty() && driver != "default")
    return fail(ErrorCode::not_found, "could not find plugin {0} in v1 plugin registry: plugin \"{0}\" not found",
                driver);
  auto pools = ipam.take<std::vector<json::Value>>("Config");
  spec.ipam_options = ipam.take<std::map<std::string, std::string>>("Options");
  TRY_OK(ipam.finish());
  int of_v4 = 0, of_v6 = 0;
  for (const json::Value& each : pools) {
    TRY(network::PoolSpec pool, decode_pool(each, "IPAM.Config"));
    bool v6 = is_v6(pool);
    if (++(v6 ? of_v6 : of_v4) > 1) return fail(ErrorCode::denied, "bridge driver doesn't support multiple subnets");
    (v6 ? spec.ipv6 : spec.ipv4) = std::move(pool);
  }
  if (of_v6 > 0 && !spec.enable_ipv6)
    return fail(ErrorCode::invalid, "IPAM.Config has an IPv6 subnet, but EnableIPv6 is not set");
  return {};
}

Result<network::NetworkSpec> decode_network(const json::Value& body) {
  Fields fields(body, "");
  network::NetworkSpec spec;
  spec.name = fields.take<std::string>("Name");
  std::string driver = fields.take<std::string>("Driver");
  if (!driver.empty() && driver != "default") spec.driver = driver;
  spec.internal = fields.take<bool>("Internal");
  spec.labels = fields.take<std::map<std::string, std::string>>("Labels");
  spec.options = fields.take<std::map<std::string, std::string>>("Options");
  std::string scope = fields.take<std::string>("Scope");
  spec.attachable = fields.take<bool>("Attachable");
  spec.enable_ipv6 = fields.take<bool>("EnableIPv6");
  bool without_ipv4 = !fields.take<std::optional<bool>>("EnableIPv4").value_or(true);
  TRY_OK(decode_ipam(fields.take_value("IPAM"), spec));
  // Names are always checked for duplicates.
  fields.drop({"CheckDuplicate"});
  TRY_OK(fields.finish_body({"ConfigFrom", "ConfigOnly", "Ingress"}));
  if (without_ipv4) return fail(ErrorCode::invalid, "a network without IPv4 is not supported by this engine");
  if (!scope.empty() && scope != "local") return fail(ErrorCode::invalid, "the scope \"{}\" is not supported", scope);
  if (spec.name.empty()) return fail(ErrorCode::invalid, "invalid name: name is empty");
  return spec;
}

void publish(Api& api, std::string action, const network::Network& network) {
  api.engine.events().publish({.type = "network",
                               .action = std::move(action),
                               .id = network.id,
                               .attributes = {{"name", network.name}, {"type", network.driver}},
                               .time = now()});
}

Task<Result<void>> create(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  CO_TRY(network::NetworkSpec spec, decode_network(body));
  CO_TRY(network::Network network, co_await api.networks().create(std::move(spec)));
  publish(api, "create", network);
  json::Object answer{{"Id", network.id}, {"Warning", ""}};
  co_return co_await exchange.respond_json(201, std::move(answer));
}

Task<Result<void>> connect(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  Fields fields(body, "");
  std::string name = fields.take<std::string>("Container");
  const json::Value* settings = fields.take_value("EndpointConfig");
  CO_TRY_OK(fields.finish_body());
  CO_TRY(network::Network network, api.networks().find(exchange.request.param("id")));
  CO_TRY(auto container, api.engine.find(name));
  CO_TRY(auto attachment, detail::decode_endpoint(network.name, settings, "EndpointConfig"));
  CO_TRY_OK(co_await container->connect(std::move(attachment)));
  co_return co_await exchange.respond_empty(200);
}

Task<Result<void>> disconnect(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  Fields fields(body, "");
  std::string name = fields.take<std::string>("Container");
  // There is no way to leave that asks the container.
  fields.drop({"Force"});
  CO_TRY_OK(fields.finish_body());
  CO_TRY(network::Network network, api.networks().find(exchange.request.param("id")));
  CO_TRY(auto container, api.engine.find(name));
  CO_TRY_OK(co_await container->disconnect(network.id));
  co_return co_await exchange.respond_empty(200);
}

Task<Result<void>> remove(Api& api, Exchange& exchange) {
  CO_TRY(network::Network network, api.networks().find(exchange.request.param("id")));
  CO_TRY_OK(co_await api.networks().remove(network.id));
  publish(api, "destroy", network);
  co_return co_await exchange.respond_empty(204);
}

// What is older: "until" as a duration before now, in seconds since the epoch, or as a date.
Result<Time> prune_limit(const Filters& filters) {
  if (!filters.has("until")) return Time{INT64_MAX};
  if (filters.all("until").size() != 1) return fail(ErrorCode::invalid, "more than one until filter specified");
  const std::string& text = filters.all("until").front();
  if (auto ago = parse_duration(text)) return Time{now().nanoseconds - ago->count()};
  constexpr std::int64_t kMaxSeconds = 9'000'000'000;
  if (auto seconds = parse_number<std::int64_t>(text); seconds && *seconds >= 0 && *seconds < kMaxSeconds)
    return Time{*seconds * 1'000'000'000};
  return parse_rfc3339(text);
}

Task<Result<void>> prune(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters, Filters::parse(exchange.request.query.get("filters"), {"label", "label!", "until"}));
  CO_TRY(Time until, prune_limit(filters));
  json::Array deleted;
  for (const network::Network& network : api.networks().networks()) {
    if (network.predefined || !api.engine.using_network(network.name).empty() || !filters.labels(network.labels))
      continue;
    if (filters.has("label!") && filters.labels(network.labels, "label!")) continue;
    if (network.created > until) continue;
    if (auto removed = co_await api.networks().remove(network.id); !removed) continue;
    publish(api, "destroy", network);
    deleted.push_back(json::Value(network.name));
  }
  EventRecord pruned{"network", "prune", "", {{"reclaimed", "0"}}, {}};
  api.engine.events().publish(std::move(pruned));
  json::Object answer{{"NetworksDeleted", deleted.empty() ? json::Value(nullptr) : json::Value(std::move(deleted))}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_network_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /networks", list);
  add_route(router, api, "GET /networks/", list);
  add_route(router, api, "GET /networks/{id}", inspect);
  add_route(router, api, "POST /networks/create", create);
  add_route(router, api, "DELETE /networks/{id}", remove);
  add_route(router, api, "POST /networks/{id}/connect", connect);
  add_route(router, api, "POST /networks/{id}/disconnect", disconnect);
  add_route(router, api, "POST /networks/prune", prune);
}

}  // namespace berth::docker
