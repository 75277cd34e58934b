#include "portal/portal.h"

#include "base/log.h"
#include "http/exchange.h"
#include "portal/access.h"
#include "portal/page.h"

namespace berth::portal {

namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";

std::string ssh_command(std::uint16_t port, std::string_view host) {
  bool v6 = host.starts_with('[');
  return fmt::format("ssh -p {} user@{}", port, v6 ? host.substr(1, host.size() - 2) : host);
}

// A workspace as programs and pages see it, from where the client stands.
class View {
 public:
  View(const workspace::Workspaces& workspaces, const PortalOptions& options, const http::Exchange& exchange)
      : settings_(workspaces.settings()), host_(options.host), port_(options.port) {
    if (host_.empty()) host_ = host_of(exchange.request.head);
  }

  std::uint16_t port(const workspace::Status& status) const {
    return workspace::ssh_port(settings_.port_base, status.spec.number);
  }
  std::string command(const workspace::Status& status) const { return ssh_command(port(status), host_); }
  std::string url(const workspace::Status& status) const {
    return fmt::format("http://{}:{}/workspaces/{}", host_, port_, status.spec.name);
  }
  PageEntry entry(const workspace::Status& status) const { return {status, command(status)}; }

  json::Value whole(const workspace::Status& status) const {
    json::Array keys;
    for (const workspace::PublicKey& key : status.spec.keys)
      keys.push_back(json::Object{{"type", key.type}, {"fingerprint", key.fingerprint()}, {"comment", key.comment}});
    json::Object object{
        {"name", status.spec.name},
        {"state", status.state},
        {"image", status.spec.image},
        {"number", status.spec.number},
        {"ssh", json::Object{{"host", host_}, {"port", port(status)}, {"user", "user"}, {"command", command(status)}}},
        {"url", url(status)},
        {"memory", status.spec.memory},
        {"nano_cpus", status.spec.nano_cpus},
        {"created", format_rfc3339(status.created)},
        {"keys", std::move(keys)}};
    if (status.connections) {
      object["connections"] = *status.connections;
      object["last_used"] = status.last_used.is_set() ? json::Value(format_rfc3339(status.last_used)) : json::Value();
    }
    return object;
  }

  // The answer of /pod. No workspace has an end set, so there are no days to estimate.
  json::Value pod(const workspace::Status& status) const {
    return json::Object{{"url", url(status)},
                        {"name", status.spec.name},
                        {"estimated-days-left", nullptr},
                        {"ssh", json::Object{{"port", port(status)}, {"host", host_}, {"cmd", command(status)}}}};
  }

 private:
  const workspace::Settings& settings_;
  std::string host_;
  std::uint16_t port_;
};

}  // namespace

Portal::Portal(workspace::Workspaces& workspaces, PortalOptions options)
    : workspaces_(workspaces), options_(std::move(options)) {
  if (!options_.host.empty()) options_.own_hosts.push_back(options_.host);
}

http::Router Portal::router() {
  http::Router router;
  http::RouteOptions form;
  form.body_limit = kMaxFormBytes;
  router.add("GET", "/", guard(&Portal::home));
  router.add("GET", "/style.css", guard(&Portal::style));
  router.add("GET", "/healthz", guard(&Portal::health));
  router.add("POST", "/pod", guard(&Portal::pod), form);
  router.add("GET", "/workspaces/{name}", guard(&Portal::page_of_one));
  router.add("POST", "/workspaces/{name}/{action}", guard(&Portal::act_on_one), form);
  router.add("GET", "/api/v1/workspaces", guard(&Portal::api_list));
  router.add("POST", "/api/v1/workspaces", guard(&Portal::api_create), form);
  router.add("GET", "/api/v1/workspaces/{name}", guard(&Portal::api_show));
  router.add("DELETE", "/api/v1/workspaces/{name}", guard(&Portal::api_remove));
  router.add("POST", "/api/v1/workspaces/{name}/replace", guard(&Portal::api_replace), form);
  router.add("POST", "/api/v1/workspaces/{name}/{action}", guard(&Portal::api_act), form);
  router.set_fallback(guard(&Portal::not_found));
  return router;
}

http::Handler Portal::guard(Answer answer) {
  return [this, answer](http::Exchange& exchange) { return serve(answer, exchange); };
}

