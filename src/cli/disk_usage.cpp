// system df: what images, containers, volumes and build cache take, and what of it could be had back.
#include <algorithm>

#include "base/text.h"
#include "cli/images.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct UsageOptions {
  std::string format;
  bool verbose = false;
};

void declare(Flags& flags, UsageOptions& options) {
  flags.add("format", options.format,
            "A Go template for the output; 'json' prints JSON; 'table TEMPLATE' keeps the header");
  flags.add("verbose,v", options.verbose, "Each of them, not only their sums");
}

std::span<const json::Value> list_of(const json::Value& object, std::string_view key) {
  const json::Value* list = json::find(object, key);
  if (list == nullptr || !list->is_array()) return {};
  return {list->get_array().data(), list->get_array().size()};
}

struct Sum {
  std::string_view type;
  std::int64_t total = 0, active = 0, size = 0, reclaimable = 0;
  bool with_percent = true;
};

bool is_active(const json::Value& container) {
  std::string state = json::string_or(container, "State");
  return state == "running" || state == "paused" || state == "restarting";
}

Sum sum_images(const json::Value& usage) {
  Sum sum{.type = "Images", .size = json::int_or(usage, "LayersSize")};
  std::int64_t used = 0;
  for (const json::Value& image : list_of(usage, "Images")) {
    ++sum.total;
    if (json::int_or(image, "Containers") == 0) continue;
    ++sum.active;
    used += json::int_or(image, "Size") - json::int_or(image, "SharedSize");
  }
  sum.reclaimable = sum.size - used;
  return sum;
}

Sum sum_containers(const json::Value& usage) {
  Sum sum{.type = "Containers"};
  for (const json::Value& container : list_of(usage, "Containers")) {
    ++sum.total;
    sum.active += is_active(container) ? 1 : 0;
    std::int64_t size = json::int_or(container, "SizeRw");
    sum.size += size;
    sum.reclaimable += is_active(container) ? 0 : size;
  }
  return sum;
}

const json::Value& volume_usage(const json::Value& volume) {
  static const json::Value kNothing = json::Object{};
  const json::Value* usage = json::find(volume, "UsageData");
  return usage == nullptr ? kNothing : *usage;
}

Sum sum_volumes(const json::Value& usage) {
  Sum sum{.type = "Local Volumes"};
  for (const json::Value& volume : list_of(usage, "Volumes")) {
    bool used = json::int_or(volume_usage(volume), "RefCount") > 0;
    std::int64_t size = std::max<std::int64_t>(json::int_or(volume_usage(volume), "Size"), 0);
    ++sum.total;
    sum.active += used ? 1 : 0;
    sum.size += size;
    sum.reclaimable += used ? 0 : size;
  }
  return sum;
}

Sum sum_builds(const json::Value& usage) {
  Sum sum{.type = "Build Cache", .with_percent = false};
  for (const json::Value& record : list_of(usage, "BuildCache")) {
    bool used = json::bool_or(record, "InUse");
    std::int64_t size = json::bool_or(record, "Shared") ? 0 : json::int_or(record, "Size");
    ++sum.total;
    sum.active += used ? 1 : 0;
    sum.size += size;
    sum.reclaimable += used ? 0 : size;
  }
  return sum;
}

json::Object row_of(const Sum& sum) {
  std::string reclaimable = human_size(static_cast<double>(sum.reclaimable));
  if (sum.with_percent && sum.size > 0) reclaimable += fmt::format(" ({}%)", sum.reclaimable * 100 / sum.size);
  return {{"Type", sum.type},
          {"TotalCount", std::to_string(sum.total)},
          {"Active", std::to_string(sum.active)},
          {"Size", human_size(static_cast<double>(sum.size))},
          {"Reclaimable", reclaimable}};
}

Result<std::string> summary(const json::Value& usage, const ListOptions& options) {
  Listing listing("*formatter.diskUsageContext", "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                  {{"Type", "TYPE"},
                   {"TotalCount", "TOTAL"},
                   {"Active", "ACTIVE"},
                   {"Size", "SIZE"},
                   {"Reclaimable", "RECLAIMABLE"}});
  for (const Sum& sum : {sum_images(usage), sum_containers(usage), sum_volumes(usage), sum_builds(usage)})
    listing.add(row_of(sum));
  return listing.render(options);
}

Result<std::string> detail_images(const json::Value& usage) {
  Listing listing("*formatter.imageContext",
                  "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t"
                  "{{.Containers}}",
                  image_columns());
  for (const json::Value& image : list_of(usage, "Images"))
    for (const NamedImage& name : names_of_image(image, false)) listing.add(image_row(image, name, false));
  TRY(std::string table, listing.render({}));
  return "Images space usage:\n\n" + table;
}

