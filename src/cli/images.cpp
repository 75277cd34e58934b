// images, history, rmi, tag.
#include <algorithm>

#include "base/text.h"
#include "cli/images.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "oci/reference.h"

namespace berth::cli {

namespace {

constexpr std::string_view kNone = "<none>";

struct ImagesOptions : ListOptions {
  bool all = false, digests = false;
  std::vector<std::string> filters;
};

void declare_images(Flags& flags, ImagesOptions& options) {
  flags.add("all,a", options.all, "Show intermediate images too");
  flags.add("digests", options.digests, "Show the digests");
  add_filter_flag(flags, "filter,f", options.filters);
  add_list_flags(flags, options);
}

std::vector<std::string> strings_of(const json::Value& object, std::string_view key) {
  std::vector<std::string> strings;
  const json::Value* list = json::find(object, key);
  if (list != nullptr && list->is_array())
    for (const json::Value& item : list->get_array()) strings.push_back(print_go(item));
  return strings;
}

}  // namespace

std::vector<NamedImage> names_of_image(const json::Value& image, bool with_digests) {
  std::vector<NamedImage> names;
  std::vector<std::string> digests = strings_of(image, "RepoDigests");
  for (const std::string& tag : strings_of(image, "RepoTags")) {
    std::size_t colon = tag.rfind(':');
    if (tag == "<none>:<none>" || colon == std::string::npos) continue;
    NamedImage name{tag.substr(0, colon), tag.substr(colon + 1)};
    for (const std::string& digest : digests) {
      auto [repository, value] = split_once(digest, '@');
      if (with_digests && value && repository == name.repository) name.digest = *value;
    }
    names.push_back(name);
  }
  for (const std::string& digest : digests) {
    auto [repository, value] = split_once(digest, '@');
    bool named = std::ranges::any_of(names, [&](const NamedImage& name) { return name.repository == repository; });
    if (!value || repository == kNone || named) continue;
    names.push_back(
        {std::string(repository), std::string(kNone), with_digests ? std::string(*value) : std::string(kNone)});
    if (!with_digests) break;
  }
  if (names.empty()) names.emplace_back();
  return names;
}

json::Object image_row(const json::Value& image, const NamedImage& name, bool no_trunc) {
  Time created{json::int_or(image, "Created") * 1'000'000'000};
  std::int64_t bytes = json::int_or(image, "Size");
  std::string size = short_size(static_cast<double>(bytes));
  auto count = [&](std::string_view key) {
    std::int64_t value = json::int_or(image, key, -1);
    return value < 0 ? std::string("N/A") : fmt::format("{}", value);
  };
  std::int64_t shared = json::int_or(image, "SharedSize", -1);
  return {{"ID", short_id(json::string_or(image, "Id"), no_trunc)},
          {"Repository", name.repository},
          {"Tag", name.tag},
          {"Digest", name.digest},
          {"CreatedSince", created.nanoseconds > 0 ? time_ago(created) : "N/A"},
          {"CreatedAt", local_time(created)},
          {"Size", size},
          {"Containers", count("Containers")},
          {"VirtualSize", human_size(static_cast<double>(json::int_or(image, "Size")))},
          {"SharedSize", shared < 0 ? "N/A" : human_size(static_cast<double>(shared))},
          {"UniqueSize", shared < 0 ? "N/A" : human_size(static_cast<double>(bytes - shared))}};
}

std::vector<Listing::Column> image_columns() {
  return {{"ID", "IMAGE ID"},
          {"Repository", "REPOSITORY"},
          {"Tag", "TAG"},
          {"Digest", "DIGEST"},
          {"CreatedSince", "CREATED"},
          {"CreatedAt", "CREATED AT"},
          {"Size", "SIZE"},
          {"Containers", "CONTAINERS"},
          {"VirtualSize", "SIZE"},
          {"SharedSize", "SHARED SIZE"},
          {"UniqueSize", "UNIQUE SIZE"}};
}

namespace {

Result<int> list_images(Context& context, const ImagesOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  std::vector<std::string> filters = options.filters;
  if (!words.empty()) filters.push_back("reference=" + words[0]);
  TRY(json::Value images,
      engine.get("/images/json" + query({{"all", options.all ? "1" : ""}, {"filters", encode_filters(filters)}})));
  std::string cells = options.digests ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
                                      : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
  Listing listing("*formatter.imageContext", options.quiet ? "{{.ID}}" : cells, image_columns());
  bool with_digests = options.digests || options.format.contains(".Digest") || options.format == "json";
  if (images.is_array())
    for (const json::Value& image : images.get_array())
      for (const NamedImage& name : names_of_image(image, with_digests))
        listing.add(image_row(image, name, options.no_trunc));
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct HistoryOptions : ListOptions {
  bool human = true;
};

void declare_history(Flags& flags, HistoryOptions& options) {
  flags.add("human,H", options.human, "Show sizes and ages as people say them").defaults_to("true");
  add_list_flags(flags, options);
}

Result<int> history(Context& context, const HistoryOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(json::Value layers, engine.get(fmt::format("/images/{}/history", escape_path(words[0]))));
  Listing listing("*image.historyContext",
                  options.quiet ? "{{.ID}}" : "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
                  {{"ID", "IMAGE"},
                   {"CreatedSince", "CREATED"},
                   {"CreatedAt", "CREATED AT"},
                   {"CreatedBy", "CREATED BY"},
                   {"Size", "SIZE"},
                   {"Comment", "COMMENT"}});
  constexpr std::size_t kCreatedByWidth = 45;
  if (layers.is_array()) {
    for (const json::Value& layer : layers.get_array()) {
      Time created{json::int_or(layer, "Created") * 1'000'000'000};
      std::string made_by = json::string_or(layer, "CreatedBy");
      std::ranges::replace(made_by, '\t', ' ');
      auto size = json::int_or(layer, "Size");
      listing.add({{"ID", short_id(json::string_or(layer, "Id"), options.no_trunc)},
                   {"CreatedSince", options.human ? time_ago(created) : format_rfc3339(created)},
                   {"CreatedAt", format_rfc3339(created)},
                   {"CreatedBy", options.no_trunc ? made_by : ellipsis(made_by, kCreatedByWidth)},
                   {"Size", options.human ? short_size(static_cast<double>(size)) : fmt::format("{}", size)},
                   {"Comment", json::string_or(layer, "Comment")}});
    }
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct RemoveOptions {
  bool force = false, no_prune = false;
};

void declare_remove(Flags& flags, RemoveOptions& options) {
  flags.add("force,f", options.force, "Remove it although containers or several names need it");
  flags.add("no-prune", options.no_prune, "Keep parents that have no name");
}

Result<int> remove_images(Context& context, const RemoveOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  std::string how = query({{"force", options.force ? "1" : ""}, {"noprune", options.no_prune ? "1" : ""}});
  std::string removed, errors;
  bool fatal = false;
  for (const std::string& name : words) {
    auto answer = engine.remove(fmt::format("/images/{}{}", escape_path(name), how));
    if (!answer) {
      fatal = fatal || !options.force || answer.error().code() != ErrorCode::not_found;
      errors += answer.error().text() + "\n";
      continue;
    }
    if (!answer->is_array()) continue;
    for (const json::Value& item : answer->get_array())
      for (std::string_view what : {"Deleted", "Untagged"})
        if (std::string text = json::string_or(item, what); !text.empty())
          removed += fmt::format("{}: {}\n", what, text);
  }
  TRY_OK(print_out(removed));
  print_error(errors);
  return fatal ? 1 : 0;
}

Result<int> tag(Context& context, const NoOptions&, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(auto target, annotate(oci::Reference::parse(words[1]),
                            "Error parsing reference: \"{}\" is not a valid repository/tag", words[1]));
  if (target.digest) return fail(ErrorCode::invalid, "refusing to create a tag with a digest reference");
  TRY_OK(engine.post(fmt::format("/images/{}/tag{}", escape_path(words[0]),
                                 query({{"repo", target.familiar_name()}, {"tag", target.version()}}))));
  return 0;
}

}  // namespace

constexpr Command kImages = command<declare_images, list_images>({
    .usage = "[OPTIONS] [REPOSITORY[:TAG]]",
    .summary = "List images",
    .arity = {0, 1},
    .examples = "images\nimages --digests debian\nimages -q --filter dangling=true\nimages -o json",
    .aliases = "image ls, image list, images",
});

constexpr Command kHistory = command<declare_history, history>({
    .usage = "[OPTIONS] IMAGE",
    .summary = "Show how an image was made",
    .arity = kOneWord,
    .examples = "history debian:bookworm",
    .aliases = "image history, history",
});

constexpr Command kRemoveImage = command<declare_remove, remove_images>({
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Remove images",
    .arity = kSomeWords,
    .examples = "rmi debian:bookworm\nrmi -f $(berth images -q)",
    .aliases = "image rm, image remove, rmi",
});

constexpr Command kTag = command<declare_nothing, tag>({
    .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    .summary = "Give an image a further name",
    .arity = kTwoWords,
    .examples = "tag debian:bookworm registry.example.com:5000/base:1",
    .aliases = "image tag, tag",
});

}  // namespace berth::cli
