// What Docker's API has no word for, under /berth/v1/.
//
//   GET  /berth/v1/doctor             {"checks": [{"name", "status", "detail", "fix"}]}
//   POST /berth/v1/images/bootstrap   {"reference": "debian:bookworm", "suite", "packages", "mirror", "labels"}: an
//                                     image from Debian packages; progress as for a pull
#include "docker/api.h"
#include "docker/fields.h"
#include "docker/progress_stream.h"
#include "oci/reference.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Task<Result<void>> doctor(Api& api, Exchange& exchange) {
  co_return co_await exchange.respond_json(200, json::encode(api.engine.preflight()));
}

Task<Result<void>> bootstrap(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  Fields fields(body, "");
  image::BootstrapRequest request;
  std::string reference = fields.take<std::string>("reference");
  request.suite = fields.take<std::string>("suite");
  request.packages = fields.take<std::vector<std::string>>("packages");
  request.mirror = fields.take<std::string>("mirror");
  request.config.labels = fields.take<std::map<std::string, std::string>>("labels");
  CO_TRY_OK(fields.finish());
  CO_TRY(request.reference, oci::Reference::parse(reference));
  ProgressStream progress(exchange);
  auto made = co_await api.images().bootstrap(std::move(request), progress.sink());
  Result<void> result;
  if (!made) result = std::unexpected(std::move(made).error());
  co_return co_await progress.finish(std::move(result));
}

}  // namespace

void add_berth_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /berth/v1/doctor", doctor);
  add_route(router, api, "POST /berth/v1/images/bootstrap", bootstrap, {.on_gone = http::OnGone::cancel});
}

}  // namespace berth::docker
