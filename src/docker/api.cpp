#include "docker/api.h"

#include "base/text.h"
#include "docker/policy.h"

namespace berth::docker {

Access access_of(const http::Exchange& exchange) { return static_cast<Access>(exchange.peer().access); }

int compare_versions(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return static_cast<int>(a.empty()) - static_cast<int>(b.empty());
  auto [major_a, minor_a] = split_once(a, '.');
  auto [major_b, minor_b] = split_once(b, '.');
  auto number = [](std::optional<std::string_view> text) {
    return parse_number<unsigned>(text.value_or("0")).value_or(0);
  };
  auto left = std::pair(number(major_a), number(minor_a));
  auto right = std::pair(number(major_b), number(minor_b));
  return left < right ? -1 : static_cast<int>(left > right);
}

bool speaks(const http::Exchange& exchange, std::string_view version) {
  return compare_versions(exchange.request.api_version, version) >= 0;
}

Result<void> check_version(std::string_view version) {
  if (version.empty()) return {};
  if (compare_versions(version, kMinApiVersion) < 0)
    return fail(ErrorCode::invalid,
                "client version {} is too old. Minimum supported API version is {}, please upgrade your client to a "
                "newer version",
                version, kMinApiVersion);
  if (compare_versions(version, kApiVersion) > 0)
    return fail(ErrorCode::invalid, "client version {} is too new. Maximum supported API version is {}", version,
                kApiVersion);
  return {};
}

Result<std::shared_ptr<engine::Container>> find_container(Api& api, const http::Exchange& exchange) {
  const std::string& name = exchange.request.param("id");
  TRY(auto container, api.engine.find(name));
  TRY_OK(check_sees(access_of(exchange), *container, name));
  return container;
}

void add_route(http::Router& router, Api& api, std::string_view method_and_pattern, ApiHandler handler,
               http::RouteOptions options) {
  auto [method, pattern] = split_once(method_and_pattern, ' ');
  router.add(
      std::string(method), std::string(pattern.value_or("/")),
      [&api, handler](http::Exchange& exchange) { return handler(api, exchange); }, options);
}

http::Headers common_headers(const Api& api) {
  return {{"Api-Version", std::string(kApiVersion)},
          {"Docker-Experimental", "false"},
          {"Ostype", "linux"},
          {"Server", fmt::format("Berth/{} (linux)", api.version)}};
}

http::Router make_router(Api& api) {
  http::Router router({.versioned = true});
  add_system_routes(router, api);
  add_event_routes(router, api);
  add_container_routes(router, api);
  add_container_list_routes(router, api);
  add_container_stream_routes(router, api);
  add_stats_routes(router, api);
  add_archive_routes(router, api);
  add_build_routes(router, api);
  add_commit_routes(router, api);
  add_exec_routes(router, api);
  add_disk_usage_routes(router, api);
  add_registry_routes(router, api);
  add_image_routes(router, api);
  add_image_transfer_routes(router, api);
  add_network_routes(router, api);
  add_volume_routes(router, api);
  add_berth_routes(router, api);
  add_absent_routes(router, api);
  router.set_gate([](http::Exchange& exchange) -> Result<void> {
    TRY_OK(check_version(exchange.request.api_version));
    return check_route(access_of(exchange), exchange.request.route);
  });
  return router;
}

}  // namespace berth::docker
