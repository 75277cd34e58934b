// compose ps, images, ls, top, port: what there is.
#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "cli/compose_project.h"
#include "cli/output.h"
#include "cli/ps.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "compose/container_request.h"

namespace berth::cli {

namespace {

struct PsOptions : ListOptions {
  bool all = false, services = false, orphans = true;
  Words filters, statuses;
};

void declare_ps(Flags& flags, PsOptions& options) {
  flags.add("all,a", options.all, "Stopped ones too");
  flags.add("services", options.services, "Print the names of the services");
  flags.add("orphans", options.orphans, "Containers of services that are no longer in the files too")
      .defaults_to("true");
  flags.add("status", options.statuses, "Only containers in this state: running, exited, paused, ...");
  add_filter_flag(flags, "filter", options.filters);
  add_list_flags(flags, options);
}

json::Array publishers_of(const json::Value& summary) {
  json::Array publishers;
  if (const json::Value* ports = json::find(summary, "Ports"); ports != nullptr && ports->is_array())
    for (const json::Value& port : ports->get_array())
      publishers.push_back(json::Object{{"URL", json::string_or(port, "IP")},
                                        {"TargetPort", json::int_or(port, "PrivatePort")},
                                        {"PublishedPort", json::int_or(port, "PublicPort")},
                                        {"Protocol", json::string_or(port, "Type")}});
  return publishers;
}

// The health and exit code are in the list only as words of the status: "Up 3 seconds (healthy)", "Exited (1) ...".
json::Object ps_row(const ComposeContainer& container, const std::string& project, bool no_trunc) {
  json::Object row = container_row(container.summary, no_trunc);
  std::string status = json::string_or(row, "Status"), health;
  for (std::string_view word : {"healthy", "unhealthy", "starting"})
    if (status.ends_with(fmt::format("({})", word)) || status.ends_with(fmt::format("(health: {})", word)))
      health = word;
  std::int64_t exit_code = 0;
  if (status.starts_with("Exited ("))
    exit_code = parse_number<std::int64_t>(split_once(std::string_view(status).substr(8), ')').first).value_or(0);
  row["Name"] = container.name;
  row["Service"] = container.service;
  row["Project"] = project;
  row["Health"] = health;
  row["ExitCode"] = exit_code;
  row["Publishers"] = publishers_of(container.summary);
  return row;
}

Listing ps_listing(bool quiet) {
  return {
      "*formatter.ContainerContext",
      quiet ? "{{.ID}}" : "{{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}",
      {{"ID", "CONTAINER ID"},       {"Name", "NAME"},
       {"Names", "NAMES"},           {"Image", "IMAGE"},
       {"Command", "COMMAND"},       {"Service", "SERVICE"},
       {"Project", "PROJECT"},       {"CreatedAt", "CREATED AT"},
       {"RunningFor", "CREATED"},    {"Status", "STATUS"},
       {"State", "STATE"},           {"Health", "HEALTH"},
       {"ExitCode", "EXIT CODE"},    {"Ports", "PORTS"},
       {"Publishers", "PUBLISHERS"}, {"Labels", "LABELS"},
       {"Mounts", "MOUNTS"},         {"LocalVolumes", "LOCAL VOLUMES"},
       {"Networks", "NETWORKS"},     {"Size", "SIZE"}}};
}

Result<Words> wanted_states(const PsOptions& options) {
  Words states = options.statuses;
  for (const std::string& filter : options.filters) {
    auto [name, value] = split_once(filter, '=');
    if (name != "status") return fail(ErrorCode::invalid, "unknown filter {}: there is status=STATE", name);
    states.emplace_back(value.value_or(""));
  }
  return states;
}

Result<int> ps(Context& context, const PsOptions& options, const Words& services) {
  TRY(Words states, wanted_states(options));
  TRY(auto named, open_named(context));
  TRY(auto containers, list_containers(named.engine, named.name, OneOff::with));
  TRY_OK(check_services(named, containers, services));
  std::erase_if(containers, [&](const ComposeContainer& container) {
    bool selected = states.empty() ? (options.all || container.is_running())
                                   : std::ranges::find(states, container.state) != states.end();
    bool named_one = services.empty() || std::ranges::find(services, container.service) != services.end();
    return !selected || !named_one || (container.one_off && !options.all && !container.is_running());
  });
  if (!options.orphans && named.project) {
    std::vector<ComposeContainer> orphans = orphans_of(*named.project, containers);
    std::erase_if(containers, [&](const ComposeContainer& container) {
      return std::ranges::find(orphans, container.id, &ComposeContainer::id) != orphans.end();
    });
  }
  if (options.services) {
    std::set<std::string> names;
    for (const ComposeContainer& container : containers) names.insert(container.service);
    for (const std::string& name : names) TRY_OK(print_out(name + "\n"));
    return 0;
  }
  ListOptions list = options;
  // Whole ids for scripts, as Docker Compose prints them.
  bool whole_ids = options.no_trunc || options.quiet;
  Listing listing = ps_listing(options.quiet);
  TRY_OK(listing.check_format(options.format));
  for (const ComposeContainer& container : containers) {
    const json::Value* labels = json::find(container.summary, "Labels");
    listing.add(ps_row(container, named.name, whole_ids), labels == nullptr ? json::Value() : *labels);
  }
  TRY(std::string text, listing.render(list));
  TRY_OK(print_out(text));
  return 0;
}

struct ImagesOptions : ListOptions {};

void declare_images(Flags& flags, ImagesOptions& options) { add_list_flags(flags, options); }

Result<int> images(Context& context, const ImagesOptions& options, const Words& services) {
  TRY(auto named, open_named(context));
  TRY(auto containers, list_containers(named.engine, named.name, OneOff::with));
  TRY_OK(check_services(named, containers, services));
  Listing listing("*formatter.ImageContext",
                  options.quiet ? "{{.ID}}" : "{{.ContainerName}}\t{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}",
                  {{"ContainerName", "CONTAINER"},
                   {"Repository", "REPOSITORY"},
                   {"Tag", "TAG"},
                   {"ID", "IMAGE ID"},
                   {"Size", "SIZE"}});
  std::set<std::string> seen;
  for (const ComposeContainer& container : containers) {
    if (!services.empty() && std::ranges::find(services, container.service) == services.end()) continue;
    if (options.quiet && !seen.insert(container.image_id).second) continue;
    std::string name = json::string_or(container.summary, "Image");
    std::size_t colon = name.rfind(':');
    bool has_tag = colon != std::string::npos && name.find('/', colon) == std::string::npos;
    auto image = named.engine.get(fmt::format("/images/{}/json", escape_path(container.image_id)));
    auto size = image ? static_cast<double>(json::int_or(*image, "Size")) : 0.0;
    listing.add({{"ContainerName", container.name},
                 {"Repository", has_tag ? name.substr(0, colon) : name},
                 {"Tag", has_tag ? name.substr(colon + 1) : "latest"},
                 {"ID", short_id(container.image_id, options.no_trunc || options.quiet)},
                 {"Size", short_size(size)}});
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct LsOptions : ListOptions {
  bool all = false;
  Words filters;
};

void declare_ls(Flags& flags, LsOptions& options) {
  flags.add("all,a", options.all, "Stopped projects too");
  add_filter_flag(flags, "filter", options.filters);
  add_list_flags(flags, options);
}

// "exited(1), running(2)"
std::string states_text(const std::map<std::string, int>& states) {
  Words parts;
  for (const auto& [state, count] : states) parts.push_back(fmt::format("{}({})", state, count));
  return join(parts, ", ");
}

Result<int> ls(Context& context, const LsOptions& options, const Words&) {
  struct Row {
    std::map<std::string, int> states;
    std::string files;
    bool running = false;
  };
  std::map<std::string, Row> projects;
  TRY(auto engine, context.engine());
  TRY(json::Value list,
      engine.get(
          "/containers/json" +
          query({{"all", "1"}, {"filters", encode_filters({fmt::format("label={}", compose::kProjectLabel)})}})));
  for (const json::Value& summary : list.get_array()) {
    const json::Value* labels = json::find(summary, "Labels");
    if (labels == nullptr) continue;
    Row& row = projects[json::string_or(*labels, compose::kProjectLabel)];
    std::string state = json::string_or(summary, "State");
    ++row.states[state];
    row.running |= state == "running" || state == "restarting" || state == "paused";
    row.files = json::string_or(*labels, "com.docker.compose.project.config_files", "N/A");
  }
  Listing listing("*formatter.ProjectContext", options.quiet ? "{{.Name}}" : "{{.Name}}\t{{.Status}}\t{{.ConfigFiles}}",
                  {{"Name", "NAME"}, {"Status", "STATUS"}, {"ConfigFiles", "CONFIG FILES"}});
  json::Array documents;
  for (const auto& [name, row] : projects) {
    if (!options.all && !row.running) continue;
    bool wanted = std::ranges::all_of(options.filters, [&](const std::string& filter) {
      auto [key, value] = split_once(filter, '=');
      return key == "name" && name.contains(value.value_or(""));
    });
    if (!wanted) continue;
    json::Object fields{{"Name", name}, {"Status", states_text(row.states)}, {"ConfigFiles", row.files}};
    documents.push_back(fields);
    listing.add(std::move(fields));
  }
  // One list, not one object a line, is what Docker Compose prints here.
  if (options.format == "json") {
    TRY_OK(print_out(json::print(documents) + "\n"));
    return 0;
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

Result<int> top(Context& context, const NoOptions&, const Words& services) {
  TRY(auto named, open_named(context));
  TRY(auto containers, list_containers(named.engine, named.name, OneOff::with));
  TRY_OK(check_services(named, containers, services));
  for (const ComposeContainer& container : containers) {
    if (!container.is_running()) continue;
    if (!services.empty() && std::ranges::find(services, container.service) == services.end()) continue;
    TRY(json::Value answer, named.engine.get(fmt::format("/containers/{}/top", escape_path(container.id))));
    auto line_of = [](const json::Value& cells) {
      Words texts;
      if (cells.is_array())
        for (const json::Value& cell : cells.get_array()) texts.push_back(print_go(cell));
      return join(texts, "\t") + "\n";
    };
    std::string text;
    if (const json::Value* titles = json::find(answer, "Titles")) text = line_of(*titles);
    if (const json::Value* processes = json::find(answer, "Processes"); processes != nullptr && processes->is_array())
      for (const json::Value& process : processes->get_array()) text += line_of(process);
    TRY_OK(print_out(fmt::format("{}\n{}\n", container.name, align_columns(text, {.min_width = 6, .padding = 3}))));
  }
  return 0;
}

struct PortOptions {
  std::string protocol = "tcp";
  std::optional<std::int64_t> index;
};

void declare_port(Flags& flags, PortOptions& options) {
  flags.add("protocol", options.protocol, "tcp or udp").defaults_to("tcp");
  flags.add("index", options.index, "Which of the service's containers");
}

Result<int> port(Context& context, const PortOptions& options, const Words& words) {
  TRY(auto named, open_named(context));
  TRY(ComposeContainer container, find_container(named, words[0], options.index.value_or(0)));
  for (const json::Value& publisher : publishers_of(container.summary)) {
    if (std::to_string(json::int_or(publisher, "TargetPort")) != words[1] ||
        json::string_or(publisher, "Protocol") != options.protocol || json::int_or(publisher, "PublishedPort") == 0)
      continue;
    std::string address = json::string_or(publisher, "URL");
    TRY_OK(print_out(fmt::format("{}:{}\n", address.contains(':') ? fmt::format("[{}]", address) : address,
                                 json::int_or(publisher, "PublishedPort"))));
    return 0;
  }
  return fail(ErrorCode::not_found, "no port {}/{} for container {}", words[1], options.protocol, container.name);
}

}  // namespace

constexpr Command kComposePs = command<declare_ps, ps>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "List the containers of the project",
    .arity = kAnyWords,
    .examples = "compose ps -a\ncompose ps --format json\ncompose ps --filter status=running --services",
});

constexpr Command kComposeImages = command<declare_images, images>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "List the images of the project's containers",
    .arity = kAnyWords,
    .examples = "compose images -q",
});

constexpr Command kComposeList = command<declare_ls, ls>({
    .usage = "[OPTIONS]",
    .summary = "List the projects that have containers",
    .arity = kNoWords,
    .examples = "compose ls -a",
});

constexpr Command kComposeTop = command<declare_nothing, top>({
    .usage = "[SERVICE...]",
    .summary = "Show the processes of the project's containers",
    .arity = kAnyWords,
    .examples = "compose top web",
});

constexpr Command kComposePort = command<declare_port, port>({
    .usage = "[OPTIONS] SERVICE PRIVATE_PORT",
    .summary = "Show where a port of a service is published",
    .arity = kTwoWords,
    .examples = "compose port web 80",
});

}  // namespace berth::cli
