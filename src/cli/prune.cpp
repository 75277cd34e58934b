// prune, for containers, images, networks and volumes: and for all at once: remove what nobody uses, after a question.
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct PruneOptions {
  bool force = false, all = false;
  std::vector<std::string> filters;
};

void declare(Flags& flags, PruneOptions& options) {
  flags.add("force,f", options.force, "Do not ask");
  add_filter_flag(flags, "filter", options.filters);
}

void declare_with_all(Flags& flags, PruneOptions& options) {
  declare(flags, options);
  flags.add("all,a", options.all, "All that nobody uses, not only those without a name");
}

// "y" and "Y" mean yes; everything else, the end of stdin included, means no.
Result<bool> confirm(std::string_view warning) {
  TRY_OK(print_out(fmt::format("WARNING! {}\nAre you sure you want to continue? [y/N] ", warning)));
  std::string line;
  char c = 0;
  for (ssize_t size; (size = ::read(STDIN_FILENO, &c, 1)) == 1 && c != '\n';) line += c;
  return trim(line) == "y" || trim(line) == "Y";
}

// What a prune answered: the names under their title, and the bytes.
struct Pruned {
  std::string text;
  std::int64_t bytes = 0;
};

struct Prunable {
  std::string_view path;     // of the API
  std::string_view warning;  // before the question
  std::string_view member;   // of the answer, with the names
  std::string_view title;    // above the names
  bool counts_bytes = true;
};

Result<Pruned> prune_kind(const EngineClient& engine, const std::vector<std::string>& filters, const Prunable& what) {
  TRY(json::Value answer,
      engine.post(fmt::format("/{}/prune{}", what.path, query({{"filters", encode_filters(filters)}}))));
  Pruned pruned{.bytes = json::int_or(answer, "SpaceReclaimed")};
  const json::Value* removed = json::find(answer, what.member);
  if (removed == nullptr || !removed->is_array() || removed->get_array().empty()) return pruned;
  pruned.text = fmt::format("{}:\n", what.title);
  for (const json::Value& item : removed->get_array()) {
    if (!item.is_object()) pruned.text += print_go(item) + "\n";
    if (std::string name = json::string_or(item, "Untagged"); !name.empty())
      pruned.text += fmt::format("untagged: {}\n", name);
    if (std::string name = json::string_or(item, "Deleted"); !name.empty())
      pruned.text += fmt::format("deleted: {}\n", name);
  }
  pruned.text += "\n";
  return pruned;
}

std::string reclaimed(std::int64_t bytes) {
  return fmt::format("Total reclaimed space: {}\n", human_size(static_cast<double>(bytes)));
}

Result<int> prune(Context& context, const PruneOptions& options, std::vector<std::string> filters,
                  const Prunable& what) {
  if (!options.force) {
    TRY(bool sure, confirm(what.warning));
    if (!sure) return 0;
  }
  TRY(auto engine, context.engine());
  filters.insert(filters.end(), options.filters.begin(), options.filters.end());
  TRY(Pruned pruned, prune_kind(engine, filters, what));
  TRY_OK(print_out(pruned.text + (what.counts_bytes ? reclaimed(pruned.bytes) : "")));
  return 0;
}

constexpr Prunable kUnusedContainers{"containers", "This will remove all stopped containers.", "ContainersDeleted",
                                     "Deleted Containers"};
constexpr Prunable kUnusedNetworks{"networks",
                                   "This will remove all custom networks not used by at least one container.",
                                   "NetworksDeleted", "Deleted Networks", false};
constexpr Prunable kUnusedVolumes{"volumes",
                                  "This will remove anonymous local volumes not used by at least one container.",
                                  "VolumesDeleted", "Deleted Volumes"};
constexpr Prunable kUnusedImages{"images", "This will remove all dangling images.", "ImagesDeleted", "Deleted Images"};
constexpr Prunable kUnusedBuilds{"build", "This will remove all dangling build cache.", "CachesDeleted",
                                 "Deleted build cache objects"};

Result<int> prune_containers(Context& context, const PruneOptions& options, const Words&) {
  return prune(context, options, {}, kUnusedContainers);
}

Result<int> prune_images(Context& context, const PruneOptions& options, const Words&) {
  Prunable what = kUnusedImages;
  if (options.all) what.warning = "This will remove all images without at least one container associated to them.";
  return prune(context, options, {fmt::format("dangling={}", !options.all)}, what);
}

Result<int> prune_networks(Context& context, const PruneOptions& options, const Words&) {
  return prune(context, options, {}, kUnusedNetworks);
}

Result<int> prune_volumes(Context& context, const PruneOptions& options, const Words&) {
  std::vector<std::string> filters;
  if (options.all) filters.emplace_back("all=true");
  Prunable what = kUnusedVolumes;
  if (options.all) what.warning = "This will remove all local volumes not used by at least one container.";
  return prune(context, options, filters, what);
}

