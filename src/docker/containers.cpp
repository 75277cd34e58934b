// Containers: create, inspect, and what changes their state.
#include "base/text.h"
#include "docker/api.h"
#include "docker/container_event.h"
#include "docker/create_request.h"
#include "docker/detail/resources.h"
#include "docker/fields.h"
#include "docker/inspect.h"
#include "docker/platform.h"
#include "docker/policy.h"
#include "docker/sizes.h"
#include "engine/host_limits.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Task<Result<void>> create(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  std::string name = exchange.request.query.get("name");
  if (name.starts_with('/') && name.size() > 1) name.erase(0, 1);
  CO_TRY(engine::CreateRequest request, decode_create_request(body, std::move(name)));
  CO_TRY_OK(check_create(access_of(exchange), request.spec, api.volumes()));
  CO_TRY(auto platform, platform_of(exchange));
  CO_TRY_OK(engine::check_against_host(request.spec, api.engine.cgroup_layout()));
  std::vector<std::string> warnings = engine::adapt_to_host(request.spec, api.engine.cgroup_layout());
  if (auto image = api.images().find(request.spec.image)) {
    if (platform) CO_TRY_OK(check_platform(**image, *platform, request.spec.image));
    for (std::string& warning : platform_warnings(**image, platform.has_value()))
      warnings.emplace_back(std::move(warning));
  }
  CO_TRY(auto container, co_await api.engine.create(std::move(request)));
  json::Object answer{{"Id", container->id()}, {"Warnings", json::encode(warnings)}};
  co_return co_await exchange.respond_json(201, std::move(answer));
}

Task<Result<void>> inspect(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  std::optional<ContainerSize> size;
  if (exchange.request.query.truth("size")) {
    CO_TRY(size, co_await measure(api, container));
  }
  json::Value shown = print_inspect(api, *container, size);
  if (!speaks(exchange, "1.45")) add_old_aliases(*container, shown);
  co_return co_await exchange.respond_json(200, std::move(shown));
}

Task<Result<void>> start(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY_OK(co_await container->start());
  co_return co_await exchange.respond_empty(204);
}

// The seconds of `t`; -1 waits for ever.
Result<std::optional<int>> timeout_of(const Exchange& exchange) {
  std::string text = exchange.request.query.get("t");
  if (text.empty()) return std::optional<int>();
  auto seconds = parse_number<int>(text);
  if (!seconds) return fail(ErrorCode::invalid, "strconv.Atoi: parsing \"{}\": invalid syntax", text);
  return seconds;
}

Task<Result<void>> stop(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(auto timeout, timeout_of(exchange));
  CO_TRY_OK(co_await container->stop(timeout, exchange.request.query.get("signal")));
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> restart(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(auto timeout, timeout_of(exchange));
  CO_TRY_OK(co_await container->restart(timeout, exchange.request.query.get("signal")));
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> kill(Api& api, Exchange& exchange) {
  const std::string& name = exchange.request.param("id");
  CO_TRY(auto container, annotate(find_container(api, exchange), "cannot kill container: {}", name));
  CO_TRY_OK(co_await container->kill(exchange.request.query.get("signal", "SIGKILL"), name));
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> pause(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY_OK(co_await container->pause());
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> unpause(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY_OK(co_await container->unpause());
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> update(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(json::Value body, co_await exchange.read_json());
  CO_TRY(engine::UpdateRequest request, detail::decode_update(body));
  CO_TRY_OK(co_await container->update(std::move(request)));
  json::Object answer{{"Warnings", nullptr}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

Task<Result<void>> rename(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  std::string name = exchange.request.query.get("name");
  if (name.starts_with('/')) name.erase(0, 1);
  if (name.empty()) co_return fail(ErrorCode::invalid, "Neither old nor new names may be empty");
  CO_TRY_OK(co_await api.engine.rename(container, name));
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> remove(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  const http::Query& query = exchange.request.query;
  if (query.truth("link")) co_return fail(ErrorCode::invalid, "removing links is not supported by this engine");
  engine::RemoveOptions options{.force = query.truth("force"), .remove_volumes = query.truth("v")};
  CO_TRY_OK(co_await api.engine.remove(container, options));
  co_return co_await exchange.respond_empty(204);
}

Result<engine::WaitCondition> condition_of(const Exchange& exchange) {
  std::string text = exchange.request.query.get("condition");
  if (text.empty() || text == "not-running") return engine::WaitCondition::not_running;
  if (text == "next-exit") return engine::WaitCondition::next_exit;
  if (text == "removed") return engine::WaitCondition::removed;
  return fail(ErrorCode::invalid, "invalid condition: \"{}\"", text);
}

// The head of the answer goes out before the waiting begins: clients wait for it before they start the container.
Task<Result<void>> wait(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(auto condition, condition_of(exchange));
  CO_TRY_OK(co_await exchange.start_stream(200, "application/json"));
  auto result = co_await container->wait(condition);
  // Docker's Error tells that the waiting failed, never why a container did not start: clients print it.
  json::Object answer{{"StatusCode", result ? result->exit_code : -1}};
  if (!result) answer["Error"] = json::Object{{"Message", result.error().text()}};
  std::string text = json::print(answer) + "\n";
  CO_TRY_OK(co_await exchange.write(text));
  co_return Result<void>();
}

Task<Result<void>> top(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(auto table, co_await container->top(exchange.request.query.get("ps_args", "-ef")));
  publish_container_event(api, *container, "top");
  json::Object answer{{"Titles", json::encode(table.titles)}, {"Processes", json::encode(table.processes)}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_container_routes(http::Router& router, Api& api) {
  add_route(router, api, "POST /containers/create", create);
  add_route(router, api, "GET /containers/{id}/json", inspect);
  add_route(router, api, "POST /containers/{id}/start", start);
  add_route(router, api, "POST /containers/{id}/stop", stop);
  add_route(router, api, "POST /containers/{id}/restart", restart);
  add_route(router, api, "POST /containers/{id}/kill", kill);
  add_route(router, api, "POST /containers/{id}/pause", pause);
  add_route(router, api, "POST /containers/{id}/unpause", unpause);
  add_route(router, api, "POST /containers/{id}/rename", rename);
  add_route(router, api, "POST /containers/{id}/update", update);
  add_route(router, api, "DELETE /containers/{id}", remove);
  add_route(router, api, "POST /containers/{id}/wait", wait, {.on_gone = http::OnGone::cancel});
  add_route(router, api, "GET /containers/{id}/top", top);
}

}  // namespace berth::docker
