// Execs: create, start, resize, inspect.
#include "engine/exec.h"
#include "base/log.h"
#include "base/text.h"
#include "docker/api.h"
#include "docker/detach_keys.h"
#include "docker/fields.h"
#include "docker/frame.h"
#include "docker/policy.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

Result<std::shared_ptr<engine::Exec>> find_exec(Api& api, const Exchange& exchange) {
  const std::string& id = exchange.request.param("id");
  TRY(auto exec, api.engine.find_exec(id));
  if (!sees(access_of(exchange), *exec->container()))
    return fail(ErrorCode::not_found, "No such exec instance: {}", id);
  return exec;
}

Result<engine::ExecSpec> decode_exec(const json::Value& body) {
  Fields fields(body, "");
  engine::ExecSpec spec;
  spec.process.args = fields.take_words("Cmd").value_or(std::vector<std::string>());
  spec.process.env = fields.take<std::vector<std::string>>("Env");
  spec.process.working_dir = fields.take<std::string>("WorkingDir");
  spec.process.user = fields.take<std::string>("User");
  spec.process.tty = fields.take<bool>("Tty");
  spec.process.privileged = fields.take<bool>("Privileged");
  spec.attach_stdin = fields.take<bool>("AttachStdin");
  spec.attach_stdout = fields.take<bool>("AttachStdout");
  spec.attach_stderr = fields.take<bool>("AttachStderr");
  TRY(spec.detach_keys, parse_detach_keys(fields.take<std::string>("DetachKeys")));
  // Detach is said again, and decided, at the start.
  fields.drop({"Detach", "ConsoleSize", "Container"});
  TRY_OK(fields.finish_body());
  if (spec.process.args.empty()) return fail(ErrorCode::invalid, "No exec command specified");
  return spec;
}

Task<Result<void>> create(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(json::Value body, co_await exchange.read_json());
  CO_TRY(engine::ExecSpec spec, decode_exec(body));
  CO_TRY_OK(check_exec(access_of(exchange), spec.process));
  CO_TRY(auto exec, api.engine.create_exec(container, std::move(spec)));
  json::Object answer{{"Id", exec->id()}};
  co_return co_await exchange.respond_json(201, std::move(answer));
}

struct StartRequest {
  bool detach = false;
  bool tty = false;
};

Result<StartRequest> decode_start(const json::Value& body) {
  Fields fields(body, "");
  StartRequest start{fields.take<bool>("Detach"), fields.take<bool>("Tty")};
  fields.drop({"ConsoleSize"});
  TRY_OK(fields.finish_body());
  return start;
}

Task<Result<void>> start(Api& api, Exchange& exchange) {
  CO_TRY(auto exec, find_exec(api, exchange));
  CO_TRY(json::Value body, co_await exchange.read_json());
  CO_TRY(StartRequest request, decode_start(body));
  if (exec->started()) co_return fail(ErrorCode::conflict, "Error: Exec command {} is already running", exec->id());
  if (!exec->container()->running())
    co_return fail(ErrorCode::conflict, "container {} is not running", exec->container()->id());
  if (request.detach) {
    CO_TRY_OK(co_await exec->start(std::nullopt, "", request.tty));
    co_return co_await exchange.respond_empty(200);
  }
  bool multiplexed = !request.tty && speaks(exchange, "1.42") && exchange.request.headers().has("Upgrade");
  std::string type(stream_type(multiplexed));
  CO_TRY(http::Hijacked taken, co_await exchange.hijack(std::move(type)));
  // From here on the connection is the exec's, which also says on it why it could not start.
  auto started = co_await exec->start(std::move(taken.fd), std::move(taken.leftover), request.tty);
  if (!started) log::debug("exec not started", {{"exec", exec->id()}, {"error", started.error().text()}});
  co_return Result<void>();
}

Task<Result<void>> resize(Api& api, Exchange& exchange) {
  CO_TRY(auto exec, find_exec(api, exchange));
  auto rows = parse_number<int>(exchange.request.query.get("h"));
  auto columns = parse_number<int>(exchange.request.query.get("w"));
  if (!rows || !columns || *rows < 0 || *columns < 0) co_return fail(ErrorCode::invalid, "invalid terminal size");
  CO_TRY_OK(co_await exec->resize(*rows, *columns));
  co_return co_await exchange.respond_empty(200);
}

Task<Result<void>> inspect(Api& api, Exchange& exchange) {
  CO_TRY(auto exec, find_exec(api, exchange));
  const engine::ExecSpec& spec = exec->spec();
  const std::vector<std::string>& args = spec.process.args;
  json::Object process{{"tty", spec.process.tty},
                       {"entrypoint", args.front()},
                       {"arguments", json::encode(std::vector<std::string>(args.begin() + 1, args.end()))},
                       {"privileged", spec.process.privileged}};
  if (!spec.process.user.empty()) process["user"] = spec.process.user;
  json::Object answer{{"ID", exec->id()},
                      {"Running", exec->running()},
                      {"ExitCode", exec->exit_code() ? json::Value(*exec->exit_code()) : json::Value(nullptr)},
                      {"ProcessConfig", std::move(process)},
                      {"OpenStdin", spec.attach_stdin},
                      {"OpenStderr", spec.attach_stderr},
                      {"OpenStdout", spec.attach_stdout},
                      {"CanRemove", !exec->running() && exec->started()},
                      {"ContainerID", exec->container()->id()},
                      {"DetachKeys", ""},
                      {"Pid", exec->pid()}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_exec_routes(http::Router& router, Api& api) {
  add_route(router, api, "POST /containers/{id}/exec", create);
  add_route(router, api, "POST /exec/{id}/start", start);
  add_route(router, api, "POST /exec/{id}/resize", resize);
  add_route(router, api, "GET /exec/{id}/json", inspect);
}

}  // namespace berth::docker