struct BuildPruneOptions : PruneOptions {
  std::optional<std::int64_t> keep;
};

void declare_build(Flags& flags, BuildPruneOptions& options) {
  declare_with_all(flags, options);
  flags.add_bytes("keep-storage", options.keep, "Keep this much of it");
}

Result<int> prune_builds(Context& context, const BuildPruneOptions& options, const Words&) {
  Prunable what = kUnusedBuilds;
  if (options.all) what.warning = "This will remove all build cache.";
  if (!options.force) {
    TRY(bool sure, confirm(what.warning));
    if (!sure) return 0;
  }
  TRY(auto engine, context.engine());
  std::string how = query({{"all", options.all ? "1" : ""},
                           {"keep-storage", options.keep ? std::to_string(*options.keep) : ""},
                           {"filters", encode_filters(options.filters)}});
  TRY(json::Value answer, engine.post("/build/prune" + how));
  TRY_OK(print_out(reclaimed(json::int_or(answer, "SpaceReclaimed"))));
  return 0;
}

struct SystemPruneOptions : PruneOptions {
  bool volumes = false;
};

void declare_system(Flags& flags, SystemPruneOptions& options) {
  declare_with_all(flags, options);
  flags.add("volumes", options.volumes, "Anonymous volumes too");
}

std::string system_warning(const SystemPruneOptions& options) {
  std::string text =
      "This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n";
  if (options.volumes) text += "  - all anonymous volumes not used by at least one container\n";
  text += options.all ? "  - all images without at least one container associated to them\n  - all build cache\n"
                      : "  - all dangling images\n  - unused build cache\n";
  if (!options.filters.empty()) text += "\n  Items to be pruned will be filtered with:\n";
  for (const std::string& filter : options.filters) text += fmt::format("  - {}\n", filter);
  return text;
}

// The order is such that what one kind gives up, the next need not keep.
Result<int> prune_system(Context& context, const SystemPruneOptions& options, const Words&) {
  bool by_age = std::ranges::any_of(options.filters, [](const std::string& f) { return f.starts_with("until="); });
  if (options.volumes && by_age)
    return fail(ErrorCode::invalid, "ERROR: The \"until\" filter is not supported with \"--volumes\"");
  if (!options.force) {
    TRY(bool sure, confirm(system_warning(options)));
    if (!sure) return 0;
  }
  TRY(auto engine, context.engine());
  std::int64_t bytes = 0;
  auto add = [&](const Prunable& what, std::vector<std::string> filters) -> Result<void> {
    filters.insert(filters.end(), options.filters.begin(), options.filters.end());
    TRY(Pruned pruned, prune_kind(engine, filters, what));
    bytes += pruned.bytes;
    return print_out(pruned.text);
  };
  TRY_OK(add(kUnusedContainers, {}));
  TRY_OK(add(kUnusedNetworks, {}));
  if (options.volumes) TRY_OK(add(kUnusedVolumes, {}));
  TRY_OK(add(kUnusedImages, {fmt::format("dangling={}", !options.all)}));
  TRY_OK(add(kUnusedBuilds, {}));
  TRY_OK(print_out(reclaimed(bytes)));
  return 0;
}

}  // namespace

constexpr Command kPruneContainers = command<declare, prune_containers>({
    .usage = "[OPTIONS]",
    .summary = "Remove containers that have ended",
    .arity = kNoWords,
    .examples = "container prune\ncontainer prune -f --filter until=24h",
});

constexpr Command kPruneImages = command<declare_with_all, prune_images>({
    .usage = "[OPTIONS]",
    .summary = "Remove images that nobody uses",
    .arity = kNoWords,
    .examples = "image prune\nimage prune -a",
});

constexpr Command kPruneNetworks = command<declare, prune_networks>({
    .usage = "[OPTIONS]",
    .summary = "Remove networks that nobody uses",
    .arity = kNoWords,
    .examples = "network prune -f",
});

constexpr Command kPruneVolumes = command<declare_with_all, prune_volumes>({
    .usage = "[OPTIONS]",
    .summary = "Remove volumes that nobody uses",
    .arity = kNoWords,
    .examples = "volume prune\nvolume prune -a",
});

constexpr Command kPruneBuilds = command<declare_build, prune_builds>({
    .usage = "[OPTIONS]",
    .summary = "Remove what builds have kept for the next one",
    .arity = kNoWords,
    .examples = "builder prune -f",
    .aliases = "builder prune",
});

constexpr Command kPruneSystem = command<declare_system, prune_system>({
    .usage = "[OPTIONS]",
    .summary = "Remove all that nobody uses",
    .arity = kNoWords,
    .examples = "system prune\nsystem prune -a --volumes\nsystem prune -f --filter until=24h",
});

}  // namespace berth::cli
