#include "image/detail/registry.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/json.h"
#include "base/text.h"
#include "fs/digest.h"

namespace berth::image {

namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubUrl = "https://registry-1.docker.io";

// An address of either family as 16 bytes, IPv4 as mapped.
std::optional<in6_addr> parse_address(const std::string& text) {
  in6_addr address{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) == 1) return address;
  if (::inet_pton(AF_INET6, ("::ffff:" + text).c_str(), &address) == 1) return address;
  return {};
}

bool cidr_holds(const std::string& cidr, const std::string& host) {
  auto [network, bits_text] = split_once(cidr, '/');
  if (!bits_text) return false;
  auto base = parse_address(std::string(network));
  auto address = parse_address(host);
  auto bits = parse_number<unsigned>(*bits_text);
  if (!base || !address || !bits) return false;
  unsigned prefix = *bits + (network.find(':') == std::string_view::npos ? 96 : 0);
  if (prefix > 128) return false;
  for (unsigned bit = 0; bit < prefix; ++bit) {
    unsigned byte = bit / 8, mask = 0x80u >> bit % 8;
    if ((base->s6_addr[byte] & mask) != (address->s6_addr[byte] & mask)) return false;
  }
  return true;
}

// "MANIFEST_UNKNOWN" -> "manifest unknown".
std::string code_text(std::string_view code) {
  std::string text = to_lower(code);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

struct RegistryError {
  std::string code;
  std::string message;
};

// {"errors": [{"code": "DENIED", "message": "..."}]}: the first of them.
RegistryError first_error(const HttpResponse& response) {
  auto value = json::parse(response.body);
  const json::Value* list = value ? json::find(*value, "errors") : nullptr;
  if (list == nullptr || !list->is_array() || list->get_array().empty()) return {};
  const json::Value& error = list->get_array().front();
  return {json::string_or(error, "code"), json::string_or(error, "message")};
}

}  // namespace

std::map<std::string, std::string> parse_challenge(std::string_view header) {
  std::map<std::string, std::string> challenge;
  header = trim(header);
  std::size_t space = std::min(header.find(' '), header.size());
  challenge[""] = to_lower(header.substr(0, space));
  header.remove_prefix(space);
  while (true) {
    header = header.substr(std::min(header.find_first_not_of(" ,\t"), header.size()));
    auto [name, rest] = split_once(header, '=');
    if (!rest) return challenge;
    std::string value;
    std::string_view text = *rest;
    if (text.starts_with('"')) {
      std::size_t at = 1;
      for (; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) ++at;
        value += text[at];
      }
      text.remove_prefix(std::min(at + 1, text.size()));
    } else {
      std::size_t end = std::min(text.find_first_of(", "), text.size());
      value = text.substr(0, end);
      text.remove_prefix(end);
    }
    challenge.try_emplace(to_lower(trim(name)), std::move(value));
    header = text;
  }
}

Registry::Registry(RegistrySettings settings, oci::Reference repository, Credentials credentials, Access access,
                   std::shared_ptr<std::atomic<bool>> stop)
    : settings_(std::move(settings)),
      repository_(std::move(repository)),
      credentials_(std::move(credentials)),
      access_(access),
      stop_(std::move(stop)) {}

bool Registry::is_insecure(const std::string& domain) const {
  auto url = parse_url("http://" + domain);
  if (!url) return false;
  if (is_loopback_host(url->host)) return true;
  return std::any_of(settings_.insecure.begin(), settings_.insecure.end(), [&](const std::string& entry) {
    return entry == domain || entry == url->host || cidr_holds(entry, url->host);
  });
}

std::vector<Registry::Endpoint> Registry::candidates() const {
  std::vector<Endpoint> list;
  auto add = [&](const std::string& domain) {
    if (!is_insecure(domain)) return list.push_back({"https://" + domain, true, false});
    list.push_back({"https://" + domain, false, true});
    list.push_back({"http://" + domain, false, true});
  };
  if (repository_.domain != kHub) {
    add(repository_.domain);
    return list;
  }
  // Mirrors are for reading. One that is written with its scheme is taken at its word, but plain HTTP still only from
  // where it is allowed.
  for (std::string mirror : access_ == Access::pull ? settings_.mirrors : std::vector<std::string>()) {
    while (mirror.ends_with('/')) mirror.pop_back();
    auto url = parse_url(mirror);
    if (!url) {
      add(mirror);
      continue;
    }
    bool insecure = is_insecure(mirror.substr(mirror.find("://") + 3));
    if (url->scheme == "https" || insecure) list.push_back({mirror, !insecure, insecure});
  }
  list.push_back({std::string(kHubUrl), true, false});
  return list;
}

