// POST /build and /build/prune.
#include "docker/api.h"
#include "docker/build_request.h"
#include "docker/byte_pipe.h"
#include "docker/progress_stream.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Task<Result<void>> build(Api& api, Exchange& exchange) {
  CO_TRY(auto request, decode_build_request(exchange.request));
  CO_TRY(BytePipe pipe, BytePipe::make());
  ProgressStream progress(exchange);
  auto job = api.builder.start(std::move(request), std::move(pipe.read_end), progress.sink());
  auto received = co_await body_to_pipe(exchange, std::move(pipe.write_end));
  if (received) co_await job->wait();
  if (!job->ended()) {
    // The client has gone: the job goes on without us until it has undone what it began.
    job->cancel();
    if (!received) co_return co_await progress.finish(std::move(received));
    co_return co_await progress.finish(fail(ErrorCode::cancelled, "the client has gone"));
  }
  const build::Outcome& outcome = job->outcome();
  Result<void> result;
  if (!outcome.image) result = std::unexpected(outcome.image.error());
  co_return co_await progress.finish(std::move(result), outcome.exit_code);
}

Task<Result<void>> prune(Api& api, Exchange& exchange) {
  CO_TRY(auto pruned, co_await api.builder.prune());
  json::Value removed = pruned.removed.empty() ? json::Value(nullptr) : json::encode(pruned.removed);
  json::Object answer{{"CachesDeleted", std::move(removed)}, {"SpaceReclaimed", pruned.reclaimed}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_build_routes(http::Router& router, Api& api) {
  add_route(router, api, "POST /build", build, {.on_gone = http::OnGone::cancel, .body_limit = http::kUnlimitedBody});
  add_route(router, api, "POST /build/prune", prune);
}

}  // namespace berth::docker
