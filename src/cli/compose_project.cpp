#include "cli/compose_project.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "cli/output.h"
#include "compose/container_request.h"

namespace berth::cli {

namespace {

compose::Variables process_environment() {
  compose::Variables variables;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    auto [name, value] = split_once(*item, '=');
    variables.emplace(name, value.value_or(""));
  }
  return variables;
}

ComposeContainer container_of(const json::Value& summary) {
  ComposeContainer container;
  container.summary = summary;
  container.id = json::string_or(summary, "Id");
  container.state = json::string_or(summary, "State");
  container.image_id = json::string_or(summary, "ImageID");
  if (const json::Value* names = json::find(summary, "Names"); names != nullptr && names->is_array())
    for (const json::Value& name : names->get_array()) {
      // A name with a further slash is a link's.
      std::string_view text = name.is_string() ? std::string_view(name.get_string()) : std::string_view();
      if (text.starts_with('/')) text.remove_prefix(1);
      if (!text.empty() && !text.contains('/')) container.name = text;
    }
  const json::Value* labels = json::find(summary, "Labels");
  if (labels == nullptr) return container;
  container.service = json::string_or(*labels, compose::kServiceLabel);
  container.hash = json::string_or(*labels, compose::kHashLabel);
  container.number = parse_number<std::int64_t>(json::string_or(*labels, compose::kNumberLabel)).value_or(0);
  container.one_off = to_lower(json::string_or(*labels, compose::kOneOffLabel)) == "true";
  return container;
}

}  // namespace

void declare_project_flags(Flags& flags, Context& context) {
  ProjectFlags& project = context.project;
  flags.add("file,f", project.files, "Read this Compose file; several are merged in their order, - is stdin");
  flags.add("project-name,p", project.name, "The project's name");
  flags.add("project-directory", project.directory, "What relative paths are relative to: that of the first file");
  flags.add("profile", project.profiles, "Enable the services of a profile");
  flags.add("env-file", project.env_files, "Read variables from this file instead of .env");
  flags.add("ansi", project.ansi, "Colours: never, always, auto").defaults_to("auto");
  flags.add("progress", project.progress, "Accepted for Docker's sake: progress is plain lines");
  flags.add("parallel", project.parallel, "Accepted for Docker's sake: what may go on at once, does");
}

compose::LoadOptions load_options(const Context& context) {
  return {.files = context.project.files,
          .env_files = context.project.env_files,
          .profiles = context.project.profiles,
          .project_name = context.project.name,
          .project_directory = context.project.directory,
          .working_directory = std::filesystem::current_path().string(),
          .environment = process_environment()};
}

Result<ComposeSession> open_session(const Context& context, const Words& services) {
  TRY(auto project, compose::load_project(load_options(context)));
  for (const std::string& warning : project.warnings) print_error(fmt::format("WARN[0000] {}\n", warning));
  TRY_OK(compose::enable_services(project, services));
  TRY(auto engine, context.engine());
  return ComposeSession{std::move(engine), std::move(project), context.version};
}

Result<NamedProject> open_named(const Context& context) {
  compose::LoadOptions options = load_options(context);
  std::string name = compose::project_name_of(options);
  TRY(auto engine, context.engine());
  auto project = compose::load_project(options);
  if (!project) {
    if (name.empty() || project.error().code() != ErrorCode::not_found || !options.files.empty())
      return std::unexpected(std::move(project).error());
    return NamedProject{std::move(engine), name, {}};
  }
  return NamedProject{std::move(engine), project->name, std::move(*project)};
}

std::string ComposeContainer::short_name(std::string_view project) const {
  std::string prefix = fmt::format("{}-", project);
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

Result<std::vector<ComposeContainer>> list_containers(const EngineClient& engine, const std::string& project,
                                                      OneOff which, const Words& services) {
  TRY(json::Value list,
      engine.get("/containers/json" +
                 query({{"all", "1"},
                        {"filters", encode_filters({fmt::format("label={}={}", compose::kProjectLabel, project)})}})));
  std::vector<ComposeContainer> containers;
  if (!list.is_array()) return containers;
  for (const json::Value& summary : list.get_array()) {
    ComposeContainer container = container_of(summary);
    if (container.one_off ? which == OneOff::without : which == OneOff::only) continue;
    if (!services.empty() && std::ranges::find(services, container.service) == services.end()) continue;
    containers.push_back(std::move(container));
  }
  std::ranges::sort(containers, {}, [](const ComposeContainer& c) { return std::tie(c.service, c.number, c.name); });
  return containers;
}

std::vector<ComposeContainer> orphans_of(const compose::Project& project,
                                         const std::vector<ComposeContainer>& containers) {
  std::vector<ComposeContainer> orphans;
  for (const ComposeContainer& container : containers)
    if (!container.one_off && !project.services.contains(container.service) &&
        !project.disabled.contains(container.service))
      orphans.push_back(container);
  return orphans;
}

Result<void> check_services(const NamedProject& named, const std::vector<ComposeContainer>& containers,
                            const Words& services) {
  for (const std::string& service : services) {
    bool known =
        named.project && (named.project->services.contains(service) || named.project->disabled.contains(service));
    if (!known && std::ranges::find(containers, service, &ComposeContainer::service) == containers.end())
      return fail(ErrorCode::not_found, "no such service: {}", service);
  }
  return {};
}

Result<ComposeContainer> find_container(const NamedProject& named, const std::string& service, std::int64_t index) {
  TRY(auto containers, list_containers(named.engine, named.name, OneOff::without, {service}));
  TRY_OK(check_services(named, containers, {service}));
  for (ComposeContainer& container : containers)
    if (container.is_running() && (index == 0 || container.number == index)) return std::move(container);
  if (index > 0) return fail(ErrorCode::not_found, "service \"{}\" is not running container #{}", service, index);
  return fail(ErrorCode::not_found, "service \"{}\" is not running", service);
}

bool environment_flag(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && (std::string_view(value) == "1" || std::string_view(value) == "true");
}

void print_step(std::string_view kind, std::string_view name, std::string_view state) {
  print_error(fmt::format(" {} {}  {}\n", kind, name, state));
}

}  // namespace berth::cli