std::unique_ptr<HttpClient> Registry::take_client() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<HttpClient>(settings_.user_agent, stop_);
  auto client = std::move(idle_.back());
  idle_.pop_back();
  return client;
}

void Registry::give_back(std::unique_ptr<HttpClient> client) {
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(client));
}

Result<void> Registry::connect_to(const Endpoint& endpoint) {
  HttpRequest request;
  request.url = endpoint.url + "/v2/";
  request.verify_tls = endpoint.verify_tls;
  auto client = take_client();
  auto response = client->send(request);
  give_back(std::move(client));
  if (!response) return std::unexpected(std::move(response).error());
  challenge_ = {};
  token_.clear();
  if (response->status == 401) {
    auto challenge = parse_challenge(response->header("www-authenticate"));
    challenge_ = {challenge[""] == "basic", challenge[""] == "bearer", challenge["realm"], challenge["service"]};
  } else if (response->status >= 500) {
    return fail(ErrorCode::io, "received unexpected HTTP status: {} from {}", response->status, request.url);
  }
  endpoint_ = endpoint;
  return {};
}

Result<void> Registry::connect() {
  if (left_.empty()) left_ = candidates();
  Result<void> last;
  while (!left_.empty()) {
    Endpoint endpoint = std::move(left_.front());
    left_.erase(left_.begin());
    last = connect_to(endpoint);
    // Where plain HTTP may follow TLS, it does so only when TLS did not work at all.
    auto address = [](const Endpoint& e) { return e.url.substr(e.url.find("://")); };
    if (last && !left_.empty() && address(left_.front()) == address(endpoint)) left_.erase(left_.begin());
    if (last || last.error().code() == ErrorCode::cancelled) return last;
  }
  return last;
}

std::string Registry::path_url(const std::string& rest) const {
  return fmt::format("{}/v2/{}/{}", endpoint_.url, repository_.path, rest);
}

Result<std::string> Registry::authorization(const HttpRequest& request, bool refresh) {
  if (!credentials_.registry_token.empty()) return "Bearer " + credentials_.registry_token;
  if (challenge_.basic) {
    if (credentials_.username.empty()) {
      std::string method = request.method == "GET" ? "Head" : to_lower(request.method);
      method[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(method[0])));
      return fail(ErrorCode::io, "{} \"{}\": no basic auth credentials", method, request.url);
    }
    return "Basic " + base64_encode(credentials_.username + ":" + credentials_.password);
  }
  if (!challenge_.bearer) return std::string();
  std::lock_guard lock(mutex_);
  if (token_.empty() || refresh) {
    TRY(token_, fetch_token());
  }
  return "Bearer " + token_;
}

Result<std::string> Registry::fetch_token() {
  TRY(Url realm, parse_url(challenge_.realm));
  // The realm is the registry's word: it must not lure a password into the clear.
  if (realm.scheme != "https" && !endpoint_.insecure)
    return fail(ErrorCode::denied, "the registry wants the login sent to {}, which is not encrypted", challenge_.realm);
  std::string scope = fmt::format("repository:{}:{}", repository_.path, access_ == Access::push ? "pull,push" : "pull");
  HttpRequest request;
  request.verify_tls = endpoint_.verify_tls;
  request.follow = false;
  if (!credentials_.identity_token.empty()) {
    request.method = "POST";
    request.url = challenge_.realm;
    request.headers = {"Content-Type: application/x-www-form-urlencoded"};
    request.body = fmt::format("grant_type=refresh_token&refresh_token={}&service={}&scope={}&client_id={}",
                               escape_query(credentials_.identity_token), escape_query(challenge_.service),
                               escape_query(scope), escape_query(settings_.user_agent));
  } else {
    char separator = challenge_.realm.find('?') == std::string::npos ? '?' : '&';
    request.url = fmt::format("{}{}scope={}&service={}", challenge_.realm, separator, escape_query(scope),
                              escape_query(challenge_.service));
    if (!credentials_.username.empty()) {
      request.url += "&account=" + escape_query(credentials_.username);
      request.headers = {"Authorization: Basic " + base64_encode(credentials_.username + ":" + credentials_.password)};
    }
  }
  HttpClient client(settings_.user_agent, stop_);  // mutex_ is held: not from the idle ones
  TRY(HttpResponse response, client.send(request));
  if (response.status == 401 || response.status == 403)
    return fail(ErrorCode::denied, "unauthorized: incorrect username or password");
  if (response.status != 200) return std::unexpected(error_of(response, request));
  TRY(json::Value value, annotate(json::parse(response.body), "token from {}", challenge_.realm));
  std::string token = json::string_or(value, "token");
  if (token.empty()) token = json::string_or(value, "access_token");
  // It becomes a header line.
  if (token.empty() || token.find_first_of("\r\n") != std::string::npos)
    return fail(ErrorCode::io, "authorization server did not include a token in the response");
  return token;
}

