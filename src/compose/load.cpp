// load_project: which files, which name, which variables; then the tree made into a Project.
#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "compose/detail/files.h"
#include "compose/detail/model.h"
#include "compose/project.h"
#include "sys/file.h"

namespace berth::compose {

namespace {

constexpr std::string_view kFileNames[] = {"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"};
constexpr std::string_view kOverrideNames[] = {"compose.override.yml", "compose.override.yaml",
                                               "docker-compose.override.yml", "docker-compose.override.yaml"};

std::string variable(const Variables& variables, std::string_view name) {
  auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

std::vector<std::string> split_list(const std::string& text, char separator) {
  return text.empty() ? std::vector<std::string>() : split(text, separator);
}

std::string absolute(const std::string& path, const std::string& directory) {
  std::string whole = (std::filesystem::path(directory) / path).lexically_normal().string();
  while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  return whole;
}

// By name in the directory or one above it, with the override file beside it.
Result<std::vector<std::string>> search_files(std::string directory) {
  while (true) {
    for (std::string_view name : kFileNames) {
      std::string file = absolute(std::string(name), directory);
      if (!sys::exists(file)) continue;
      for (std::string_view override_name : kOverrideNames)
        if (std::string other = absolute(std::string(override_name), directory); sys::exists(other))
          return std::vector{file, other};
      return std::vector{file};
    }
    if (directory == "/" || directory.empty()) break;
    directory = std::filesystem::path(directory).parent_path().string();
  }
  return fail(ErrorCode::not_found, "no configuration file provided: not found");
}

Result<std::vector<std::string>> find_files(const LoadOptions& options, const Variables& variables) {
  std::vector<std::string> names = options.files;
  if (names.empty()) {
    std::string separator = variable(variables, "COMPOSE_PATH_SEPARATOR");
    names = split_list(variable(variables, "COMPOSE_FILE"), separator.size() == 1 ? separator[0] : ':');
  }
  if (names.empty())
    return search_files(options.project_directory.empty()
                            ? options.working_directory
                            : absolute(options.project_directory, options.working_directory));
  std::vector<std::string> files;
  for (const std::string& name : names) {
    files.push_back(name == "-" ? name : absolute(name, options.working_directory));
    if (name != "-" && !sys::exists(files.back()))
      return fail(ErrorCode::not_found, "open {}: no such file or directory", files.back());
  }
  return files;
}

std::string directory_of(const LoadOptions& options, const std::vector<std::string>& files) {
  if (!options.project_directory.empty()) return absolute(options.project_directory, options.working_directory);
  if (files.empty() || files.front() == "-") return options.working_directory;
  return std::filesystem::path(files.front()).parent_path().string();
}

Result<EnvResult> load_variables(const LoadOptions& options, const std::string& directory) {
  std::vector<std::string> files;
  std::vector<std::string> named = options.env_files;
  if (named.empty()) named = split_list(variable(options.environment, "COMPOSE_ENV_FILES"), ',');
  for (const std::string& file : named) files.push_back(absolute(file, options.working_directory));
  if (!files.empty()) return read_variables(files, options.environment, false);
  return read_variables({directory + "/.env"}, options.environment, true);
}

Result<void> check_project_name(const std::string& name) {
  if (!name.empty() && name == normal_project_name(name)) return {};
  return fail(ErrorCode::invalid,
              "invalid project name \"{}\": must consist only of lowercase alphanumeric characters, hyphens, and "
              "underscores as well as start with a letter or number",
              name);
}

}  // namespace

std::string normal_project_name(std::string_view text) {
  std::string name;
  for (char c : to_lower(text)) {
    bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (alphanumeric || (!name.empty() && (c == '-' || c == '_'))) name += c;
  }
  return name;
}

std::string project_name_of(const LoadOptions& options) {
  return options.project_name.empty() ? variable(options.environment, "COMPOSE_PROJECT_NAME") : options.project_name;
}

Result<Project> load_project(const LoadOptions& options) {
  // COMPOSE_FILE and the like may stand in the .env file of the directory that one works in.
  TRY(EnvResult env, load_variables(options, directory_of(options, {})));
  TRY(auto files, find_files(options, env.variables));
  Project project;
  project.files = files;
  project.directory = directory_of(options, files);
  TRY(env, load_variables(options, project.directory));
  project.env_files = env.files;

  FileLoader loader;
  FileSet set{files, project.directory, std::move(env.variables)};
  project.name = options.project_name.empty() ? variable(set.variables, "COMPOSE_PROJECT_NAME") : options.project_name;
  if (project.name.empty()) {
    TRY(project.name, loader.find_name(set));
  }
  if (project.name.empty())
    project.name = normal_project_name(std::filesystem::path(project.directory).filename().string());
  if (project.name.empty()) return fail(ErrorCode::invalid, "project name must not be empty");
  TRY_OK(check_project_name(project.name));
  set.variables.insert_or_assign("COMPOSE_PROJECT_NAME", project.name);

  TRY(Node tree, loader.load(set));
  project.warnings = loader.warnings();
  std::vector<std::string> profiles = options.profiles;
  for (std::string& profile : split_list(variable(set.variables, "COMPOSE_PROFILES"), ','))
    profiles.push_back(std::move(profile));
  TRY_OK(fill_project(project, tree, set.variables, profiles));
  return project;
}

}  // namespace berth::compose
