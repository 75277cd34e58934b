// Images: list, inspect, history, tag, remove, prune.
#include <algorithm>

#include "base/text.h"
#include "docker/api.h"
#include "docker/filters.h"
#include "fs/tree.h"
#include "oci/reference.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;
using image::ImagePtr;

// What the client of a list of images asked to be told besides, and how old it is.
struct SummaryOptions {
  bool with_virtual_size = false;                                // until API 1.43
  const std::map<std::string, std::uint64_t>* shared = nullptr;  // bytes by id, when they were asked for
};

json::Value print_image_summary(const image::Image& image, const SummaryOptions& options) {
  std::int64_t shared = -1;
  if (options.shared != nullptr) {
    auto found = options.shared->find(image.id.text());
    shared = found == options.shared->end() ? 0 : static_cast<std::int64_t>(found->second);
  }
  json::Object shown{
      {"Containers", -1},
      {"Created", image.config.created.nanoseconds / 1'000'000'000},
      {"Id", image.id.text()},
      {"Labels", image.config.config.labels.empty() ? json::Value(nullptr) : json::encode(image.config.config.labels)},
      {"ParentId", image.parent.text()},
      {"RepoDigests", json::encode(image.repo_digests)},
      {"RepoTags", json::encode(image.repo_tags)},
      {"SharedSize", shared},
      {"Size", image.size}};
  if (options.with_virtual_size) shown["VirtualSize"] = image.size;
  return shown;
}

// "busybox", "busybox:1.*", "*/debian": patterns of path.Match, where '*' stops at a slash.
bool matches_glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    if (matches_glob(pattern.substr(1), text)) return true;
    return !text.empty() && text[0] != '/' && matches_glob(pattern, text.substr(1));
  }
  if (text.empty() || (pattern[0] != '?' && pattern[0] != text[0]) || (pattern[0] == '?' && text[0] == '/'))
    return false;
  return matches_glob(pattern.substr(1), text.substr(1));
}

bool matches_reference(const Filters& filters, const std::string& name) {
  constexpr std::size_t kMaxPattern = 256;
  std::string_view repository = std::string_view(name).substr(0, name.find('@'));
  if (repository.size() == name.size()) repository = repository.substr(0, name.rfind(':'));
  return std::ranges::any_of(filters.all("reference"), [&](const std::string& pattern) {
    if (pattern.size() > kMaxPattern || std::ranges::count(pattern, '*') > 4) return false;
    return matches_glob(pattern, name) || matches_glob(pattern, repository);
  });
}

// Of an image, only those names that were asked for are shown; nullptr when there are none.
ImagePtr with_matching_names(const Filters& filters, const ImagePtr& image) {
  if (!filters.has("reference")) return image;
  auto other = [&filters](const std::string& name) { return !matches_reference(filters, name); };
  auto shown = std::make_shared<image::Image>(*image);
  std::erase_if(shown->repo_tags, other);
  std::erase_if(shown->repo_digests, other);
  if (shown->repo_tags.empty() && shown->repo_digests.empty()) return nullptr;
  return shown;
}

Result<void> keep_between(Api& api, const Filters& filters, std::vector<ImagePtr>& images) {
  for (const char* key : {"before", "since"}) {
    for (const std::string& name : filters.all(key)) {
      TRY(ImagePtr other, api.images().find(name));
      bool before = std::string_view(key) == "before";
      std::erase_if(images, [&](const ImagePtr& each) {
        return before ? each->config.created >= other->config.created : each->config.created <= other->config.created;
      });
    }
  }
  return {};
}

Task<Result<void>> list(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters, Filters::parse(exchange.request.query.get("filters"),
                                         {"before", "dangling", "label", "reference", "since", "until"}));
  std::vector<ImagePtr> images = api.images().list();
  if (filters.has("dangling")) {
    CO_TRY(bool dangling, filters.truth("dangling", true));
    std::erase_if(images, [dangling](const ImagePtr& each) {
      return dangling != (each->repo_tags.empty() && !each->has_children);
    });
  }
  // A build's steps: nameless, and images were made from them.
  if (!exchange.request.query.truth("all"))
    std::erase_if(images, [](const ImagePtr& each) {
      return each->repo_tags.empty() && each->repo_digests.empty() && each->has_children;
    });
  std::erase_if(images, [&](const ImagePtr& each) { return !filters.labels(each->config.config.labels); });
  CO_TRY_OK(keep_between(api, filters, images));
  CO_TRY(auto until, filters.until());
  std::erase_if(images, [&](const ImagePtr& each) { return until && each->config.created >= *until; });
  SummaryOptions options{.with_virtual_size = !speaks(exchange, "1.44")};
  std::map<std::string, std::uint64_t> shared;
  if (exchange.request.query.truth("shared-size")) {
    for (const auto& [id, bytes] : api.images().disk_usage().shared) shared[id.text()] = bytes;
    options.shared = &shared;
  }
  json::Array shown;
  for (const ImagePtr& each : images)
    if (ImagePtr named = with_matching_names(filters, each)) shown.push_back(print_image_summary(*named, options));
  co_return co_await exchange.respond_json(200, std::move(shown));
}

