#include "cli/engine_client.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace berth::cli {

namespace {

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
      return ErrorCode::invalid;
    case 401:
    case 403:
      return ErrorCode::denied;
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::conflict;
    case 501:
      return ErrorCode::unsupported;
    case 503:
      return ErrorCode::exhausted;
    default:
      return ErrorCode::io;
  }
}

http::ClientRequest make_request(std::string_view method, std::string target, const json::Value& body) {
  http::ClientRequest request;
  request.method = method;
  request.target = std::move(target);
  if (!body.is_null()) {
    request.body = json::print(body);
    request.headers.add("Content-Type", "application/json");
  }
  return request;
}

// A refusal's {"message": "..."}, or whatever text it had.
std::string message_of(std::string_view body, int status) {
  if (auto value = json::parse(body)) {
    if (std::string message = json::string_or(*value, "message"); !message.empty()) return std::string(trim(message));
  }
  if (std::string_view text = trim(body); !text.empty()) return std::string(text);
  return fmt::format("status {} {}", status, http::reason_of(status));
}

}  // namespace

EngineClient::EngineClient(Way way, bool as_docker)
    : host_(std::move(way.host)), client_(std::move(way.endpoint)), as_docker_(as_docker) {
  if (const char* version = std::getenv("DOCKER_API_VERSION"); version != nullptr && *version != '\0')
    prefix_ = fmt::format("/v{}", version);
}

Error EngineClient::unreachable(const Error& error) const {
  int number = error.errno_value();
  // The program in between has said what was wrong.
  if (!client_.endpoint().command.empty())
    return Error(error.code(), fmt::format("error during connect: {}: {}", host_, error.text()));
  if (number == 0) return error;
  if (number == EACCES || number == EPERM) {
    if (as_docker_)
      return Error(ErrorCode::denied,
                   fmt::format("permission denied while trying to connect to the Docker daemon socket at {}", host_));
    return Error(ErrorCode::denied,
                 fmt::format("You may not use the Berth engine at {}: run this as root (sudo berth ...), "
                             "since whoever can use the engine's socket is root on this machine.",
                             host_));
  }
  if (as_docker_)
    return Error(ErrorCode::io,
                 fmt::format("Cannot connect to the Docker daemon at {}. Is the docker daemon running?", host_));
  return Error(ErrorCode::io, fmt::format("The Berth engine is not running: nobody answers at {} ({}). Start it with "
                                          "'systemctl start berth-engine', or as root with 'berth engine'.",
                                          host_, std::strerror(number)));
}

Result<http::BlockingResponse> EngineClient::checked(Result<http::BlockingResponse> response) const {
  if (!response) return std::unexpected(unreachable(response.error()));
  if (response->status() < 400) return response;
  TRY(std::string body, response->read_all());
  return fail(code_of_status(response->status()), "Error response from daemon: {}",
              message_of(body, response->status()));
}

Result<json::Value> EngineClient::call(std::string_view method, std::string_view target,
                                       const json::Value& body) const {
  TRY(auto response, checked(client_.request(make_request(method, full_target(target), body))));
  TRY(std::string text, response.read_all());
  if (trim(text).empty() || !response.head.headers.get("Content-Type").starts_with("application/json")) return nullptr;
  return annotate(json::parse(text), "cannot read the daemon's answer to {} {}", method, target);
}

Result<http::BlockingResponse> EngineClient::open_stream(http::ClientRequest request) const {
  request.target = full_target(request.target);
  return checked(client_.request(request));
}

Result<http::BlockingResponse> EngineClient::upload(http::ClientRequest request, const http::BodySource& body) const {
  request.target = full_target(request.target);
  return checked(client_.request(request, body));
}

Result<http::TakenConnection> EngineClient::hijack(std::string_view target, const json::Value& body) const {
  http::ClientRequest request = make_request("POST", full_target(target), body);
  request.upgrade = true;
  TRY(auto response, checked(client_.request(request)));
  return response.take();
}

std::string escape_path(std::string_view name) {
  std::string text;
  for (char c : name) {
    if (c == '/' || c == ':' || c == '@')
      text += c;
    else
      text += http::percent_encode(std::string_view(&c, 1));
  }
  return text;
}

std::string query(std::initializer_list<std::pair<std::string_view, std::string>> pairs) {
  std::string text;
  for (const auto& [key, value] : pairs)
    if (!value.empty()) text += fmt::format("{}{}={}", text.empty() ? '?' : '&', key, http::percent_encode(value));
  return text;
}

std::string encode_filters(const std::vector<std::string>& filters) {
  if (filters.empty()) return "";
  json::Object object;
  for (const std::string& filter : filters) {
    auto [key, value] = split_once(filter, '=');
    json::Value& values = object[to_lower(trim(key))];
    if (!values.is_array()) values.emplace_array();
    values.get_array().push_back(boost::json::string(trim(value.value_or(""))));
  }
  return json::print(object);
}

Result<void> read_json_lines(http::BlockingResponse& response,
                             const std::function<Result<void>(const json::Value&)>& take) {
  constexpr std::size_t kLongestLine = 16 << 20;
  std::string pending;
  auto take_lines = [&](std::string_view bytes) -> Result<void> {
    pending += bytes;
    std::size_t start = 0;
    for (std::size_t end; (end = pending.find('\n', start)) != std::string::npos; start = end + 1) {
      std::string_view line = trim(std::string_view(pending).substr(start, end - start));
      if (line.empty()) continue;
      TRY(json::Value value, json::parse(line));
      TRY_OK(take(value));
    }
    pending.erase(0, start);
    if (pending.size() > kLongestLine) return fail(ErrorCode::exhausted, "the daemon sent a line that is too long");
    return {};
  };
  TRY_OK(response.read_to(take_lines));
  return take_lines("\n");
}

}  // namespace berth::cli