// The Exchange outlives its handler, and so this.
async::Task<Result<void>> Portal::serve(Answer answer, http::Exchange& exchange) {
  auto admitted = exchange.request.path == "/healthz"
                      ? Outcome<>()
                      : admit(exchange.peer(), exchange.request.head, options_.own_hosts);
  if (!admitted) co_return co_await answer_problem(exchange, std::move(admitted).error());
  auto outcome = co_await (this->*answer)(exchange);
  if (outcome) co_return Result<void>();
  if (exchange.answered()) co_return std::unexpected(outcome.error().error());
  co_return co_await answer_problem(exchange, std::move(outcome).error());
}

async::Task<Result<void>> Portal::answer_problem(http::Exchange& exchange, workspace::Problem problem) {
  const Error& error = problem.error();
  if (error.code() == ErrorCode::internal || error.code() == ErrorCode::io)
    log::error("request failed", {{"route", exchange.request.route}, {"error", error.text()}});
  int status = http_status(error.code());
  if (wants_page(exchange)) co_return co_await exchange.respond(status, problem_page(problem), std::string(kHtml));
  json::Object details{{"code", problem.name()}, {"message", error.text()}, {"hint", problem.hint()}};
  json::Value body = json::Object{{"error", std::move(details)}};
  co_return co_await exchange.respond_json(status, std::move(body));
}

bool Portal::wants_page(const http::Exchange& exchange) const {
  std::string format = exchange.request.query.get("format");
  if (format == "json" || format == "html") return format == "html";
  if (exchange.request.path.starts_with("/api/") || exchange.request.path == "/healthz") return false;
  return exchange.request.headers().get("Accept").find("text/html") != std::string_view::npos;
}

async::Task<Outcome<>> Portal::send_page(http::Exchange& exchange, int status, std::string page) {
  CO_TRY_OK(co_await exchange.respond(status, std::move(page), std::string(kHtml)));
  co_return Outcome<>();
}

async::Task<Outcome<>> Portal::send_json(http::Exchange& exchange, int status, json::Value value) {
  CO_TRY_OK(co_await exchange.respond_json(status, std::move(value)));
  co_return Outcome<>();
}

async::Task<Outcome<>> Portal::redirect(http::Exchange& exchange, std::string target) {
  exchange.set_header("Location", std::move(target));
  CO_TRY_OK(co_await exchange.respond_empty(303));
  co_return Outcome<>();
}

async::Task<Outcome<Form>> Portal::read_form(http::Exchange& exchange) {
  auto body = co_await exchange.read_body();
  if (!body && body.error().code() == ErrorCode::exhausted)
    co_return workspace::refuse(ErrorCode::invalid, "bad_request", "The form is too large.");
  if (!body) co_return std::unexpected(std::move(body).error());
  co_return Form::parse(exchange.request.headers().get("Content-Type"), *body);
}

async::Task<Outcome<>> Portal::home(http::Exchange& exchange) {
  CO_TRY(auto found, co_await workspaces_.list());
  View view(workspaces_, options_, exchange);
  std::vector<PageEntry> entries;
  for (const workspace::Status& status : found) entries.push_back(view.entry(status));
  co_return co_await send_page(exchange, 200, home_page(entries, workspaces_.settings().default_image));
}

async::Task<Outcome<>> Portal::style(http::Exchange& exchange) {
  CO_TRY_OK(co_await exchange.respond(200, std::string(style_sheet()), "text/css; charset=utf-8"));
  co_return Outcome<>();
}

async::Task<Outcome<>> Portal::health(http::Exchange& exchange) {
  auto alive = co_await workspaces_.engine().ping();
  json::Value body =
      json::Object{{"status", alive ? "ok" : "degraded"}, {"engine", alive ? "ok" : alive.error().error().text()}};
  co_return co_await send_json(exchange, alive ? 200 : 503, std::move(body));
}

async::Task<Outcome<>> Portal::not_found(http::Exchange&) {
  co_return workspace::refuse(ErrorCode::not_found, "not_found", "There is nothing at this address.");
}