json::Value print_image(const image::Image& image, const Exchange& exchange) {
  std::vector<std::string> diff_ids;
  for (const oci::Digest& digest : image.config.diff_ids) diff_ids.push_back(digest.text());
  std::vector<std::string> lower(image.layers.rbegin(), image.layers.rend());
  std::string comment = image.config.history.empty() ? "" : image.config.history.back().comment;
  json::Object shown{{"Id", image.id.text()},
                     {"RepoTags", json::encode(image.repo_tags)},
                     {"RepoDigests", json::encode(image.repo_digests)},
                     {"Parent", image.parent.text()},
                     {"Comment", comment},
                     {"Created", format_rfc3339(image.config.created)},
                     {"DockerVersion", ""},
                     {"Author", image.config.author},
                     {"Config", oci::print_container_defaults(image.config.config)},
                     {"Architecture", image.config.architecture}};
  if (!image.config.variant.empty()) shown["Variant"] = image.config.variant;
  shown["Os"] = image.config.os;
  shown["Size"] = image.size;
  if (!speaks(exchange, "1.44")) shown["VirtualSize"] = image.size;
  if (!speaks(exchange, "1.45")) {
    // Of the container that a build made the image from; builds here leave none.
    shown["Container"] = "";
    shown["ContainerConfig"] = oci::print_container_defaults({});
  }
  shown["GraphDriver"] = json::Object{{"Data", json::Object{{"LowerDir", join(lower, ":")}}}, {"Name", "overlay2"}};
  shown["RootFS"] = json::Object{{"Type", "layers"}, {"Layers", json::encode(diff_ids)}};
  shown["Metadata"] = json::Object{{"LastTagTime", format_rfc3339(image.tagged)}};
  return shown;
}

Task<Result<void>> inspect(Api& api, Exchange& exchange) {
  CO_TRY(ImagePtr image, api.images().find(exchange.request.param("name")));
  co_return co_await exchange.respond_json(200, print_image(*image, exchange));
}

std::vector<std::uint64_t> layer_sizes(const image::Image& image) {
  std::vector<std::uint64_t> sizes;
  for (const std::string& layer : image.layers) {
    auto tree = fs::measure_tree(layer);
    sizes.push_back(tree ? tree->bytes : 0);
  }
  return sizes;
}

Task<Result<void>> history(Api& api, Exchange& exchange) {
  CO_TRY(ImagePtr image, api.images().find(exchange.request.param("name")));
  std::vector<std::uint64_t> sizes = co_await api.loop().blocking([image] { return layer_sizes(*image); });
  json::Array shown;
  std::size_t layer = 0;
  for (const oci::History& entry : image->config.history) {
    std::uint64_t size = entry.empty_layer || layer >= sizes.size() ? 0 : sizes[layer++];
    shown.insert(shown.begin(), json::Object{{"Id", "<missing>"},
                                             {"Created", entry.created.nanoseconds / 1'000'000'000},
                                             {"CreatedBy", entry.created_by},
                                             {"Tags", nullptr},
                                             {"Size", size},
                                             {"Comment", entry.comment}});
  }
  if (!shown.empty()) {
    shown.front().get_object()["Id"] = image->id.text();
    if (!image->repo_tags.empty()) shown.front().get_object()["Tags"] = json::encode(image->repo_tags);
  }
  co_return co_await exchange.respond_json(200, std::move(shown));
}

Task<Result<void>> tag(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  CO_TRY(auto reference, oci::Reference::parse(query.get("repo")));
  if (reference.digest) co_return fail(ErrorCode::invalid, "refusing to create a tag with a digest reference");
  if (std::string word = query.get("tag"); !word.empty()) {
    if (!oci::is_tag(word)) co_return fail(ErrorCode::invalid, "invalid tag format");
    reference = reference.with_tag(word);
  }
  CO_TRY_OK(co_await api.images().tag(exchange.request.param("name"), reference.with_default_tag()));
  co_return co_await exchange.respond_empty(201);
}

json::Value print_removals(const std::vector<image::Removal>& removals) {
  json::Array shown;
  for (const image::Removal& each : removals)
    shown.push_back(each.untagged.empty() ? json::Object{{"Deleted", each.deleted}}
                                          : json::Object{{"Untagged", each.untagged}});
  return shown;
}

Task<Result<void>> remove(Api& api, Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  image::RemoveOptions options{.force = query.truth("force"), .prune_parents = !query.truth("noprune")};
  CO_TRY(auto removals, co_await api.images().remove(exchange.request.param("name"), options));
  co_return co_await exchange.respond_json(200, print_removals(removals));
}

Task<Result<void>> prune(Api& api, Exchange& exchange) {
  CO_TRY(Filters filters,
         Filters::parse(exchange.request.query.get("filters"), {"dangling", "label", "label!", "until"}));
  CO_TRY(bool dangling, filters.truth("dangling", true));
  CO_TRY(auto until, filters.until());
  auto chosen = [&filters, until](const image::Image& image) {
    return !(until && image.config.created >= *until) && filters.labels(image.config.config.labels) &&
           !(filters.has("label!") && filters.labels(image.config.config.labels, "label!"));
  };
  CO_TRY(auto pruned, co_await api.images().prune(!dangling, chosen));
  json::Value removed = pruned.removed.empty() ? json::Value(nullptr) : print_removals(pruned.removed);
  json::Object answer{{"ImagesDeleted", std::move(removed)}, {"SpaceReclaimed", pruned.reclaimed}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_image_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /images/json", list);
  add_route(router, api, "GET /images/{name...}/json", inspect);
  add_route(router, api, "GET /images/{name...}/history", history);
  add_route(router, api, "POST /images/{name...}/tag", tag);
  add_route(router, api, "DELETE /images/{name...}", remove);
  add_route(router, api, "POST /images/prune", prune);
}

}  // namespace berth::docker
