#include "docker/build_request.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"
#include "docker/fields.h"
#include "docker/platform.h"

namespace berth::docker {

namespace {

// {"registry": {"username", "password", ...}} in base64.
Result<std::map<std::string, image::Credentials>> decode_credentials(std::string_view header) {
  std::map<std::string, image::Credentials> credentials;
  if (header.empty()) return credentials;
  auto text = base64_decode(header);
  auto value = text ? json::parse(*text) : Result<json::Value>(nullptr);
  if (!text || !value || !(value->is_object() || value->is_null()))
    return fail(ErrorCode::invalid, "invalid X-Registry-Config header: want base64 of a JSON object");
  if (!value->is_object()) return credentials;
  for (const auto& [registry, login] : value->get_object()) {
    TRY(credentials[std::string(registry)], image::parse_registry_auth(base64_encode(json::print(login))));
  }
  return credentials;
}

template <class T>
Result<T> decode_query(const http::Query& query, std::string_view key) {
  std::string text = query.get(key);
  if (text.empty()) return T{};
  TRY(json::Value value, annotate(json::parse(text), "{}", key));
  if (value.is_null()) return T{};
  T decoded{};
  TRY_OK(json::decode_into(value, decoded, key));
  return decoded;
}

Result<std::int64_t> number_in(const http::Query& query, std::string_view key) {
  std::string text = query.get(key);
  if (text.empty()) return 0;
  auto number = parse_number<std::int64_t>(text);
  if (!number) return fail(ErrorCode::invalid, "invalid value for {}: {}", key, text);
  return *number;
}

Result<void> decode_resources(const http::Query& query, build::BuildRequest& request) {
  engine::ResourceSpec& resources = request.resources;
  TRY(resources.memory, number_in(query, "memory"));
  TRY(resources.memory_swap, number_in(query, "memswap"));
  TRY(resources.cpu_shares, number_in(query, "cpushares"));
  TRY(resources.cpu_period, number_in(query, "cpuperiod"));
  TRY(resources.cpu_quota, number_in(query, "cpuquota"));
  TRY(request.shm_size, number_in(query, "shmsize"));
  resources.cpuset_cpus = query.get("cpusetcpus");
  resources.cpuset_mems = query.get("cpusetmems");
  TRY(auto ulimits, decode_query<std::vector<json::Value>>(query, "ulimits"));
  for (const json::Value& value : ulimits) {
    Fields ulimit(value, "ulimits");
    resources.ulimits.push_back(
        {ulimit.take<std::string>("Name"), ulimit.take<std::int64_t>("Soft"), ulimit.take<std::int64_t>("Hard")});
    TRY_OK(ulimit.finish());
  }
  return {};
}

Result<void> refuse_unsupported(const http::Query& query) {
  if (query.truth("squash")) return fail(ErrorCode::invalid, "squash is not supported by this engine");
  if (query.get("version") == "2")
    return fail(ErrorCode::invalid, "version=2 (BuildKit) is not supported by this engine: set DOCKER_BUILDKIT=0");
  constexpr std::array<std::string_view, 5> kRefused = {"cgroupparent", "securityopt", "outputs", "session",
                                                        "isolation"};
  for (std::string_view key : kRefused) {
    std::string value = query.get(key);
    bool is_default = value.empty() || value == "null" || value == "[]" || value == "default";
    if (!is_default) return fail(ErrorCode::invalid, "{} is not supported by this engine", key);
  }
  return {};
}

Result<void> decode_secrets(const http::Headers& headers, build::BuildRequest& request) {
  auto object_of = [&](std::string_view name) -> Result<std::map<std::string, std::string>> {
    std::map<std::string, std::string> object;
    std::string_view header = headers.get(name);
    if (header.empty()) return object;
    TRY(std::string text, annotate(base64_decode(header), "{}", name));
    TRY(json::Value value, annotate(json::parse(text), "{}", name));
    TRY_OK(json::decode_into(value, object, name));
    return object;
  };
  TRY(auto secrets, object_of("X-Berth-Build-Secrets"));
  for (const auto& [id, encoded] : secrets) {
    TRY(request.secrets[id], base64_decode(encoded));
  }
  TRY(request.agents, object_of("X-Berth-Build-Agents"));
  return {};
}

Result<std::vector<oci::Reference>> decode_tags(const std::vector<std::string>& texts) {
  std::vector<oci::Reference> tags;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    TRY(oci::Reference reference, oci::Reference::parse(text));
    if (reference.digest) return fail(ErrorCode::invalid, "build tag cannot contain a digest");
    reference = reference.with_default_tag();
    if (std::find(tags.begin(), tags.end(), reference) == tags.end()) tags.push_back(std::move(reference));
  }
  return tags;
}

}  // namespace

Result<build::BuildRequest> decode_build_request(const http::Request& from) {
  const http::Query& query = from.query;
  TRY_OK(refuse_unsupported(query));
  build::BuildRequest request;
  if (std::string path = query.get("dockerfile"); !path.empty()) request.dockerfile = path;
  request.remote = query.get("remote");
  TRY(request.tags, decode_tags(query.all("t")));
  request.target = query.get("target");
  if (std::string platform = query.get("platform"); !platform.empty()) {
    TRY(request.platform, oci::parse_platform(platform));
  }
  TRY(auto arguments, (decode_query<std::map<std::string, json::Value>>(query, "buildargs")));
  for (const auto& [name, value] : arguments) {
    if (!value.is_null() && !value.is_string()) return fail(ErrorCode::invalid, "buildargs.{}: want a string", name);
    request.arguments[name] =
        value.is_string() ? std::optional(std::string(value.get_string())) : std::optional<std::string>();
  }
  TRY(request.labels, (decode_query<std::map<std::string, std::string>>(query, "labels")));
  TRY(request.cache_from, decode_query<std::vector<std::string>>(query, "cachefrom"));
  request.use_cache = !query.truth("nocache");
  request.pull = query.truth("pull");
  request.quiet = query.truth("q");
  request.force_remove = query.truth("forcerm");
  request.remove = request.force_remove || query.truth("rm", true);
  request.network = query.get("networkmode");
  for (const std::string& each : query.all("extrahosts"))
    for (const std::string& host : split(each, ','))
      if (!host.empty()) request.extra_hosts.push_back(host);
  TRY_OK(decode_resources(query, request));
  TRY(request.credentials, decode_credentials(from.headers().get("X-Registry-Config")));
  TRY_OK(decode_secrets(from.headers(), request));
  return request;
}

}  // namespace berth::docker