Result<HttpResponse> Registry::send(HttpRequest request, const HttpClient::BodySink& sink) {
  request.verify_tls = endpoint_.verify_tls;
  std::vector<std::string> headers = request.headers;
  for (bool refresh : {false, true}) {
    TRY(std::string authorization_value, authorization(request, refresh));
    request.headers = headers;
    if (!authorization_value.empty()) request.headers.push_back("Authorization: " + authorization_value);
    auto client = take_client();
    auto response = client->send(request, sink);
    give_back(std::move(client));
    // A bearer token expires within minutes; a password does not.
    if (!response || response->status != 401 || refresh || !challenge_.bearer) return response;
  }
  return fail(ErrorCode::internal, "not reached");
}

Error Registry::error_of(const HttpResponse& response, const HttpRequest& request) const {
  RegistryError error = first_error(response);
  std::string text = code_text(error.code);
  // Docker: the code, and the message unless it says no more than the code.
  if (!error.message.empty() && to_lower(error.message) != text) text += (text.empty() ? "" : ": ") + error.message;
  if (response.status == 401 && text.empty()) text = "unauthorized: authentication required";
  if (text.empty()) text = fmt::format("received unexpected HTTP status: {} from {}", response.status, request.url);
  return Error(response.status == 404 ? ErrorCode::not_found : ErrorCode::io, text);
}

Result<FetchedManifest> Registry::manifest_here(const oci::Reference& reference) {
  HttpRequest request;
  request.url = path_url("manifests/" + reference.version());
  for (std::string_view type : {oci::kOciIndex, oci::kOciManifest, oci::kDockerList, oci::kDockerManifest})
    request.headers.push_back(fmt::format("Accept: {}", type));
  TRY(HttpResponse response, send(request));
  if (response.status == 200) {
    FetchedManifest manifest{std::move(response.body), response.header("content-type"), {}};
    manifest.digest = oci::Digest::sha256(fs::sha256_hex(manifest.text));
    if (reference.digest && *reference.digest != manifest.digest)
      return fail(ErrorCode::io, "manifest verification failed for digest {}", reference.digest->text());
    return manifest;
  }
  RegistryError error = first_error(response);
  oci::Reference shown = reference.with_default_tag();
  bool is_denied = response.status == 401 || error.code == "DENIED" || error.code == "UNAUTHORIZED";
  if (is_denied && repository_.domain == kHub)
    return fail(ErrorCode::not_found,
                "pull access denied for {}, repository does not exist or may require 'docker login': denied: requested "
                "access to the resource is denied",
                reference.familiar_name());
  if (response.status == 404 && (error.code == "MANIFEST_UNKNOWN" || error.code == "NAME_UNKNOWN"))
    return fail(ErrorCode::not_found, "manifest for {} not found: {}: {}", shown.familiar(), code_text(error.code),
                error.message);
  if (response.status == 404)
    return fail(ErrorCode::not_found, "manifest for {} not found: manifest unknown: manifest unknown",
                shown.familiar());
  return std::unexpected(error_of(response, request));
}

Result<FetchedManifest> Registry::manifest(const oci::Reference& reference) {
  while (true) {
    auto found = manifest_here(reference);
    // A mirror that lacks it, or wants a login, has no say in whether it exists.
    if (found || left_.empty() || found.error().code() == ErrorCode::cancelled) return found;
    TRY_OK(connect());
  }
}

Result<std::string> Registry::search(const std::string& term, std::size_t limit) {
  for (;;) {
    HttpRequest request;
    // Docker Hub's search is on its old machine.
    std::string base = endpoint_.url == kHubUrl ? "https://index.docker.io" : endpoint_.url;
    request.url = fmt::format("{}/v1/search?q={}&n={}", base, escape_query(term), limit);
    request.verify_tls = endpoint_.verify_tls;
    if (!credentials_.username.empty())
      request.headers = {"Authorization: Basic " + base64_encode(credentials_.username + ":" + credentials_.password)};
    HttpClient client(settings_.user_agent, stop_);
    auto response = client.send(request);
    if (response && response->status == 200) return std::move(response->body);
    if (left_.empty()) {
      if (!response) return std::unexpected(std::move(response).error());
      return fail(ErrorCode::io, "Unexpected status code {}", response->status);
    }
    TRY_OK(connect());
  }
}

