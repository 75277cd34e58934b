// ps: the list of containers.
#include "cli/ps.h"

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

struct PortLine {
  std::string ip, type;
  std::int64_t inside = 0, outside = 0;

  std::string host() const { return ip.contains(':') ? fmt::format("[{}]", ip) : ip; }
};

// Neighbouring ports that are not published, or published under their own numbers, are shown as one range for each
// address and protocol; ports published under other numbers follow one by one, as in Docker's client.
std::string ports_of(const json::Value* ports) {
  if (ports == nullptr || !ports->is_array()) return "";
  std::vector<PortLine> lines;
  for (const json::Value& port : ports->get_array())
    lines.push_back({json::string_or(port, "IP"), json::string_or(port, "Type", "tcp"),
                     json::int_or(port, "PrivatePort"), json::int_or(port, "PublicPort")});
  std::ranges::sort(lines, {}, [](const PortLine& l) { return std::tie(l.inside, l.ip, l.outside, l.type); });

  struct Range {
    PortLine first;
    std::int64_t last;
    std::string text() const {
      std::string numbers = fmt::format("{}", first.inside);
      if (last != first.inside) numbers += fmt::format("-{}", last);
      if (first.outside == 0) return fmt::format("{}/{}", numbers, first.type);
      return fmt::format("{}:{}->{}/{}", first.host(), numbers, numbers, first.type);
    }
  };
  std::vector<std::string> texts, others;
  std::vector<Range> open;
  for (const PortLine& line : lines) {
    if (line.outside != 0 && line.outside != line.inside) {
      others.push_back(fmt::format("{}:{}->{}/{}", line.host(), line.outside, line.inside, line.type));
      continue;
    }
    auto range = std::ranges::find_if(open, [&](const Range& known) {
      return known.first.ip == line.ip && known.first.type == line.type &&
             (known.first.outside == 0) == (line.outside == 0);
    });
    if (range == open.end()) {
      open.push_back({line, line.inside});
    } else if (line.inside == range->last + 1) {
      range->last = line.inside;
    } else {
      texts.push_back(range->text());
      *range = {line, line.inside};
    }
  }
  for (const Range& range : open) texts.push_back(range.text());
  texts.insert(texts.end(), others.begin(), others.end());
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

}  // namespace

json::Object container_row(const json::Value& container, bool no_trunc) {
  constexpr std::size_t kCommandWidth = 20;
  std::string command = json::string_or(container, "Command");
  if (!no_trunc) command = ellipsis(command, kCommandWidth);
  Time created{json::int_or(container, "Created") * 1'000'000'000};
  std::string image = json::string_or(container, "Image");
  if (image.empty()) image = "<no image>";
  if (!no_trunc && image.starts_with("sha256:")) image = short_id(image);
  std::vector<std::string> networks;
  if (const json::Value* settings = json::find(container, "NetworkSettings"))
    if (const json::Value* map = json::find(*settings, "Networks"); map != nullptr && map->is_object())
      for (const auto& network : map->get_object()) networks.emplace_back(network.key());
  const json::Value* mounts = json::find(container, "Mounts");
  const json::Value* manifest = json::find(container, "ImageManifestDescriptor");
  const json::Value* platform = manifest == nullptr ? nullptr : json::find(*manifest, "platform");
  auto written = static_cast<double>(json::int_or(container, "SizeRw"));
  auto virtual_size = static_cast<double>(json::int_or(container, "SizeRootFs"));
  std::string size = short_size(written);
  if (virtual_size > 0) size += fmt::format(" (virtual {})", short_size(virtual_size));
  std::string volumes = mounts_of(mounts, true, "volume");
  return {{"ID", short_id(json::string_or(container, "Id"), no_trunc)},
          {"Names", names_of(json::find(container, "Names"), no_trunc)},
          {"Image", image},
          {"Command", fmt::format("\"{}\"", command)},
          {"CreatedAt", local_time(created)},
          {"RunningFor", time_ago(created)},
          {"Ports", ports_of(json::find(container, "Ports"))},
          {"State", json::string_or(container, "State")},
          {"Status", json::string_or(container, "Status")},
          {"Size", size},
          {"Labels", join_labels(json::find(container, "Labels"))},
          {"Mounts", mounts_of(mounts, no_trunc, "")},
          {"LocalVolumes", fmt::format("{}", volumes.empty() ? 0 : std::ranges::count(volumes, ',') + 1)},
          {"Networks", join(networks, ",")},
          {"Platform", platform == nullptr ? json::Value(nullptr) : *platform}};
}

namespace {

Listing make_listing(const PsOptions& options) {
  std::string cells = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
  if (options.size) cells += "\t{{.Size}}";
  return {"*formatter.ContainerContext",
          options.quiet ? "{{.ID}}" : cells,
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
           {"Networks", "NETWORKS"},
           {"Platform", "PLATFORM"}}};
}

Result<int> list_containers(Context& context, const PsOptions& options, const Words&) {
  Listing listing = make_listing(options);
  TRY_OK(listing.check_format(options.format));
  TRY(auto engine, context.engine());
  std::int64_t limit = options.latest ? 1 : options.last.value_or(-1);
  bool size = options.size || options.format.contains(".Size");
  TRY(json::Value containers, engine.get("/containers/json" + query({{"all", options.all || limit > 0 ? "1" : ""},
                                                                     {"limit", limit > 0 ? std::to_string(limit) : ""},
                                                                     {"size", size ? "1" : ""},
                                                                     {"filters", encode_filters(options.filters)}})));
  if (containers.is_array()) {
    for (const json::Value& container : containers.get_array()) {
      const json::Value* labels = json::find(container, "Labels");
      listing.add(container_row(container, options.no_trunc), labels == nullptr ? json::Value() : *labels);
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
