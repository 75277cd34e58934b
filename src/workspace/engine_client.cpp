#include "workspace/engine_client.h"

#include <algorithm>

namespace berth::workspace {

namespace {

// One version for all calls: that of Debian 12's Docker, which later ones answer too.
constexpr std::string_view kApi = "/v1.41";

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
      return ErrorCode::invalid;
    case 403:
      return ErrorCode::denied;
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::conflict;
    case 503:
      return ErrorCode::exhausted;
    default:
      return ErrorCode::internal;
  }
}

Labels labels_in(const json::Value& object) {
  const json::Value* labels = json::find(object, "Labels");
  if (labels == nullptr) return {};
  return json::decode<Labels>(*labels).value_or(Labels{});
}

Time time_in(const json::Value& object, std::string_view key) {
  return parse_rfc3339(json::string_or(object, key)).value_or(Time{});
}

void read_activations(const json::Value& container, ContainerView& view) {
  const json::Value* berth = json::find(container, "Berth");
  const json::Value* activations = berth == nullptr ? nullptr : json::find(*berth, "Activations");
  if (activations == nullptr || !activations->is_array()) return;
  std::int64_t connections = 0;
  for (const json::Value& activation : activations->get_array()) {
    connections += json::int_or(activation, "ActiveConnections");
    view.last_used = std::max(view.last_used, time_in(activation, "LastUsed"));
  }
  view.connections = static_cast<int>(connections);
}

ContainerView view_of_summary(const json::Value& summary) {
  ContainerView view;
  view.state = json::string_or(summary, "State");
  view.image = json::string_or(summary, "Image");
  view.labels = labels_in(summary);
  view.created = Time{json::int_or(summary, "Created") * 1'000'000'000};
  read_activations(summary, view);
  return view;
}

ContainerView view_of_inspect(const json::Value& container) {
  ContainerView view;
  view.created = time_in(container, "Created");
  if (const json::Value* state = json::find(container, "State")) view.state = json::string_or(*state, "Status");
  if (const json::Value* config = json::find(container, "Config")) {
    view.image = json::string_or(*config, "Image");
    view.labels = labels_in(*config);
  }
  read_activations(container, view);
  return view;
}

std::string container_path(std::string_view name, std::string_view rest = {}) {
  return fmt::format("/containers/{}{}", http::percent_encode(name), rest);
}

std::string volume_path(std::string_view name) { return fmt::format("/volumes/{}", http::percent_encode(name)); }

}  // namespace

EngineClient::EngineClient(async::Loop& loop, http::Endpoint endpoint)
    : where_(endpoint.unix_path.empty() ? fmt::format("{}:{}", endpoint.host, endpoint.port) : endpoint.unix_path),
      client_(loop, std::move(endpoint)) {}

async::Task<Outcome<EngineClient::Answer>> EngineClient::call(std::string method, std::string target,
                                                              std::optional<json::Value> body) {
  http::ClientRequest request;
  request.method = std::move(method);
  request.target = std::string(kApi) + target;
  if (body) {
    request.body = json::print(*body);
    request.headers.set("Content-Type", "application/json");
  }
  auto response = co_await client_.request(std::move(request));
  if (!response) {
    co_return refuse(ErrorCode::exhausted, "engine_away",
                     fmt::format("The engine does not answer at {}: {}.", where_, response.error().text()),
                     "start it: systemctl start berth-engine, or: berth engine");
  }
  Answer answer;
  answer.status = response->status();
  auto text = co_await response->read_all();
  if (!text) {
    co_return refuse(ErrorCode::exhausted, "engine_away",
                     fmt::format("The engine went away within its answer: {}.", text.error().text()),
                     "try again; if it persists, look at the engine's log");
  }
  // Not every answer is JSON: /_ping's is "OK".
  if (auto value = json::parse(*text)) answer.body = std::move(*value);
  if (!answer.good()) answer.message = json::string_or(answer.body, "message", *text);
  co_return answer;
}

