// ps: the list of containers.
#include <algorithm>

#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct PsOptions : ListOptions {
  bool all = false, latest = false, size = false;
  std::optional<std::int64_t> last;
  std::vector<std::string> filters;
};

void declare(Flags& flags, PsOptions& options) {
  flags.add("all,a", options.all, "Stopped ones too");
  flags.add("latest,l", options.latest, "Only the one made last, running or not");
  flags.add("last,n", options.last, "Only the n made last, running or not");
  flags.add("size,s", options.size, "Show what the files take");
  add_filter_flag(flags, "filter,f", options.filters);
  add_list_flags(flags, options);
}

// Neighbouring ports with the same address shown as one range, as Docker's client shows them.
struct PortRun {
  std::string ip, type;
  std::int64_t first = 0, last = 0, public_first = 0, public_last = 0;

  bool extends(const PortRun& next) const {
    bool mapped = public_first != 0;
    return ip == next.ip && type == next.type && mapped == (next.public_first != 0) && next.first == last + 1 &&
           (!mapped ||
            (next.public_first == public_last + 1 && public_first == first && next.public_first == next.first));
  }
  std::string text() const {
    auto range = [](std::int64_t from, std::int64_t to) {
      return from == to ? fmt::format("{}", from) : fmt::format("{}-{}", from, to);
    };
    std::string inside = fmt::format("{}/{}", range(first, last), type);
    if (public_first == 0) return inside;
    std::string host = ip.contains(':') ? fmt::format("[{}]", ip) : ip;
    return fmt::format("{}:{}->{}", host, range(public_first, public_last), inside);
  }
};

std::string ports_of(const json::Value* ports) {
  if (ports == nullptr || !ports->is_array()) return "";
  std::vector<PortRun> list;
  for (const json::Value& port : ports->get_array()) {
    std::int64_t inside = json::int_or(port, "PrivatePort"), outside = json::int_or(port, "PublicPort");
    list.push_back(
        {json::string_or(port, "IP"), json::string_or(port, "Type", "tcp"), inside, inside, outside, outside});
  }
  std::ranges::sort(list, {},
                    [](const PortRun& run) { return std::tie(run.first, run.type, run.ip, run.public_first); });
  // Runs of one address are found beside those of others, since 0.0.0.0 and [::] come in turns.
  std::vector<PortRun> runs;
  for (const PortRun& port : list) {
    auto run = std::ranges::find_if(runs, [&](const PortRun& known) { return known.extends(port); });
    if (run == runs.end()) {
      runs.push_back(port);
    } else {
      run->last = port.last;
      run->public_last = port.public_last;
    }
  }
  std::vector<std::string> texts;
  for (const PortRun& run : runs) texts.push_back(run.text());
  return join(texts, ", ");
}

// A container has "/name" and, for each link to it, "/other/alias": the own name is the one without a further slash.
std::string names_of(const json::Value* names, bool no_trunc) {
  std::vector<std::string> texts;
  if (names == nullptr || !names->is_array()) return "";
  for (const json::Value& name : names->get_array()) {
    std::string text = print_go(name);
    if (text.starts_with('/')) text.erase(0, 1);
    if (no_trunc || !text.contains('/')) texts.push_back(text);
  }
  return join(texts, ",");
}

std::string mounts_of(const json::Value* mounts, bool no_trunc, std::string_view type) {
  std::vector<std::string> texts;
  if (mounts == nullptr || !mounts->is_array()) return "";
  for (const json::Value& mount : mounts->get_array()) {
    if (!type.empty() && json::string_or(mount, "Type") != type) continue;
    std::string name = json::string_or(mount, "Name");
    if (name.empty()) name = json::string_or(mount, "Source");
    texts.push_back(no_trunc ? name : ellipsis(name, 15));
  }
  return join(texts, ",");
}