async::Task<Outcome<>> Portal::pod(http::Exchange& exchange) {
  CO_TRY(Form form, co_await read_form(exchange));
  CO_TRY(auto request, create_request_of(form));
  CO_TRY(auto created, co_await workspaces_.create(std::move(request)));
  bool page = form.has("format") ? form.get("format") == "html" : wants_page(exchange);
  if (page) co_return co_await redirect(exchange, "/workspaces/" + created.status.spec.name);
  json::Value body = View(workspaces_, options_, exchange).pod(created.status);
  co_return co_await send_json(exchange, created.existed ? 200 : 201, std::move(body));
}

async::Task<Outcome<>> Portal::page_of_one(http::Exchange& exchange) {
  CO_TRY(auto status, co_await workspaces_.find(exchange.request.param("name")));
  View view(workspaces_, options_, exchange);
  if (!wants_page(exchange)) co_return co_await send_json(exchange, 200, view.whole(status));
  co_return co_await send_page(exchange, 200, workspace_page(view.entry(status)));
}

async::Task<Outcome<>> Portal::act_on_one(http::Exchange& exchange) {
  std::string name = exchange.request.param("name");
  std::string action = exchange.request.param("action");
  if (action == "remove") {
    CO_TRY(Form form, co_await read_form(exchange));
    bool with_data = form.get("data") == "1";
    CO_TRY_OK(co_await workspaces_.remove(name, with_data));
    co_return co_await send_page(exchange, 200, removed_page(name, with_data));
  }
  if (action != "start" && action != "stop") co_return co_await not_found(exchange);
  if (action == "start") CO_TRY_OK(co_await workspaces_.start(name));
  if (action == "stop") CO_TRY_OK(co_await workspaces_.stop(name));
  co_return co_await redirect(exchange, "/workspaces/" + name);
}

async::Task<Outcome<>> Portal::api_list(http::Exchange& exchange) {
  CO_TRY(auto found, co_await workspaces_.list());
  View view(workspaces_, options_, exchange);
  json::Array array;
  for (const workspace::Status& status : found) array.push_back(view.whole(status));
  co_return co_await send_json(exchange, 200, std::move(array));
}

async::Task<Outcome<>> Portal::api_create(http::Exchange& exchange) {
  CO_TRY(Form form, co_await read_form(exchange));
  CO_TRY(auto request, create_request_of(form));
  CO_TRY(auto created, co_await workspaces_.create(std::move(request)));
  json::Value body = View(workspaces_, options_, exchange).whole(created.status);
  co_return co_await send_json(exchange, created.existed ? 200 : 201, std::move(body));
}

async::Task<Outcome<>> Portal::api_show(http::Exchange& exchange) {
  CO_TRY(auto status, co_await workspaces_.find(exchange.request.param("name")));
  json::Value body = View(workspaces_, options_, exchange).whole(status);
  co_return co_await send_json(exchange, 200, std::move(body));
}

async::Task<Outcome<>> Portal::api_act(http::Exchange& exchange) {
  std::string name = exchange.request.param("name");
  std::string action = exchange.request.param("action");
  if (action != "start" && action != "stop") co_return co_await not_found(exchange);
  auto outcome = action == "start" ? co_await workspaces_.start(name) : co_await workspaces_.stop(name);
  if (!outcome) co_return std::unexpected(std::move(outcome).error());
  json::Value body = View(workspaces_, options_, exchange).whole(*outcome);
  co_return co_await send_json(exchange, 200, std::move(body));
}

async::Task<Outcome<>> Portal::api_replace(http::Exchange& exchange) {
  CO_TRY(Form form, co_await read_form(exchange));
  CO_TRY(auto change, change_of(form));
  CO_TRY(auto status, co_await workspaces_.replace(exchange.request.param("name"), std::move(change)));
  json::Value body = View(workspaces_, options_, exchange).whole(status);
  co_return co_await send_json(exchange, 200, std::move(body));
}

async::Task<Outcome<>> Portal::api_remove(http::Exchange& exchange) {
  bool with_data = exchange.request.query.truth("data");
  CO_TRY_OK(co_await workspaces_.remove(exchange.request.param("name"), with_data));
  json::Value body = json::Object{{"removed", true}, {"data", with_data ? "removed" : "kept"}};
  co_return co_await send_json(exchange, 200, std::move(body));
}

}  // namespace berth::portal
