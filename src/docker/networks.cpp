// Networks: list, inspect, create, remove, prune.
#include <algorithm>

#include "docker/api.h"
#include "docker/fields.h"
#include "docker/filters.h"
#include "docker/policy.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

json::Value print_ipam(const network::Network& network) {
  json::Array config;
  if (network.driver == "bridge")
    config.push_back(json::Object{{"Subnet", network.subnet.text()}, {"Gateway", network.gateway.text()}});
  return json::Object{{"Driver", "default"}, {"Options", nullptr}, {"Config", std::move(config)}};
}

json::Value print_network(const network::Network& network) {
  return json::Object{{"Name", network.name},
                      {"Id", network.id},
                      {"Created", format_rfc3339(network.created)},
                      {"Scope", "local"},
                      {"Driver", network.driver},
                      {"EnableIPv4", network.driver == "bridge"},
                      {"EnableIPv6", false},
                      {"IPAM", print_ipam(network)},
                      {"Internal", network.internal},
                      {"Attachable", false},
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
                     {"IPv6Address", ""}};
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

Result<void> decode_ipam(const json::Value* value, network::NetworkSpec& spec) {
  if (value == nullptr) return {};
  Fields ipam(*value, "IPAM");
  std::string driver = ipam.take<std::string>("Driver");
  if (!driver.empty() && driver != "default")
    return fail(ErrorCode::invalid, "could not resolve driver {} in ipam", driver);
  auto pools = ipam.take<std::vector<json::Value>>("Config");
  TRY_OK(ipam.finish());
  if (pools.size() > 1) return fail(ErrorCode::invalid, "IPAM.Config: one subnet is all a network has");
  if (pools.empty()) return {};
  Fields pool(pools.front(), "IPAM.Config[0]");
  std::string subnet = pool.take<std::string>("Subnet"), gateway = pool.take<std::string>("Gateway");
  TRY_OK(pool.finish());
  if (!subnet.empty()) {
    TRY(spec.subnet, network::Subnet::parse(subnet));
  }
  if (!gateway.empty()) {
    TRY(spec.gateway, network::Ipv4::parse(gateway));
  }
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
  TRY_OK(decode_ipam(fields.take_value("IPAM"), spec));
  // Attachable means something in a swarm only; IPv4 is what there is; names are always checked for duplicates.
  fields.drop({"CheckDuplicate", "Attachable", "EnableIPv4"});
  TRY_OK(fields.finish_body({"EnableIPv6", "ConfigFrom", "ConfigOnly", "Ingress"}));
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

Task<Result<void>> remove(Api& api, Exchange& exchange) {
  CO_TRY(network::Network network, api.networks().find(exchange.request.param("id")));
  CO_TRY_OK(co_await api.networks().remove(network.id));
  publish(api, "destroy", network);
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> prune(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters, Filters::parse(exchange.request.query.get("filters"), {"label", "label!"}));
  json::Array deleted;
  for (const network::Network& network : api.networks().networks()) {
    if (network.predefined || !api.engine.using_network(network.name).empty() || !filters.labels(network.labels))
      continue;
    if (filters.has("label!") && filters.labels(network.labels, "label!")) continue;
    if (auto removed = co_await api.networks().remove(network.id); !removed) continue;
    publish(api, "destroy", network);
    deleted.push_back(json::Value(network.name));
  }
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
  add_route(router, api, "POST /networks/prune", prune);
}

}  // namespace berth::docker
