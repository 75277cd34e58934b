// version, info, events.
#include <sys/utsname.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct FormatOptions : ListOptions {};

void declare_format(Flags& flags, FormatOptions& options) {
  flags.add("format,f", options.format, "A Go template; 'json' prints JSON");
  flags.add("output,o", options.output, "'json' prints JSON");
}

constexpr std::string_view kBadTemplate = "template parsing error: ";

// Docker's client ends with this code when the template itself is wrong.
constexpr int kExitBadTemplate = 64;

// Says what is wrong with a template, before anything is asked; 0 when nothing is.
int report_bad_template(const ListOptions& options, std::string_view prefix) {
  if (options.format.empty() || options.format == "json") return 0;
  auto shape = Template::parse(options.format);
  if (shape) return 0;
  print_error(fmt::format("{}{}\n", prefix, shape.error().text()));
  return kExitBadTemplate;
}

// One document through a template or as JSON; false when neither is wanted.
Result<bool> print_document(const json::Value& document, const ListOptions& options) {
  if (options.format == "json" || options.output == "json") {
    TRY_OK(print_out(json::print(document) + "\n"));
    return true;
  }
  if (options.format.empty()) return false;
  TRY(Template shape, Template::parse(options.format));
  TRY(std::string text, shape.render(document));
  TRY_OK(print_out(text + "\n"));
  return true;
}

// " Version:           28.2.2": what is empty is left out.
std::string field(int indent, std::string_view name, const std::string& value) {
  if (value.empty()) return "";
  return fmt::format("{:>{}}{:<{}}{}\n", "", indent, fmt::format("{}:", name), 20 - indent, value);
}

std::string client_architecture() {
  utsname names{};
  ::uname(&names);
  std::string machine = names.machine;
  return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine;
}

std::string server_text(const json::Value& server) {
  auto of = [](const json::Value& value, std::string_view key) { return json::string_or(value, key); };
  std::string text = "\nServer:\n Engine:\n";
  std::string api = of(server, "ApiVersion");
  if (std::string least = of(server, "MinAPIVersion"); !least.empty())
    api += fmt::format(" (minimum version {})", least);
  text += field(2, "Version", of(server, "Version")) + field(2, "API version", api) +
          field(2, "Go version", of(server, "GoVersion")) + field(2, "Git commit", of(server, "GitCommit")) +
          field(2, "Built", of(server, "BuildTime")) +
          field(2, "OS/Arch", fmt::format("{}/{}", of(server, "Os"), of(server, "Arch"))) +
          field(2, "Experimental", json::bool_or(server, "Experimental") ? "true" : "false");
  const json::Value* components = json::find(server, "Components");
  if (components == nullptr || !components->is_array()) return text;
  for (const json::Value& component : components->get_array()) {
    if (of(component, "Name") == "Engine") continue;
    text += fmt::format(" {}:\n", of(component, "Name")) + field(2, "Version", of(component, "Version"));
    if (const json::Value* details = json::find(component, "Details"))
      text += field(2, "GitCommit", of(*details, "GitCommit"));
  }
  return text;
}

Result<int> show_version(Context& context, const FormatOptions& options, const Words&) {
  if (int code = report_bad_template(options, kBadTemplate); code != 0) return code;
  json::Object client{{"Version", context.version}, {"Os", "linux"}, {"Arch", client_architecture()}};
  auto engine = context.engine();
  auto server = engine ? engine->get("/version") : Result<json::Value>(std::unexpected(engine.error()));
  if (server) {
    client["ApiVersion"] = json::string_or(*server, "ApiVersion");
    client["DefaultAPIVersion"] = json::string_or(*server, "ApiVersion");
  }
  json::Object document{{"Client", client}, {"Server", server ? *server : json::Value(nullptr)}};
  TRY(bool printed, print_document(document, options));
  if (!printed) {
    std::string text = "Client:\n" + field(1, "Version", context.version) +
                       field(1, "API version", json::string_or(client, "ApiVersion")) +
                       field(1, "OS/Arch", fmt::format("linux/{}", client_architecture()));
    if (server) text += server_text(*server);
    TRY_OK(print_out(text));
  }
  if (!server) return std::unexpected(std::move(server).error());
  return 0;
}

std::string yes_no(const json::Value& info, std::string_view key) {
  return json::bool_or(info, key) ? "true" : "false";
}

std::string keys_of(const json::Value* object) {
  std::vector<std::string> keys;
  if (object != nullptr && object->is_object())
    for (const auto& item : object->get_object()) keys.emplace_back(item.key());
  std::ranges::sort(keys);
  return join(keys, " ");
}

std::string names_of(const json::Value* list) {
  std::vector<std::string> names;
  if (list != nullptr && list->is_array())
    for (const json::Value& item : list->get_array()) names.push_back(print_go(item));
  return join(names, " ");
}

