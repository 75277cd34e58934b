// context: Docker's named engines. They are read and chosen here; Docker's client makes them.
#include <cstdlib>

#include "base/text.h"
#include "cli/docker_config.h"
#include "cli/inspect.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

constexpr std::string_view kDefault = "default";

void declare_list(Flags& flags, ListOptions& options) {
  add_format_flag(flags, options);
  flags.add("quiet,q", options.quiet, "Print only the names");
}

// The way that is taken when no context is.
Result<std::string> default_host(const Context& context) {
  WayFlags flags = context.way_flags;
  flags.context = kDefault;
  if (!flags.host.empty()) flags.context.clear();
  TRY(Way way, find_way(flags, context.as_docker));
  return way.host;
}

Result<int> list(Context& context, const ListOptions& options, const Words&) {
  TRY(Way current, context.way());
  TRY(std::string host, default_host(context));
  TRY(auto contexts, stored_contexts());
  Listing listing("*formatter.clientContextContext",
                  options.quiet
                      ? "{{.Name}}"
                      : "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
                  {{"Name", "NAME"},
                   {"Description", "DESCRIPTION"},
                   {"DockerEndpoint", "DOCKER ENDPOINT"},
                   {"Error", "ERROR"},
                   {"Current", ""}});
  auto add = [&](const std::string& name, const std::string& description, const std::string& endpoint) {
    listing.add({{"Current", name == current.context},
                 {"Description", description},
                 {"DockerEndpoint", endpoint},
                 {"Error", ""},
                 {"Name", name}});
  };
  add(std::string(kDefault), "Current DOCKER_HOST based configuration", host);
  for (const StoredContext& each : contexts) {
    const json::Value* metadata = json::find(each.metadata, "Metadata");
    add(each.name, metadata == nullptr ? "" : json::string_or(*metadata, "Description"), each.host);
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

Result<int> use(Context&, const NoOptions&, const Words& words) {
  const std::string& name = words[0];
  if (name != kDefault) TRY_OK(find_context(name));
  TRY(json::Object config, read_config());
  if (name == kDefault)
    config.erase("currentContext");
  else
    config["currentContext"] = name;
  TRY_OK(write_config(config));
  TRY_OK(print_out(name + "\n"));
  print_error(fmt::format("Current context is now \"{}\"\n", name));
  for (const char* variable : {"BERTH_HOST", "DOCKER_HOST"})
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0')
      print_error(fmt::format("Warning: {} environment variable overrides the active context.\n", variable));
  return 0;
}

Result<int> show(Context& context, const NoOptions&, const Words&) {
  TRY(Way way, context.way());
  TRY_OK(print_out(way.context + "\n"));
  return 0;
}

Result<json::Value> document(const Context& context, const std::string& name) {
  if (name == kDefault) {
    TRY(std::string host, default_host(context));
    return json::Object{{"Name", kDefault},
                        {"Metadata", json::Object{}},
                        {"Endpoints", json::Object{{"docker", json::Object{{"Host", host}, {"SkipTLSVerify", false}}}}},
                        {"TLSMaterial", json::Object{}},
                        {"Storage", json::Object{{"MetadataPath", "<IN MEMORY>"}, {"TLSPath", "<IN MEMORY>"}}}};
  }
  TRY(StoredContext stored, find_context(name));
  json::Object shown = stored.metadata.is_object() ? stored.metadata.get_object() : json::Object{};
  bool tls = !stored.tls_directory.empty();
  shown["TLSMaterial"] = tls ? json::Object{{"docker", json::Array{"ca.pem", "cert.pem", "key.pem"}}} : json::Object{};
  shown["Storage"] = json::Object{{"MetadataPath", stored.metadata_path}, {"TLSPath", tls ? stored.tls_directory : ""}};
  return shown;
}

void declare_inspect(Flags& flags, ListOptions& options) {
  flags.add("format,f", options.format, "A Go template for each context; 'json' prints JSON");
}

Result<int> inspect(Context& context, const ListOptions& options, const Words& words) {
  Words names = words;
  if (names.empty()) {
    TRY(Way way, context.way());
    names = {way.context};
  }
  return inspect_each(names, options, [&](const std::string& name) { return document(context, name); });
}

constexpr Command kList = command<declare_list, list>({
    .usage = "[OPTIONS]",
    .summary = "List contexts",
    .arity = kNoWords,
    .examples = "context ls",
    .aliases = "context ls, context list",
});
constexpr Command kUse = command<declare_nothing, use>({
    .usage = "CONTEXT",
    .summary = "Choose the context that commands talk to",
    .arity = kOneWord,
    .examples = "context use build-machine\ncontext use default",
});
constexpr Command kShow = command<declare_nothing, show>({
    .usage = "",
    .summary = "Print the name of the current context",
    .arity = kNoWords,
    .examples = "context show",
});
constexpr Command kInspectContext = command<declare_inspect, inspect>({
    .usage = "[OPTIONS] [CONTEXT] [CONTEXT...]",
    .summary = "Show all that is known of contexts",
    .arity = kAnyWords,
    .examples = "context inspect\ncontext inspect -f '{{.Endpoints.docker.Host}}' build-machine",
});

constexpr CommandEntry kContextCommands[] = {
    {"inspect", &kInspectContext}, {"ls", &kList}, {"list", &kList, Group::hidden}, {"show", &kShow}, {"use", &kUse}};

}  // namespace

constexpr Command kContextFamily{
    .usage = "", .summary = "Manage contexts", .arity = kAnyWords, .children = kContextCommands};

}  // namespace berth::cli
