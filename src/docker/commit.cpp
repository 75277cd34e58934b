// Images and archives from containers: commit, changes, export.
#include "engine/commit.h"
#include "build/metadata.h"
#include "docker/api.h"
#include "docker/byte_pipe.h"
#include "docker/policy.h"
#include "oci/reference.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Result<std::optional<oci::Reference>> name_of(const http::Query& query) {
  std::string repository = query.get("repo"), tag = query.get("tag");
  if (repository.empty()) return std::optional<oci::Reference>();
  TRY(oci::Reference reference, oci::Reference::parse(repository));
  if (reference.digest) return fail(ErrorCode::invalid, "cannot use digest reference");
  if (!tag.empty()) {
    if (!oci::is_tag(tag)) return fail(ErrorCode::invalid, "invalid tag format");
    reference = reference.with_tag(tag);
  }
  return std::optional(reference.with_default_tag());
}

Task<Result<void>> commit(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  std::string name = query.get("container");
  CO_TRY(auto container, api.engine.find(name));
  CO_TRY_OK(check_sees(access_of(exchange), *container, name));
  CO_TRY(json::Value body, co_await exchange.read_json());
  engine::CommitRequest request;
  request.pause = query.truth("pause", true);
  request.author = query.get("author");
  request.comment = query.get("comment");
  CO_TRY(request.reference, name_of(query));
  if (body.is_object()) {
    CO_TRY(request.config, oci::parse_container_defaults(body));
  }
  CO_TRY(request.config, build::apply_changes(std::move(request.config), query.all("changes")));
  CO_TRY(auto image, co_await engine::commit(api.engine, container, std::move(request)));
  json::Object answer{{"Id", image->id.text()}};
  co_return co_await exchange.respond_json(201, std::move(answer));
}

Task<Result<void>> changes(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(auto list, co_await engine::changes_of(api.engine, container));
  json::Array shown;
  for (const engine::PathChange& change : list)
    shown.push_back(json::Object{{"Path", change.path}, {"Kind", static_cast<int>(change.kind)}});
  json::Value answer = list.empty() ? json::Value(nullptr) : json::Value(std::move(shown));
  co_return co_await exchange.respond_json(200, std::move(answer));
}

Task<> export_in_background(engine::Engine& engine, std::shared_ptr<engine::Container> container,
                            sys::UniqueFd write_end, Result<void>& result) {
  result = co_await engine::export_root(engine, std::move(container), std::move(write_end));
}

Task<Result<void>> export_container(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(BytePipe pipe, BytePipe::make());
  Result<void> exported;
  async::TaskGroup exporting(api.loop());
  exporting.spawn("export", export_in_background(api.engine, container, std::move(pipe.write_end), exported));
  auto streamed = co_await pipe_to_stream(exchange, std::move(pipe.read_end), "application/octet-stream");
  co_await exporting.join();
  CO_TRY_OK(std::move(exported));
  if (!streamed) co_return std::unexpected(std::move(streamed).error());
  co_return Result<void>();
}

}  // namespace

void add_commit_routes(http::Router& router, Api& api) {
  add_route(router, api, "POST /commit", commit);
  add_route(router, api, "GET /containers/{id}/changes", changes);
  add_route(router, api, "GET /containers/{id}/export", export_container);
}

}  // namespace berth::docker
