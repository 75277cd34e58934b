// volume ls, create, rm. volume inspect is in inspect.cpp.
#include <algorithm>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct VolumeListOptions : ListOptions {
  std::vector<std::string> filters;
};

void declare_list(Flags& flags, VolumeListOptions& options) {
  add_filter_flag(flags, "filter,f", options.filters);
  add_format_flag(flags, options);
  flags.add("quiet,q", options.quiet, "Print only the names");
}

Result<int> list_volumes(Context& context, const VolumeListOptions& options, const Words&) {
  TRY(auto engine, context.engine());
  TRY(json::Value answer, engine.get("/volumes" + query({{"filters", encode_filters(options.filters)}})));
  Listing listing("*volume.volumeContext", options.quiet ? "{{.Name}}" : "{{.Driver}}\t{{.Name}}",
                  {{"Name", "VOLUME NAME"},
                   {"Driver", "DRIVER"},
                   {"Scope", "SCOPE"},
                   {"Mountpoint", "MOUNTPOINT"},
                   {"Labels", "LABELS"},
                   {"Links", "LINKS"},
                   {"Size", "SIZE"},
                   {"Availability", "AVAILABILITY"},
                   {"Group", "GROUP"},
                   {"Status", "STATUS"}});
  const json::Value* volumes = json::find(answer, "Volumes");
  std::vector<const json::Value*> sorted;
  if (volumes != nullptr && volumes->is_array())
    for (const json::Value& volume : volumes->get_array()) sorted.push_back(&volume);
  std::ranges::sort(sorted, {}, [](const json::Value* volume) { return json::string_or(*volume, "Name"); });
  for (const json::Value* volume : sorted) {
    const json::Value* labels = json::find(*volume, "Labels");
    const json::Value* usage = json::find(*volume, "UsageData");
    std::string links = "N/A", size = "N/A";
    if (usage != nullptr) {
      links = fmt::format("{}", json::int_or(*usage, "RefCount"));
      size = short_size(static_cast<double>(json::int_or(*usage, "Size")));
    }
    listing.add({{"Name", json::string_or(*volume, "Name")},
                 {"Driver", json::string_or(*volume, "Driver")},
                 {"Scope", json::string_or(*volume, "Scope")},
                 {"Mountpoint", json::string_or(*volume, "Mountpoint")},
                 {"Labels", join_labels(labels)},
                 {"Links", links},
                 {"Size", size},
                 {"Availability", "N/A"},
                 {"Group", "N/A"},
                 {"Status", "N/A"}},
                labels == nullptr ? json::Value() : *labels);
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct CreateOptions {
  std::string driver = "local";
  std::vector<std::string> labels, options;
};

void declare_create(Flags& flags, CreateOptions& options) {
  flags.add("driver,d", options.driver, "The volume's driver").defaults_to("\"local\"");
  flags.add("label", options.labels, "Set a label: KEY=VALUE");
  flags.add("opt,o", options.options, "An option of the driver: KEY=VALUE");
}

Result<int> create_volume(Context& context, const CreateOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  json::Object body{{"Driver", options.driver}};
  if (!words.empty()) body["Name"] = words[0];
  for (auto [key, items] : {std::pair{"Labels", &options.labels}, {"DriverOpts", &options.options}}) {
    json::Object object;
    for (const std::string& item : *items) {
      auto [name, value] = split_once(item, '=');
      object[name] = value.value_or("");
    }
    if (!object.empty()) body[key] = object;
  }
  TRY(json::Value volume, engine.post("/volumes/create", body));
  TRY_OK(print_out(json::string_or(volume, "Name") + "\n"));
  return 0;
}

struct RemoveOptions {
  bool force = false;
};

void declare_remove(Flags& flags, RemoveOptions& options) {
  flags.add("force,f", options.force, "It is no error when it is not there");
}

Result<int> remove_volumes(Context& context, const RemoveOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  return for_each_name(words, [&](const std::string& name) -> Result<std::string> {
    TRY_OK(engine.remove(fmt::format("/volumes/{}{}", escape_path(name), options.force ? "?force=1" : "")));
    return name;
  });
}

}  // namespace

constexpr Command kVolumeList = command<declare_list, list_volumes>({
    .usage = "[OPTIONS]",
    .summary = "List volumes",
    .arity = kNoWords,
    .examples = "volume ls\nvolume ls -q --filter dangling=true",
    .aliases = "volume ls, volume list",
});

constexpr Command kVolumeCreate = command<declare_create, create_volume>({
    .usage = "[OPTIONS] [VOLUME]",
    .summary = "Create a volume",
    .arity = {0, 1},
    .examples = "volume create data",
});

constexpr Command kVolumeRemove = command<declare_remove, remove_volumes>({
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "Remove volumes that no container uses",
    .arity = kSomeWords,
    .examples = "volume rm data",
    .aliases = "volume rm, volume remove",
});

}  // namespace berth::cli
