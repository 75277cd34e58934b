// Store::remote, search and download: what is asked of others without changing the store.
#include <cerrno>

#include "image/detail/registry.h"
#include "image/detail/state.h"
#include "oci/manifest.h"
#include "sys/file.h"

namespace berth::image {

namespace {

constexpr std::size_t kMaxConfig = 4 << 20;
constexpr std::size_t kMaxPlatforms = 1000;

Result<RemoteImage> look_up(Registry& registry, const oci::Reference& reference) {
  TRY_OK(registry.connect());
  TRY(FetchedManifest fetched, registry.manifest(reference));
  RemoteImage remote{.digest = fetched.digest, .media_type = fetched.media_type, .text = std::move(fetched.text)};
  TRY(oci::AnyManifest any, oci::parse_manifest(remote.text, remote.media_type));
  if (auto* index = std::get_if<oci::Index>(&any)) {
    remote.media_type = index->media_type;
    for (const oci::Descriptor& each : index->manifests)
      if (each.platform && remote.platforms.size() < kMaxPlatforms) remote.platforms.push_back(*each.platform);
    return remote;
  }
  auto& manifest = std::get<oci::Manifest>(any);
  remote.media_type = manifest.media_type;
  // A single manifest does not tell; its configuration does.
  TRY(std::string text, registry.blob_text(manifest.config, kMaxConfig));
  TRY(oci::ImageConfig config, oci::parse_image_config(text));
  remote.platforms.push_back({config.os, config.architecture, config.variant});
  return remote;
}

// "registry.example.com/debian" asks there for "debian"; what has no dot, colon or "localhost" before its first slash
// asks Docker Hub.
std::pair<std::string, std::string> split_term(const std::string& term) {
  std::size_t slash = term.find('/');
  std::string first = term.substr(0, slash);
  bool is_registry =
      slash != std::string::npos && (first.find_first_of(".:") != std::string::npos || first == "localhost");
  if (!is_registry || first == "docker.io" || first == "index.docker.io")
    return {"docker.io", is_registry ? term.substr(slash + 1) : term};
  return {first, term.substr(slash + 1)};
}

RegistrySettings settings_of(const StoreSettings& settings) {
  return {settings.insecure_registries, settings.registry_mirrors, settings.user_agent};
}

}  // namespace

async::Task<Result<RemoteImage>> Store::remote(oci::Reference reference, Credentials credentials) {
  State& state = *state_;
  Operation operation(state);
  auto work = [settings = settings_of(state.settings), reference = reference.with_default_tag(), credentials,
               stop = state.stopping] {
    Registry registry(settings, reference, credentials, Access::pull, stop);
    return look_up(registry, reference);
  };
  co_return co_await state.loop.dedicated(std::move(work));
}

async::Task<Result<json::Array>> Store::search(SearchRequest request) {
  State& state = *state_;
  Operation operation(state);
  auto work = [settings = settings_of(state.settings), place = split_term(request.term), request,
               stop = state.stopping]() -> Result<json::Array> {
    oci::Reference any{place.first, "library/any", std::nullopt, std::nullopt};
    Registry registry(settings, any, request.credentials, Access::pull, stop);
    TRY_OK(registry.connect());
    TRY(std::string text, registry.search(place.second, request.limit));
    TRY(json::Value answer, annotate(json::parse(text), "search at {}", place.first));
    const json::Value* results = json::find(answer, "results");
    if (results == nullptr || !results->is_array()) return json::Array{};
    return results->get_array();
  };
  co_return co_await state.loop.dedicated(std::move(work));
}

async::Task<Result<void>> Store::download(std::string url, sys::UniqueFd sink) {
  State& state = *state_;
  Operation operation(state);
  auto work = [url = std::move(url), agent = state.settings.user_agent, stop = state.stopping,
               fd = std::make_shared<sys::UniqueFd>(std::move(sink))]() -> Result<void> {
    HttpClient client(agent, stop);
    HttpRequest request;
    request.url = url;
    bool reader_left = false;  // it says itself why
    auto write = [&](const HttpResponse&, std::string_view piece) {
      Result<void> written = sys::write_all(fd->get(), piece);
      reader_left = !written && written.error().errno_value() == EPIPE;
      return written;
    };
    auto response = client.send(request, write);
    fd->reset();  // the reader sees the end as soon as there is one
    if (reader_left) return {};
    if (!response) return std::unexpected(std::move(response).error());
    if (response->status != 200)
      return fail(ErrorCode::invalid, "error downloading {}: status {}", url, response->status);
    return {};
  };
  co_return co_await state.loop.dedicated(std::move(work));
}

}  // namespace berth::image