Result<void> Registry::blob(const oci::Digest& digest, std::uint64_t from, const BlobSink& sink) {
  HttpRequest request;
  request.url = path_url("blobs/" + digest.text());
  if (from > 0) request.headers.push_back(fmt::format("Range: bytes={}-", from));
  std::uint64_t at = 0;
  bool begun = false;
  auto take = [&](const HttpResponse& head, std::string_view piece) -> Result<void> {
    if (!begun && head.status == 206) {
      // "bytes 100-199/200"
      std::string range = head.header("content-range");
      if (!range.starts_with(fmt::format("bytes {}-", from)))
        return fail(ErrorCode::io, "the registry answered another range than was asked: {}", range);
      at = from;
    }
    begun = true;
    TRY_OK(sink(at, piece));
    at += piece.size();
    return {};
  };
  TRY(HttpResponse response, send(request, take));
  if (response.status == 200 || response.status == 206) return {};
  return std::unexpected(error_of(response, request));
}

Result<std::string> Registry::blob_text(const oci::Descriptor& descriptor, std::size_t limit) {
  if (descriptor.size > limit) return fail(ErrorCode::exhausted, "blob {} is too large", descriptor.digest.text());
  std::string text;
  TRY_OK(blob(descriptor.digest, 0, [&](std::uint64_t, std::string_view piece) -> Result<void> {
    if (text.size() + piece.size() > descriptor.size)
      return fail(ErrorCode::io, "blob {} is longer than said", descriptor.digest.text());
    text.append(piece);
    return {};
  }));
  if (fs::sha256_hex(text) != descriptor.digest.hex() || !descriptor.digest.is_sha256())
    return fail(ErrorCode::io, "verification failed for digest {}", descriptor.digest.text());
  return text;
}

Result<bool> Registry::has_blob(const oci::Digest& digest) {
  HttpRequest request;
  request.method = "HEAD";
  request.url = path_url("blobs/" + digest.text());
  TRY(HttpResponse response, send(request));
  if (response.status == 200) return true;
  if (response.status == 404) return false;
  return std::unexpected(error_of(response, request));
}

Result<bool> Registry::mount_blob(const oci::Digest& digest, const std::string& from_path) {
  HttpRequest request;
  request.method = "POST";
  request.url =
      path_url(fmt::format("blobs/uploads/?mount={}&from={}", escape_query(digest.text()), escape_query(from_path)));
  TRY(HttpResponse response, send(request));
  return response.status == 201;
}

Result<std::string> Registry::upload_location(const HttpResponse& response) const {
  std::string location = response.header("location");
  if (location.starts_with('/')) location = endpoint_.url.substr(0, endpoint_.url.find('/', 8)) + location;
  TRY(Url there, parse_url(location));
  TRY(Url here, parse_url(endpoint_.url));
  // The login goes along, so the upload stays with the registry that was asked.
  if (there.host != here.host || there.port != here.port || there.scheme != here.scheme)
    return fail(ErrorCode::denied, "the registry sends the upload to another host: {}", location);
  return location;
}

Result<void> Registry::push_blob(const oci::Digest& digest, int file, std::uint64_t size) {
  HttpRequest begin;
  begin.method = "POST";
  begin.url = path_url("blobs/uploads/");
  TRY(HttpResponse begun, send(begin));
  if (begun.status != 202) return std::unexpected(error_of(begun, begin));
  TRY(std::string location, upload_location(begun));
  HttpRequest upload;
  upload.method = "PUT";
  upload.url =
      location + (location.find('?') == std::string::npos ? "?" : "&") + "digest=" + escape_query(digest.text());
  upload.headers = {"Content-Type: application/octet-stream", "Expect:"};
  upload.body_file = file;
  upload.body_size = size;
  TRY(HttpResponse done, send(upload));
  if (done.status != 201) return std::unexpected(error_of(done, upload));
  return {};
}

Result<oci::Digest> Registry::push_manifest(const std::string& version, const std::string& text,
                                            std::string_view media_type) {
  HttpRequest request;
  request.method = "PUT";
  request.url = path_url("manifests/" + version);
  request.headers = {fmt::format("Content-Type: {}", media_type), "Expect:"};
  request.body = text;
  TRY(HttpResponse response, send(request));
  if (response.status != 201 && response.status != 200) return std::unexpected(error_of(response, request));
  return oci::Digest::sha256(fs::sha256_hex(text));
}

Result<void> Registry::check_login() {
  HttpRequest request;
  request.url = endpoint_.url + "/v2/";
  auto response = send(request);
  bool refused = !response && response.error().code() == ErrorCode::denied;
  if (!response && !refused) return std::unexpected(std::move(response).error());
  if (refused || response->status == 401)
    return fail(ErrorCode::denied, "login attempt to {} failed with status: 401 Unauthorized", request.url);
  if (response->status != 200) return std::unexpected(error_of(*response, request));
  return {};
}

}  // namespace berth::image
