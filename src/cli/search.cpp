// search, and manifest inspect: what registries say without giving an image away.
#include "base/text.h"
#include "cli/output.h"
#include "cli/pull.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "oci/reference.h"

namespace berth::cli {

namespace {

struct SearchOptions : ListOptions {
  std::vector<std::string> filters;
  std::optional<std::int64_t> limit;
};

void declare_search(Flags& flags, SearchOptions& options) {
  add_filter_flag(flags, "filter,f", options.filters);
  add_format_flag(flags, options);
  flags.add("limit", options.limit, "At most so many results");
  flags.add("no-trunc", options.no_trunc, "Print everything at full length");
}

Result<int> search(Context& context, const SearchOptions& options, const Words& words) {
  constexpr std::size_t kDescriptionWidth = 45;
  TRY(auto engine, context.engine());
  std::string limit = options.limit ? std::to_string(*options.limit) : "";
  http::ClientRequest request;
  request.target =
      "/images/search" + query({{"term", words[0]}, {"limit", limit}, {"filters", encode_filters(options.filters)}});
  auto reference = oci::Reference::parse(words[0]);
  request.headers.add("X-Registry-Auth", registry_auth(reference ? reference->domain : "docker.io"));
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY(std::string body, response.read_all());
  TRY(json::Value results, json::parse(body));
  Listing listing("*formatter.searchContext", "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
                  {{"Name", "NAME"},
                   {"Description", "DESCRIPTION"},
                   {"StarCount", "STARS"},
                   {"IsOfficial", "OFFICIAL"},
                   {"IsAutomated", "AUTOMATED"}});
  auto mark = [](bool yes) { return yes ? "[OK]" : ""; };
  if (results.is_array()) {
    for (const json::Value& each : results.get_array()) {
      std::string description = json::string_or(each, "description");
      for (char& c : description)
        if (c == '\n' || c == '\r') c = ' ';
      if (!options.no_trunc) description = ellipsis(description, kDescriptionWidth);
      listing.add({{"Name", json::string_or(each, "name")},
                   {"Description", description},
                   {"StarCount", std::to_string(json::int_or(each, "star_count"))},
                   {"IsOfficial", mark(json::bool_or(each, "is_official"))},
                   {"IsAutomated", mark(json::bool_or(each, "is_automated"))}});
    }
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct ManifestOptions {
  bool insecure = false, verbose = false;
};

void declare_manifest(Flags& flags, ManifestOptions& options) {
  flags.add("insecure", options.insecure, "Accepted for Docker's sake: the engine knows its insecure registries");
  flags.add("verbose,v", options.verbose, "The digest and the platforms too");
}

Result<json::Value> ask_registry(const EngineClient& engine, const oci::Reference& reference, std::string target) {
  http::ClientRequest request;
  request.target = std::move(target);
  request.headers.add("X-Registry-Auth", registry_auth(reference.domain));
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY(std::string body, response.read_all());
  return json::parse(body);
}

Result<int> inspect_manifest(Context& context, const ManifestOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(auto reference, oci::Reference::parse(words[0]));
  std::string name = escape_path(words[0]);
  TRY(json::Value shown, ask_registry(engine, reference, fmt::format("/berth/v1/manifests/{}", name)));
  if (options.verbose) {
    TRY(json::Value about, ask_registry(engine, reference, fmt::format("/distribution/{}/json", name)));
    shown =
        json::Object{{"Ref", reference.with_default_tag().canonical()}, {"Distribution", about}, {"Manifest", shown}};
  }
  TRY_OK(print_out(pretty_json(shown) + "\n"));
  return 0;
}

constexpr Command kInspectManifest = command<declare_manifest, inspect_manifest>({
    .usage = "[OPTIONS] MANIFEST",
    .summary = "Show the manifest of an image as its registry has it",
    .arity = kOneWord,
    .examples = "manifest inspect debian:bookworm",
});

constexpr CommandEntry kManifestCommands[] = {{"inspect", &kInspectManifest}};

}  // namespace

constexpr Command kSearch = command<declare_search, search>({
    .usage = "[OPTIONS] TERM",
    .summary = "Search Docker Hub, or another registry that can be searched",
    .arity = kOneWord,
    .examples = "search debian\nsearch --filter is-official=true --limit 5 postgres",
});

constexpr Command kManifestFamily{
    .usage = "", .summary = "Look at manifests in registries", .arity = kAnyWords, .children = kManifestCommands};

}  // namespace berth::cli
