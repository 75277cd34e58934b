// What Docker has and this engine has not: answered as a daemon answers without it, so that clients that ask get along.
#include "docker/api.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Task<Result<void>> no_swarm(Api&, Exchange&) {
  co_return fail(ErrorCode::exhausted,
                 "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this "
                 "node to swarm and try again.");
}

Task<Result<void>> not_in_swarm(Api&, Exchange&) {
  co_return fail(ErrorCode::exhausted, "This node is not part of a swarm");
}

Task<Result<void>> no_plugins(Api&, Exchange& exchange) {
  co_return co_await exchange.respond_json(200, json::Array{});
}

// What a builder of another kind would be reached by; clients that are refused here use the classic one.
Task<Result<void>> no_session(Api&, Exchange& exchange) {
  co_return fail(ErrorCode::invalid, "{}: this engine has no BuildKit: build with DOCKER_BUILDKIT=0",
                 exchange.request.path);
}

Task<Result<void>> not_supported(Api&, Exchange& exchange) {
  co_return fail(ErrorCode::unsupported, "{} is not supported by this engine", exchange.request.route);
}

}  // namespace

void add_absent_routes(http::Router& router, Api& api) {
  for (const char* route : {"GET /swarm",
                            "POST /swarm/init",
                            "POST /swarm/join",
                            "POST /swarm/update",
                            "GET /swarm/unlockkey",
                            "POST /swarm/unlock",
                            "GET /nodes",
                            "GET /nodes/{id}",
                            "DELETE /nodes/{id}",
                            "POST /nodes/{id}/update",
                            "GET /services",
                            "POST /services/create",
                            "GET /services/{id}",
                            "DELETE /services/{id}",
                            "POST /services/{id}/update",
                            "GET /services/{id}/logs",
                            "GET /tasks",
                            "GET /tasks/{id}",
                            "GET /tasks/{id}/logs",
                            "GET /secrets",
                            "POST /secrets/create",
                            "GET /secrets/{id}",
                            "DELETE /secrets/{id}",
                            "POST /secrets/{id}/update",
                            "GET /configs",
                            "POST /configs/create",
                            "GET /configs/{id}",
                            "DELETE /configs/{id}",
                            "POST /configs/{id}/update"})
    add_route(router, api, route, no_swarm);
  add_route(router, api, "POST /swarm/leave", not_in_swarm);
  // Only volumes of a cluster can be changed.
  add_route(router, api, "PUT /volumes/{name}", no_swarm);
  add_route(router, api, "GET /plugins", no_plugins);
  for (const char* route : {"POST /session", "POST /grpc"}) add_route(router, api, route, no_session);
  for (const char* route :
       {"POST /build/cancel", "GET /containers/{id}/checkpoints", "POST /containers/{id}/checkpoints"})
    add_route(router, api, route, not_supported, {.body_limit = http::kUnlimitedBody});
}

}  // namespace berth::docker
