// The merged tree made into a Project: names of things in the engine, environments, dependencies, and what the parts
// say about each other.
#pragma once

#include <string>
#include <vector>

#include "compose/interpolate.h"
#include "compose/project.h"
#include "compose/yaml.h"

namespace berth::compose {

// name, directory and files of the project must be there.
Result<void> fill_project(Project& project, const Node& tree, const Variables& variables,
                          const std::vector<std::string>& profiles);

// References between the parts: undefined networks, volumes, configs, secrets and services, cycles, contradictions.
// Errors have Compose's texts.
Result<void> check_project(const Project& project);
Result<void> check_service(const Project& project, const Service& service);

}  // namespace berth::compose