namespace {

// The engine's refusal as ours.
template <class Answer>
std::unexpected<Problem> refused(const Answer& answer) {
  return std::unexpected(Problem(Error(code_of_status(answer.status), answer.message)));
}

}  // namespace

async::Task<Outcome<>> EngineClient::ping() {
  CO_TRY(auto answer, co_await call("GET", "/_ping"));
  if (!answer.good()) co_return refused(answer);
  co_return Outcome<>();
}

async::Task<Outcome<std::vector<ContainerView>>> EngineClient::list(std::string label) {
  std::string filters = json::print(json::Object{{"label", json::Array{json::Value(label)}}});
  CO_TRY(auto answer, co_await call("GET", "/containers/json?all=1&filters=" + http::percent_encode(filters)));
  if (!answer.good()) co_return refused(answer);
  std::vector<ContainerView> views;
  if (answer.body.is_array())
    for (const json::Value& summary : answer.body.get_array()) views.push_back(view_of_summary(summary));
  co_return views;
}

async::Task<Outcome<std::optional<ContainerView>>> EngineClient::inspect(std::string name) {
  CO_TRY(auto answer, co_await call("GET", container_path(name, "/json")));
  if (answer.status == 404) co_return std::optional<ContainerView>();
  if (!answer.good()) co_return refused(answer);
  co_return view_of_inspect(answer.body);
}

async::Task<Outcome<>> EngineClient::create(std::string name, json::Value body) {
  std::string image = json::string_or(body, "Image");
  CO_TRY(auto answer, co_await call("POST", "/containers/create?name=" + http::percent_encode(name), std::move(body)));
  if (answer.status == 404 && answer.message.starts_with("No such image")) {
    co_return refuse(ErrorCode::invalid, "unknown_image", fmt::format("{}.", answer.message),
                     fmt::format("get it first: berth pull {}", image));
  }
  if (!answer.good()) co_return refused(answer);
  co_return Outcome<>();
}

async::Task<Outcome<>> EngineClient::start(std::string name) {
  CO_TRY(auto answer, co_await call("POST", container_path(name, "/start")));
  if (!answer.good()) co_return refused(answer);
  co_return Outcome<>();
}

async::Task<Outcome<>> EngineClient::stop(std::string name) {
  CO_TRY(auto answer, co_await call("POST", container_path(name, "/stop")));
  if (!answer.good()) co_return refused(answer);
  co_return Outcome<>();
}

async::Task<Outcome<bool>> EngineClient::remove(std::string name) {
  CO_TRY(auto answer, co_await call("DELETE", container_path(name, "?force=1")));
  if (answer.status == 404) co_return false;
  if (!answer.good()) co_return refused(answer);
  co_return true;
}

async::Task<Outcome<std::string>> EngineClient::image_date(std::string image) {
  CO_TRY(auto answer, co_await call("GET", fmt::format("/images/{}/json", http::percent_encode(image))));
  if (answer.status == 404) co_return std::string();
  if (!answer.good()) co_return refused(answer);
  co_return json::string_or(answer.body, "Created").substr(0, std::string_view("YYYY-MM-DD").size());
}

async::Task<Outcome<std::optional<Labels>>> EngineClient::inspect_volume(std::string name) {
  CO_TRY(auto answer, co_await call("GET", volume_path(name)));
  if (answer.status == 404) co_return std::optional<Labels>();
  if (!answer.good()) co_return refused(answer);
  co_return labels_in(answer.body);
}

async::Task<Outcome<>> EngineClient::create_volume(std::string name, Labels labels) {
  json::Value body = json::Object{{"Name", name}, {"Labels", json::encode(labels)}};
  CO_TRY(auto answer, co_await call("POST", "/volumes/create", std::move(body)));
  if (!answer.good()) co_return refused(answer);
  co_return Outcome<>();
}

async::Task<Outcome<bool>> EngineClient::remove_volume(std::string name) {
  CO_TRY(auto answer, co_await call("DELETE", volume_path(name)));
  if (answer.status == 404) co_return false;
  if (!answer.good()) co_return refused(answer);
  co_return true;
}

}  // namespace berth::workspace
