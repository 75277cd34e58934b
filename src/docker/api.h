// The Docker Engine API on the engine: each handler decodes a request, calls the engine, and encodes what it says, in
// the shapes, field names and texts of Docker's API 1.47 (docs.docker.com/reference/api/engine, moby api/swagger.yaml).
// What the API lacks lives under /berth/v1/.
//
// One file per tag of the API; each adds its routes to the router. Thread: the loop's. An Api outlives the server.
#pragma once

#include <string>
#include <string_view>

#include "build/builder.h"
#include "engine/engine.h"
#include "http/router.h"

namespace berth::docker {

inline constexpr std::string_view kApiVersion = "1.47";
inline constexpr std::string_view kMinApiVersion = "1.24";

// What a listener's clients may do; http::Peer::access.
enum class Access {
  full = 0,   // as root: who can connect to the socket owns the host
  portal = 1  // docker/policy.h
};

struct Api {
  engine::Engine& engine;
  build::Builder& builder;
  std::string version;  // Berth's own

  async::Loop& loop() const { return engine.parts().loop; }
  image::Store& images() const { return engine.parts().images; }
  network::Manager& networks() const { return engine.parts().networks; }
  volume::Volumes& volumes() const { return engine.parts().volumes; }
};

// The whole API behind version negotiation and policy.
http::Router make_router(Api& api);
// Sent with every answer.
http::Headers common_headers(const Api& api);

Access access_of(const http::Exchange& exchange);
// -1, 0 or 1 for dotted numbers: compare_versions("1.9", "1.24") is -1. An empty version is the newest.
int compare_versions(std::string_view a, std::string_view b);
// Whether the client speaks at least this version.
bool speaks(const http::Exchange& exchange, std::string_view version);
// "client version 1.99 is too new. Maximum supported API version is 1.47"
Result<void> check_version(std::string_view version);

// The container that the path's {id} names, if this client may see it.
Result<std::shared_ptr<engine::Container>> find_container(Api& api, const http::Exchange& exchange);

using ApiHandler = async::Task<Result<void>> (*)(Api&, http::Exchange&);
void add_route(http::Router& router, Api& api, std::string_view method_and_pattern, ApiHandler handler,
               http::RouteOptions options = {});

void add_system_routes(http::Router& router, Api& api);
void add_event_routes(http::Router& router, Api& api);
void add_container_routes(http::Router& router, Api& api);
void add_container_list_routes(http::Router& router, Api& api);
void add_container_stream_routes(http::Router& router, Api& api);
void add_stats_routes(http::Router& router, Api& api);
void add_archive_routes(http::Router& router, Api& api);
void add_build_routes(http::Router& router, Api& api);
void add_commit_routes(http::Router& router, Api& api);
void add_exec_routes(http::Router& router, Api& api);
void add_disk_usage_routes(http::Router& router, Api& api);
void add_registry_routes(http::Router& router, Api& api);
void add_image_routes(http::Router& router, Api& api);
void add_image_transfer_routes(http::Router& router, Api& api);
void add_network_routes(http::Router& router, Api& api);
void add_volume_routes(http::Router& router, Api& api);
void add_berth_routes(http::Router& router, Api& api);
void add_absent_routes(http::Router& router, Api& api);

}  // namespace berth::docker
