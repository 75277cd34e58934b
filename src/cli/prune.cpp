// prune, for containers, images, networks and volumes: remove what nobody uses, after a question.
#include <unistd.h>

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

struct Prunable {
  std::string_view path;     // of the API
  std::string_view warning;  // before the question
  std::string_view member;   // of the answer, with the names
  std::string_view title;    // above the names
  bool counts_bytes = true;
};

Result<int> prune(Context& context, const PruneOptions& options, std::vector<std::string> filters,
                  const Prunable& what) {
  if (!options.force) {
    TRY(bool sure, confirm(what.warning));
    if (!sure) return 0;
  }
  TRY(auto engine, context.engine());
  filters.insert(filters.end(), options.filters.begin(), options.filters.end());
  TRY(json::Value answer,
      engine.post(fmt::format("/{}/prune{}", what.path, query({{"filters", encode_filters(filters)}}))));
  std::string text;
  const json::Value* removed = json::find(answer, what.member);
  if (removed != nullptr && removed->is_array() && !removed->get_array().empty()) {
    text = fmt::format("{}:\n", what.title);
    for (const json::Value& item : removed->get_array()) {
      if (!item.is_object()) text += print_go(item) + "\n";
      if (std::string name = json::string_or(item, "Untagged"); !name.empty())
        text += fmt::format("untagged: {}\n", name);
      if (std::string name = json::string_or(item, "Deleted"); !name.empty())
        text += fmt::format("deleted: {}\n", name);
    }
    text += "\n";
  }
  if (what.counts_bytes)
    text += fmt::format("Total reclaimed space: {}\n",
                        human_size(static_cast<double>(json::int_or(answer, "SpaceReclaimed"))));
  TRY_OK(print_out(text));
  return 0;
}

Result<int> prune_containers(Context& context, const PruneOptions& options, const Words&) {
  return prune(context, options, {},
               {"containers", "This will remove all stopped containers.", "ContainersDeleted", "Deleted Containers"});
}

Result<int> prune_images(Context& context, const PruneOptions& options, const Words&) {
  return prune(context, options, {fmt::format("dangling={}", !options.all)},
               {"images",
                options.all ? "This will remove all images without at least one container associated to them."
                            : "This will remove all dangling images.",
                "ImagesDeleted", "Deleted Images"});
}

Result<int> prune_networks(Context& context, const PruneOptions& options, const Words&) {
  return prune(context, options, {},
               {"networks", "This will remove all custom networks not used by at least one container.",
                "NetworksDeleted", "Deleted Networks", false});
}

Result<int> prune_volumes(Context& context, const PruneOptions& options, const Words&) {
  std::vector<std::string> filters;
  if (options.all) filters.emplace_back("all=true");
  return prune(context, options, filters,
               {"volumes",
                options.all ? "This will remove all local volumes not used by at least one container."
                            : "This will remove anonymous local volumes not used by at least one container.",
                "VolumesDeleted", "Deleted Volumes"});
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

}  // namespace berth::cli