json::Object row_of(const json::Value& container, const PsOptions& options) {
  constexpr std::size_t kCommandWidth = 20;
  std::string command = json::string_or(container, "Command");
  if (!options.no_trunc) command = ellipsis(command, kCommandWidth);
  Time created{json::int_or(container, "Created") * 1'000'000'000};
  std::string image = json::string_or(container, "Image");
  if (image.empty()) image = "<no image>";
  if (!options.no_trunc && image.starts_with("sha256:")) image = short_id(image);
  std::vector<std::string> networks;
  if (const json::Value* settings = json::find(container, "NetworkSettings"))
    if (const json::Value* map = json::find(*settings, "Networks"); map != nullptr && map->is_object())
      for (const auto& network : map->get_object()) networks.emplace_back(network.key());
  const json::Value* mounts = json::find(container, "Mounts");
  auto written = static_cast<double>(json::int_or(container, "SizeRw"));
  auto virtual_size = static_cast<double>(json::int_or(container, "SizeRootFs"));
  std::string size = short_size(written);
  if (virtual_size > 0) size += fmt::format(" (virtual {})", short_size(virtual_size));
  std::string volumes = mounts_of(mounts, true, "volume");
  return {{"ID", short_id(json::string_or(container, "Id"), options.no_trunc)},
          {"Names", names_of(json::find(container, "Names"), options.no_trunc)},
          {"Image", image},
          {"Command", fmt::format("\"{}\"", command)},
          {"CreatedAt", local_time(created)},
          {"RunningFor", time_ago(created)},
          {"Ports", ports_of(json::find(container, "Ports"))},
          {"State", json::string_or(container, "State")},
          {"Status", json::string_or(container, "Status")},
          {"Size", size},
          {"Labels", join_labels(json::find(container, "Labels"))},
          {"Mounts", mounts_of(mounts, options.no_trunc, "")},
          {"LocalVolumes", fmt::format("{}", volumes.empty() ? 0 : std::ranges::count(volumes, ',') + 1)},
          {"Networks", join(networks, ",")}};
}

Result<int> list_containers(Context& context, const PsOptions& options, const Words&) {
  TRY(auto engine, context.engine());
  std::int64_t limit = options.latest ? 1 : options.last.value_or(-1);
  bool size = options.size || options.format.contains(".Size");
  TRY(json::Value containers, engine.get("/containers/json" + query({{"all", options.all || limit > 0 ? "1" : ""},
                                                                     {"limit", limit > 0 ? std::to_string(limit) : ""},
                                                                     {"size", size ? "1" : ""},
                                                                     {"filters", encode_filters(options.filters)}})));
  std::string cells = options.quiet
                          ? "{{.ID}}"
                          : "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
  if (options.size && !options.quiet) cells += "\t{{.Size}}";
  Listing listing("*formatter.ContainerContext", cells,
                  {{"ID", "CONTAINER ID"},
                   {"Names", "NAMES"},
                   {"Image", "IMAGE"},
                   {"Command", "COMMAND"},
                   {"CreatedAt", "CREATED AT"},
                   {"RunningFor", "CREATED"},
                   {"Ports", "PORTS"},
                   {"State", "STATE"},
                   {"Status", "STATUS"},
                   {"Size", "SIZE"},
                   {"Labels", "LABELS"},
                   {"Mounts", "MOUNTS"},
                   {"LocalVolumes", "LOCAL VOLUMES"},
                   {"Networks", "NETWORKS"}});
  if (containers.is_array()) {
    for (const json::Value& container : containers.get_array()) {
      const json::Value* labels = json::find(container, "Labels");
      listing.add(row_of(container, options), labels == nullptr ? json::Value() : *labels);
    }
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

}  // namespace

constexpr Command kPs = command<declare, list_containers>({
    .usage = "[OPTIONS]",
    .summary = "List containers",
    .arity = kNoWords,
    .examples = "ps -a\nps -q --filter label=app=web\nps --format '{{.Names}}\\t{{.Status}}'\nps -a -o json",
    .aliases = "container ls, container list, container ps, ps",
});

}  // namespace berth::cli
