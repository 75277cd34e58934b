// compose config and version.
#include <algorithm>
#include <set>

#include "cli/compose_project.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "compose/yaml.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

struct ConfigOptions {
  bool services = false, volumes = false, networks = false, images = false, profiles = false, quiet = false;
  std::optional<std::string> hash;
  std::string format = "yaml", output;
};

void declare(Flags& flags, ConfigOptions& options) {
  flags.add("services", options.services, "Print the names of the services");
  flags.add("volumes", options.volumes, "Print the names of the volumes");
  flags.add("networks", options.networks, "Print the names of the networks");
  flags.add("images", options.images, "Print the images of the services");
  flags.add("profiles", options.profiles, "Print the names of the profiles");
  flags.add("hash", options.hash, "Print the hash of services, one a line: names separated by commas, or *");
  flags.add("format", options.format, "yaml or json").defaults_to("yaml");
  flags.add("output,o", options.output, "Write to this file instead of stdout");
  flags.add("quiet,q", options.quiet, "Only check the files");
}

template <class Map>
std::string keys_of(const Map& map) {
  std::string text;
  for (const auto& [key, value] : map) text += key + "\n";
  return text;
}

std::string profiles_of(const compose::Project& project) {
  std::set<std::string> names;
  for (const compose::Services* services : {&project.services, &project.disabled})
    for (const auto& [name, service] : *services) names.insert(service.profiles.begin(), service.profiles.end());
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

Result<std::string> hashes_of(const compose::Project& project, const std::string& names) {
  std::string text;
  for (const auto& [name, service] : project.services)
    if (names == "*" || ("," + names + ",").contains("," + name + ","))
      text += fmt::format("{} {}\n", name, compose::config_hash(project, service));
  if (names != "*" && text.empty()) return fail(ErrorCode::not_found, "no such service: {}", names);
  return text;
}

Result<std::string> text_of(const compose::Project& project, const ConfigOptions& options) {
  if (options.services) return keys_of(project.services);
  if (options.volumes) return keys_of(project.volumes);
  if (options.networks) return keys_of(project.networks);
  if (options.profiles) return profiles_of(project);
  if (options.hash) return hashes_of(project, *options.hash);
  if (options.images) {
    std::string text;
    for (const auto& [name, service] : project.services) text += service.image + "\n";
    return text;
  }
  json::Value config = compose::config_of(project);
  if (options.format == "json") return pretty_json(config) + "\n";
  if (options.format != "yaml") return fail(ErrorCode::invalid, "unsupported format \"{}\"", options.format);
  return compose::print_yaml(config);
}

Result<int> config(Context& context, const ConfigOptions& options, const Words& services) {
  TRY(auto project, compose::load_project(load_options(context)));
  for (const std::string& warning : project.warnings) print_error(fmt::format("WARN[0000] {}\n", warning));
  TRY_OK(compose::enable_services(project, services));
  if (!services.empty()) {
    TRY(Words kept, compose::start_order(project, services, true));
    std::erase_if(project.services,
                  [&](const auto& entry) { return std::ranges::find(kept, entry.first) == kept.end(); });
  }
  if (options.quiet) return 0;
  TRY(std::string text, text_of(project, options));
  TRY_OK(options.output.empty() ? print_out(text) : sys::replace_file(options.output, text, 0644));
  return 0;
}

// Whose behaviour this follows. Programs that call `docker compose` compare the number to learn how images and
// containers are named.
constexpr std::string_view kFollowed = "2.32.4";

struct VersionOptions {
  bool brief = false;
  std::string format = "pretty";
};

void declare_version(Flags& flags, VersionOptions& options) {
  flags.add("short", options.brief, "Print the number only");
  flags.add("format,f", options.format, "pretty or json").defaults_to("pretty");
}

Result<int> version(Context& context, const VersionOptions& options, const Words&) {
  std::string number = context.as_docker ? std::string(kFollowed) : context.version;
  std::string text = context.as_docker
                         ? fmt::format("Docker Compose version v{}", number)
                         : fmt::format("Berth Compose version {}, like Docker Compose {}", number, kFollowed);
  if (options.brief) text = number;
  if (options.format == "json") text = json::print(json::Object{{"version", number}});
  TRY_OK(print_out(text + "\n"));
  return 0;
}

}  // namespace

constexpr Command kComposeConfig = command<declare, config>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Check the files and print the project that they make",
    .arity = kAnyWords,
    .examples = "compose config\ncompose -f a.yaml -f b.yaml config --services\ncompose config --format json web",
});

constexpr Command kComposeVersion = command<declare_version, version>({
    .usage = "[OPTIONS]",
    .summary = "Print the version",
    .arity = kNoWords,
    .examples = "compose version",
});

}  // namespace berth::cli
