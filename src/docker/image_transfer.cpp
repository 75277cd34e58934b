// Images in and out: pull, import, push, load, save. Progress is streamed while the store works.
#include "base/text.h"
#include "docker/api.h"
#include "docker/byte_pipe.h"
#include "docker/platform.h"
#include "docker/progress_stream.h"
#include "oci/reference.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

template <class T>
Result<void> without_value(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

// fromImage or repo with its tag beside it, which may be a digest.
Result<oci::Reference> reference_of(const std::string& name, const std::string& tag) {
  TRY(auto reference, oci::Reference::parse(name));
  if (tag.empty()) return reference;
  if (tag.find(':') != std::string::npos) {
    TRY(auto digest, oci::Digest::parse(tag));
    return reference.with_digest(digest);
  }
  if (!oci::is_tag(tag)) return fail(ErrorCode::invalid, "invalid tag format");
  return reference.with_tag(tag);
}

Result<image::Credentials> credentials_of(const Exchange& exchange) {
  return image::parse_registry_auth(exchange.request.headers().get("X-Registry-Auth"));
}

Task<Result<void>> pull(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  image::PullRequest request;
  CO_TRY(auto reference, reference_of(query.get("fromImage"), query.get("tag")));
  request.reference = reference.with_default_tag();
  CO_TRY(request.platform, platform_of(exchange));
  CO_TRY(request.credentials, credentials_of(exchange));
  ProgressStream progress(exchange);
  auto pulled = co_await api.images().pull(std::move(request), progress.sink());
  co_return co_await progress.finish(without_value(pulled));
}

Task<> receive_body(Exchange& exchange, sys::UniqueFd write_end, Result<void>& result) {
  result = co_await body_to_pipe(exchange, std::move(write_end));
}

// `--change "CMD [...]"` and its like would need the builder's parser.
Task<Result<void>> import(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  if (query.get("fromSrc") != "-")
    co_return fail(ErrorCode::invalid, "import from a URL is not supported by this engine: send the archive itself");
  if (query.has("changes")) co_return fail(ErrorCode::invalid, "changes are not supported by this engine");
  image::ImportRequest request;
  if (std::string repo = query.get("repo"); !repo.empty()) {
    CO_TRY(auto reference, reference_of(repo, query.get("tag")));
    request.reference = reference.with_default_tag();
  }
  request.comment = query.get("message", "Imported from -");
  CO_TRY(auto platform, platform_of(exchange));
  if (platform) {
    request.config.os = platform->os;
    request.config.architecture = platform->architecture;
    request.config.variant = platform->variant;
  }
  CO_TRY(BytePipe pipe, BytePipe::make());
  Result<void> received;
  async::TaskGroup receiving(api.loop());
  receiving.spawn("import body", receive_body(exchange, std::move(pipe.write_end), received));
  ProgressStream progress(exchange);
  auto imported = co_await api.images().import(std::move(request), std::move(pipe.read_end), progress.sink());
  co_await receiving.join();
  co_return co_await progress.finish(received ? without_value(imported) : received);
}

Task<Result<void>> create(Api& api, Exchange& exchange) {
  if (exchange.request.query.has("fromImage")) return pull(api, exchange);
  return import(api, exchange);
}

Task<Result<void>> push(Api& api, Exchange& exchange) {
  image::PushRequest request;
  CO_TRY(request.reference, reference_of(exchange.request.param("name"), exchange.request.query.get("tag")));
  CO_TRY(request.credentials, credentials_of(exchange));
  ProgressStream progress(exchange);
  auto pushed = co_await api.images().push(std::move(request), progress.sink());
  co_return co_await progress.finish(std::move(pushed));
}

Task<Result<void>> load(Api& api, Exchange& exchange) {
  CO_TRY(BytePipe pipe, BytePipe::make());
  Result<void> received;
  async::TaskGroup receiving(api.loop());
  receiving.spawn("load body", receive_body(exchange, std::move(pipe.write_end), received));
  ProgressStream progress(exchange);
  bool quiet = exchange.request.query.truth("quiet");
  // The names of what was loaded are no progress: they are told even when quiet.
  auto sink = [&progress, quiet](const image::ProgressEvent& event) {
    if (!quiet || !event.stream.empty()) progress.tell(event);
  };
  auto loaded = co_await api.images().load(std::move(pipe.read_end), sink);
  co_await receiving.join();
  // As with Docker, what is wrong with an archive is told in the stream.
  if (received) progress.begin();
  co_return co_await progress.finish(received ? without_value(loaded) : received);
}

Task<> save_in_background(image::Store& store, std::vector<std::string> names, sys::UniqueFd write_end,
                          Result<void>& result) {
  result = co_await store.save(std::move(names), std::move(write_end));
}

Task<Result<void>> save_names(Api& api, Exchange& exchange, std::vector<std::string> names) {
  if (names.empty()) co_return fail(ErrorCode::invalid, "no image was named");
  CO_TRY(BytePipe pipe, BytePipe::make());
  Result<void> saved;
  async::TaskGroup saving(api.loop());
  saving.spawn("save", save_in_background(api.images(), std::move(names), std::move(pipe.write_end), saved));
  auto streamed = co_await pipe_to_stream(exchange, std::move(pipe.read_end), "application/x-tar");
  co_await saving.join();
  CO_TRY_OK(std::move(saved));
  co_return without_value(streamed);
}

Task<Result<void>> save_several(Api& api, Exchange& exchange) {
  return save_names(api, exchange, exchange.request.query.all("names"));
}

Task<Result<void>> save_one(Api& api, Exchange& exchange) {
  return save_names(api, exchange, {exchange.request.param("name")});
}

}  // namespace

void add_image_transfer_routes(http::Router& router, Api& api) {
  http::RouteOptions waits{.on_gone = http::OnGone::cancel};
  http::RouteOptions uploads{.on_gone = http::OnGone::cancel, .body_limit = http::kUnlimitedBody};
  add_route(router, api, "POST /images/create", create, uploads);
  add_route(router, api, "POST /images/load", load, uploads);
  add_route(router, api, "POST /images/{name...}/push", push, waits);
  add_route(router, api, "GET /images/get", save_several);
  add_route(router, api, "GET /images/{name...}/get", save_one);
}

}  // namespace berth::docker