Result<std::string> detail_containers(const json::Value& usage) {
  Listing listing(
      "*formatter.ContainerContext",
      "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
      {{"ID", "CONTAINER ID"},
       {"Image", "IMAGE"},
       {"Command", "COMMAND"},
       {"LocalVolumes", "LOCAL VOLUMES"},
       {"Size", "SIZE"},
       {"RunningFor", "CREATED"},
       {"Status", "STATUS"},
       {"Names", "NAMES"}});
  constexpr std::size_t kCommandWidth = 20;
  for (const json::Value& container : list_of(usage, "Containers")) {
    std::size_t volumes = 0;
    for (const json::Value& mount : list_of(container, "Mounts"))
      volumes += json::string_or(mount, "Driver") == "local" ? 1 : 0;
    Words names;
    for (const json::Value& name : list_of(container, "Names"))
      if (std::string text = print_go(name); text.starts_with('/')) names.push_back(text.substr(1));
    listing.add({{"ID", short_id(json::string_or(container, "Id"))},
                 {"Image", json::string_or(container, "Image")},
                 {"Command", fmt::format("\"{}\"", ellipsis(json::string_or(container, "Command"), kCommandWidth))},
                 {"LocalVolumes", std::to_string(volumes)},
                 {"Size", short_size(static_cast<double>(json::int_or(container, "SizeRw")))},
                 {"RunningFor", time_ago({json::int_or(container, "Created") * 1'000'000'000})},
                 {"Status", json::string_or(container, "Status")},
                 {"Names", join(names, ",")}});
  }
  TRY(std::string table, listing.render({}));
  return "\nContainers space usage:\n\n" + table;
}

Result<std::string> detail_volumes(const json::Value& usage) {
  Listing listing("*formatter.volumeContext", "{{.Name}}\t{{.Links}}\t{{.Size}}",
                  {{"Name", "VOLUME NAME"}, {"Links", "LINKS"}, {"Size", "SIZE"}});
  for (const json::Value& volume : list_of(usage, "Volumes"))
    listing.add({{"Name", json::string_or(volume, "Name")},
                 {"Links", std::to_string(json::int_or(volume_usage(volume), "RefCount"))},
                 {"Size", human_size(static_cast<double>(json::int_or(volume_usage(volume), "Size")))}});
  TRY(std::string table, listing.render({}));
  return "\nLocal Volumes space usage:\n\n" + table;
}

Result<std::string> detail_builds(const json::Value& usage) {
  Listing listing("*formatter.buildCacheContext",
                  "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t"
                  "{{.Shared}}",
                  {{"ID", "CACHE ID"},
                   {"CacheType", "CACHE TYPE"},
                   {"Size", "SIZE"},
                   {"CreatedSince", "CREATED"},
                   {"LastUsedSince", "LAST USED"},
                   {"UsageCount", "USAGE"},
                   {"Shared", "SHARED"}});
  auto since = [](const json::Value& record, std::string_view key) {
    auto time = parse_rfc3339(json::string_or(record, key));
    return time ? time_ago(*time) : std::string();
  };
  for (const json::Value& record : list_of(usage, "BuildCache"))
    listing.add({{"ID", short_id(json::string_or(record, "ID"))},
                 {"CacheType", json::string_or(record, "Type")},
                 {"Size", human_size(static_cast<double>(json::int_or(record, "Size")))},
                 {"CreatedSince", since(record, "CreatedAt")},
                 {"LastUsedSince", since(record, "LastUsedAt")},
                 {"UsageCount", std::to_string(json::int_or(record, "UsageCount"))},
                 {"Shared", json::bool_or(record, "Shared") ? "true" : "false"}});
  TRY(std::string table, listing.render({}));
  std::string total = human_size(static_cast<double>(sum_builds(usage).size));
  return fmt::format("\nBuild cache usage: {}\n\n{}", total, table);
}

Result<int> show(Context& context, const UsageOptions& options, const Words&) {
  TRY(auto engine, context.engine());
  TRY(json::Value usage, engine.get("/system/df"));
  ListOptions list;
  list.format = options.format;
  std::string text;
  if (!options.verbose) {
    TRY(text, summary(usage, list));
  } else if (options.format == "json") {
    text = json::print(usage) + "\n";
  } else if (!options.format.empty()) {
    TRY(Template shape, Template::parse(options.format));
    TRY(text, shape.render(usage));
    text += "\n";
  } else {
    for (auto part : {detail_images, detail_containers, detail_volumes, detail_builds}) {
      TRY(std::string table, part(usage));
      text += table;
    }
    text += "\n";
  }
  TRY_OK(print_out(text));
  return 0;
}

}  // namespace

constexpr Command kDiskUsage = command<declare, show>({
    .usage = "[OPTIONS]",
    .summary = "Show what takes disk space",
    .arity = kNoWords,
    .examples = "system df\nsystem df -v\nsystem df --format '{{.Type}}: {{.Size}}'",
});

}  // namespace berth::cli