std::string info_text(const json::Value& info) {
  std::string text = "Server:\n";
  auto line = [&](int indent, std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:>{}}{}: {}\n", "", indent, name, value);
  };
  auto string = [&](std::string_view key) { return json::string_or(info, key); };
  auto number = [&](std::string_view key) { return fmt::format("{}", json::int_or(info, key)); };
  line(1, "Containers", number("Containers"));
  line(2, "Running", number("ContainersRunning"));
  line(2, "Paused", number("ContainersPaused"));
  line(2, "Stopped", number("ContainersStopped"));
  line(1, "Images", number("Images"));
  line(1, "Server Version", string("ServerVersion"));
  line(1, "Storage Driver", string("Driver"));
  if (const json::Value* status = json::find(info, "DriverStatus"); status != nullptr && status->is_array())
    for (const json::Value& pair : status->get_array())
      if (pair.is_array() && pair.get_array().size() == 2)
        line(2, print_go(pair.get_array()[0]), print_go(pair.get_array()[1]));
  line(1, "Logging Driver", string("LoggingDriver"));
  line(1, "Cgroup Driver", string("CgroupDriver"));
  line(1, "Cgroup Version", string("CgroupVersion"));
  if (const json::Value* plugins = json::find(info, "Plugins")) {
    text += " Plugins:\n";
    line(2, "Volume", names_of(json::find(*plugins, "Volume")));
    line(2, "Network", names_of(json::find(*plugins, "Network")));
    line(2, "Log", names_of(json::find(*plugins, "Log")));
  }
  if (const json::Value* swarm = json::find(info, "Swarm")) line(1, "Swarm", json::string_or(*swarm, "LocalNodeState"));
  line(1, "Runtimes", keys_of(json::find(info, "Runtimes")));
  line(1, "Default Runtime", string("DefaultRuntime"));
  line(1, "Init Binary", string("InitBinary"));
  if (const json::Value* options = json::find(info, "SecurityOptions"); options != nullptr && options->is_array()) {
    text += " Security Options:\n";
    for (const json::Value& option : options->get_array()) text += fmt::format("  {}\n", print_go(option));
  }
  line(1, "Kernel Version", string("KernelVersion"));
  line(1, "Operating System", string("OperatingSystem"));
  line(1, "OSType", string("OSType"));
  line(1, "Architecture", string("Architecture"));
  line(1, "CPUs", number("NCPU"));
  line(1, "Total Memory", human_size_binary(static_cast<double>(json::int_or(info, "MemTotal"))));
  line(1, "Name", string("Name"));
  line(1, "ID", string("ID"));
  line(1, "Docker Root Dir", string("DockerRootDir"));
  line(1, "Debug Mode", yes_no(info, "Debug"));
  line(1, "Live Restore Enabled", yes_no(info, "LiveRestoreEnabled"));
  return text;
}

Result<int> show_info(Context& context, const FormatOptions& options, const Words&) {
  if (int code = report_bad_template(options, kBadTemplate); code != 0) return code;
  TRY(auto engine, context.engine());
  TRY(json::Value info, engine.get("/info"));
  TRY(bool printed, print_document(info, options));
  if (printed) return 0;
  TRY_OK(
      print_out(fmt::format("Client:\n Version:    {}\n Debug Mode: false\n\n{}", context.version, info_text(info))));
  if (const json::Value* warnings = json::find(info, "Warnings"); warnings != nullptr && warnings->is_array())
    for (const json::Value& warning : warnings->get_array()) print_error(print_go(warning) + "\n");
  return 0;
}

struct EventsOptions : ListOptions {
  std::vector<std::string> filters;
  std::string since, until;
};

void declare_events(Flags& flags, EventsOptions& options) {
  add_filter_flag(flags, "filter,f", options.filters);
  add_format_flag(flags, options);
  flags.add("since", options.since, "Begin with those after this: a time, or an age such as 10m");
  flags.add("until", options.until, "End at this: a time, or an age such as 10m");
}

std::string event_text(const json::Value& event) {
  Time time{json::int_or(event, "timeNano")};
  std::string text = fmt::format("{} {} {} ", format_rfc3339_fixed(time), json::string_or(event, "Type"),
                                 json::string_or(event, "Action"));
  const json::Value* actor = json::find(event, "Actor");
  if (actor == nullptr) return text;
  text += json::string_or(*actor, "ID");
  std::map<std::string, std::string> sorted;
  if (const json::Value* attributes = json::find(*actor, "Attributes");
      attributes != nullptr && attributes->is_object())
    for (const auto& item : attributes->get_object()) sorted[std::string(item.key())] = print_go(item.value());
  std::vector<std::string> pairs;
  for (const auto& [key, value] : sorted) pairs.push_back(fmt::format("{}={}", key, value));
  return pairs.empty() ? text : fmt::format("{} ({})", text, join(pairs, ", "));
}

Result<int> show_events(Context& context, const EventsOptions& options, const Words&) {
  if (int code = report_bad_template(options, "Error parsing format: "); code != 0) return code;
  TRY(auto engine, context.engine());
  TRY(std::string since, point_in_time(options.since, ""));
  TRY(std::string until, point_in_time(options.until, ""));
  http::ClientRequest request;
  request.target =
      "/events" + query({{"since", since}, {"until", until}, {"filters", encode_filters(options.filters)}});
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY_OK(read_json_lines(response, [&](const json::Value& event) -> Result<void> {
    TRY(bool printed, print_document(event, options));
    if (printed) return {};
    return print_out(event_text(event) + "\n");
  }));
  return 0;
}

}  // namespace

constexpr Command kVersion = command<declare_format, show_version>({
    .usage = "[OPTIONS]",
    .summary = "Show the version of the command and of the engine",
    .arity = kNoWords,
    .examples = "version\nversion -f '{{.Server.Version}}'",
});

constexpr Command kInfo = command<declare_format, show_info>({
    .usage = "[OPTIONS]",
    .summary = "Show what the engine is and has",
    .arity = kNoWords,
    .examples = "info\ninfo -f '{{.Driver}}'",
    .aliases = "system info, info",
});

constexpr Command kEvents = command<declare_events, show_events>({
    .usage = "[OPTIONS]",
    .summary = "Show what happens, as it happens",
    .arity = kNoWords,
    .examples = "events --filter type=container\nevents --since 10m --until 0s --format '{{json .}}'",
    .aliases = "system events, events",
});

}  // namespace berth::cli
