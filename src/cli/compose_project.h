// A project and the engine that its verbs talk to.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/engine_client.h"
#include "compose/project.h"

namespace berth::cli {

void declare_project_flags(Flags& flags, Context& context);

compose::LoadOptions load_options(const Context& context);

struct ComposeSession {
  EngineClient engine;
  compose::Project project;
  std::string version;
};

// Reads the project, prints its warnings to stderr, and enables the services that are named. Names of services that are
// not in it are errors.
Result<ComposeSession> open_session(const Context& context, const Words& services);

// For verbs that can do without files when the project's name is given: the name of -p or COMPOSE_PROJECT_NAME, or of
// the files.
struct NamedProject {
  EngineClient engine;
  std::string name;
  std::optional<compose::Project> project;  // absent when there are no files and the name is given
};
Result<NamedProject> open_named(const Context& context);

enum class OneOff { without, with, only };

// A container of a project, as the engine lists it.
struct ComposeContainer {
  std::string id, name, service, hash, image_id, state;
  std::int64_t number = 0;
  bool one_off = false;
  json::Value summary;  // the element of GET /containers/json

  bool is_running() const { return state == "running" || state == "paused" || state == "restarting"; }
  // "web-1": the name without the project, when it has the usual form.
  std::string short_name(std::string_view project) const;
};

// All containers of the project, by service and number. With services, only theirs.
Result<std::vector<ComposeContainer>> list_containers(const EngineClient& engine, const std::string& project,
                                                      OneOff which, const Words& services = {});

// The containers of services that the project does not have, enabled or not.
std::vector<ComposeContainer> orphans_of(const compose::Project& project,
                                         const std::vector<ComposeContainer>& containers);

// Names of services in a project that may have no files: `not_found` when neither files nor containers know one.
Result<void> check_services(const NamedProject& named, const std::vector<ComposeContainer>& containers,
                            const Words& services);

// The one container of a service that exec, cp and port mean: number `index`, or the first.
Result<ComposeContainer> find_container(const NamedProject& named, const std::string& service, std::int64_t index);

// Whether a variable of the process is 1 or true.
bool environment_flag(const char* name);

// " Container web-1  Started" on stderr, in one write: tasks of several threads print.
void print_step(std::string_view kind, std::string_view name, std::string_view state);

}  // namespace berth::cli
