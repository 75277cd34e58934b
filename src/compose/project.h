// A Compose project: what the files, the variables and the command line together say, checked and complete.
//
//   LoadOptions options{.working_directory = ..., .environment = ...};
//   TRY(Project project, load_project(options));
//
// A service's `config` is its canonical form: no short forms, absolute paths, environment resolved; it is what `config`
// prints, what the hash is of, and what container_request.h reads. What verbs ask for often is beside it in fields.
//
// Source: Compose specification (github.com/compose-spec/compose-spec); names and labels as Docker Compose v2 has them.
// Thread: values, free of shared state.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "compose/interpolate.h"

namespace berth::compose {

struct LoadOptions {
  std::vector<std::string> files;      // -f; "-" is stdin. Empty: COMPOSE_FILE, or what is found by name
  std::vector<std::string> env_files;  // --env-file; empty: COMPOSE_ENV_FILES, or .env of the project's directory
  std::vector<std::string> profiles;   // with those of COMPOSE_PROFILES
  std::string project_name;            // -p
  std::string project_directory;       // empty: that of the first file
  std::string working_directory;       // absolute; where files are looked for
  Variables environment;               // of the process
};

enum class Condition { started, healthy, completed };

struct Dependency {
  std::string service;
  Condition condition = Condition::started;
  bool required = true;
  bool restart = false;  // restart the dependent after this one was made anew
};

struct Service {
  std::string name;
  std::string image;           // what containers are made from; named after the project when it is only built
  std::string container_name;  // empty: project-service-number
  std::int64_t replicas = 1;
  std::vector<Dependency> depends_on;  // with those that links, volumes_from and shared namespaces imply
  std::vector<std::string> profiles;
  json::Value config;  // an object

  bool is_built() const { return json::find(config, "build") != nullptr; }
  const Dependency* find_dependency(std::string_view service) const;
};

// A network, volume, config or secret.
struct Resource {
  std::string key;   // in the file
  std::string name;  // in the engine
  bool external = false;
  json::Value config;  // an object
};

using Services = std::map<std::string, Service, std::less<>>;
using Resources = std::map<std::string, Resource, std::less<>>;

struct Project {
  std::string name;
  std::string directory;
  std::vector<std::string> files;      // absolute
  std::vector<std::string> env_files;  // that were read
  Services services;                   // those that the profiles enable
  Services disabled;
  Resources networks, volumes, configs, secrets;
  json::Object extensions;            // top-level x- keys
  std::vector<std::string> warnings;  // for the person, in the order of their finding

  // `not_found` with Docker's text: no such service: NAME.
  Result<const Service*> service(std::string_view name) const;
};

// Finds, reads and checks. `not_found` when there is no file; `invalid` for what is wrong in one.
Result<Project> load_project(const LoadOptions& options);

// What is known without files: the project's name, when -p or COMPOSE_PROJECT_NAME tell it.
std::string project_name_of(const LoadOptions& options);
// Lower case, without what may not stand in a project's name.
std::string normal_project_name(std::string_view text);

// Services that are named although their profile is not enabled come alive, and with them what they depend on.
Result<void> enable_services(Project& project, const std::vector<std::string>& names);

// The named services (all when none is) and, if wanted, what they depend on, in the order in which they may start.
Result<std::vector<std::string>> start_order(const Project& project, const std::vector<std::string>& names,
                                             bool with_dependencies);

// As `config` prints it.
json::Value config_of(const Project& project);
// 64 hex digits that change when a container of the service has to be made anew.
std::string config_hash(const Project& project, const Service& service);

}  // namespace berth::compose
