// What registries are asked for: distribution inspect, search, the login; and the raw manifest, for which Docker's API
// has no word.
#include <algorithm>

#include "base/text.h"
#include "docker/api.h"
#include "docker/fields.h"
#include "docker/filters.h"
#include "oci/reference.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

constexpr std::size_t kSearchLimit = 100;
constexpr std::size_t kSearchDefault = 25;

json::Object platform_object(const oci::Platform& platform) {
  json::Object shown{{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) shown["variant"] = platform.variant;
  return shown;
}

Task<Result<image::RemoteImage>> look_up(Api& api, Exchange& exchange) {
  CO_TRY(auto reference, oci::Reference::parse(exchange.request.param("name")));
  CO_TRY(auto who, image::parse_registry_auth(exchange.request.headers().get("X-Registry-Auth")));
  co_return co_await api.images().remote(std::move(reference), std::move(who));
}

Task<Result<void>> distribution(Api& api, Exchange& exchange) {
  CO_TRY(image::RemoteImage remote, co_await look_up(api, exchange));
  json::Array platforms;
  for (const oci::Platform& platform : remote.platforms) platforms.push_back(platform_object(platform));
  json::Object descriptor{
      {"mediaType", remote.media_type}, {"digest", remote.digest.text()}, {"size", remote.text.size()}};
  json::Object answer{{"Descriptor", std::move(descriptor)}, {"Platforms", std::move(platforms)}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

Task<Result<void>> manifest(Api& api, Exchange& exchange) {
  CO_TRY(image::RemoteImage remote, co_await look_up(api, exchange));
  co_return co_await exchange.respond(200, std::move(remote.text), "application/json");
}

struct SearchFilter {
  std::optional<bool> official, automated;
  std::int64_t stars = 0;

  bool fits(const json::Value& found) const {
    return (!official || *official == json::bool_or(found, "is_official")) &&
           (!automated || *automated == json::bool_or(found, "is_automated")) &&
           json::int_or(found, "star_count") >= stars;
  }
};

Result<SearchFilter> decode_filter(const std::string& text) {
  TRY(Filters filters, Filters::parse(text, {"is-official", "is-automated", "stars"}));
  SearchFilter wanted;
  if (filters.has("is-official")) {
    TRY(wanted.official, filters.truth("is-official", false));
  }
  if (filters.has("is-automated")) {
    TRY(wanted.automated, filters.truth("is-automated", false));
  }
  for (const std::string& stars : filters.all("stars")) {
    auto number = parse_number<std::int64_t>(stars);
    if (!number) return fail(ErrorCode::invalid, "invalid filter 'stars=[{}]'", stars);
    wanted.stars = std::max(wanted.stars, *number);
  }
  return wanted;
}

Task<Result<void>> search(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  image::SearchRequest request{.term = query.get("term"), .limit = kSearchDefault};
  if (std::string limit = query.get("limit"); !limit.empty() && limit != "0") {
    auto number = parse_number<std::size_t>(limit);
    if (!number) co_return fail(ErrorCode::invalid, "strconv.Atoi: parsing \"{}\": invalid syntax", limit);
    if (*number > kSearchLimit) co_return fail(ErrorCode::invalid, "limit {} is outside the range of [1, 100]", limit);
    request.limit = *number;
  }
  CO_TRY(SearchFilter filter, decode_filter(query.get("filters")));
  CO_TRY(request.credentials, image::parse_registry_auth(exchange.request.headers().get("X-Registry-Auth")));
  CO_TRY(json::Array found, co_await api.images().search(std::move(request)));
  json::Array shown;
  for (const json::Value& each : found) {
    if (!filter.fits(each)) continue;
    shown.push_back(json::Object{{"star_count", json::int_or(each, "star_count")},
                                 {"is_official", json::bool_or(each, "is_official")},
                                 {"name", json::string_or(each, "name")},
                                 {"is_automated", json::bool_or(each, "is_automated")},
                                 {"description", json::string_or(each, "description")}});
  }
  co_return co_await exchange.respond_json(200, std::move(shown));
}

Task<Result<void>> login(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  Fields fields(body, "");
  image::Credentials credentials;
  credentials.username = fields.take<std::string>("username");
  credentials.password = fields.take<std::string>("password");
  credentials.identity_token = fields.take<std::string>("identitytoken");
  credentials.registry_token = fields.take<std::string>("registrytoken");
  std::string server = fields.take<std::string>("serveraddress");
  CO_TRY_OK(fields.finish_body());
  CO_TRY(std::string status, co_await api.images().login(std::move(server), std::move(credentials)));
  json::Object answer{{"Status", status}, {"IdentityToken", ""}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_registry_routes(http::Router& router, Api& api) {
  http::RouteOptions waits{.on_gone = http::OnGone::cancel};
  add_route(router, api, "GET /distribution/{name...}/json", distribution, waits);
  add_route(router, api, "GET /berth/v1/manifests/{name...}", manifest, waits);
  add_route(router, api, "GET /images/search", search, waits);
  add_route(router, api, "POST /auth", login);
}

}  // namespace berth::docker
