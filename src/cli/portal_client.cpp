#include "cli/portal_client.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace berth::cli {

namespace {

std::string message_of(std::string_view body, int status) {
  auto value = json::parse(body);
  const json::Value* error = value ? json::find(*value, "error") : nullptr;
  if (error == nullptr) return fmt::format("the portal answered {} {}", status, http::reason_of(status));
  std::string message = json::string_or(*error, "message"), hint = json::string_or(*error, "hint");
  return hint.empty() ? message : fmt::format("{} ({})", message, hint);
}

}  // namespace

Result<PortalClient> PortalClient::open() {
  const char* given = std::getenv("BERTH_PORTAL");
  std::string address = given != nullptr && *given != '\0' ? given : "unix:///run/berth/portal.sock";
  TRY(auto endpoint, http::Endpoint::parse(address));
  return PortalClient(std::move(address), std::move(endpoint));
}

Result<json::Value> PortalClient::call(std::string_view method, const std::string& target,
                                       const json::Value& body) const {
  http::ClientRequest request;
  request.method = method;
  request.target = target;
  request.headers.add("Accept", "application/json");
  if (!body.is_null()) {
    request.body = json::print(body);
    request.headers.add("Content-Type", "application/json");
  }
  auto response = client_.request(request);
  if (!response && response.error().errno_value() == EACCES)
    return fail(ErrorCode::denied,
                "You may not use the Berth portal at {}: run this as root, or join the group that owns it", address_);
  if (!response && response.error().errno_value() != 0)
    return fail(ErrorCode::io,
                "The Berth portal is not running: nobody answers at {} ({}). Start it with "
                "'systemctl start berth-portal', or with 'berth portal'.",
                address_, std::strerror(response.error().errno_value()));
  if (!response) return std::unexpected(std::move(response).error());
  TRY(std::string text, response->read_all());
  if (response->status() >= 400)
    return fail(response->status() == 404 ? ErrorCode::not_found : ErrorCode::invalid, "{}",
                message_of(text, response->status()));
  if (trim(text).empty()) return nullptr;
  return annotate(json::parse(text), "cannot read the portal's answer");
}

Result<json::Value> PortalClient::find(const std::string& name) const {
  return call("GET", "/api/v1/workspaces/" + http::percent_encode(name));
}

}  // namespace berth::cli
