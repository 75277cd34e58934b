// Compose files: whatever they are, loading ends, and a project that was loaded is whole: it prints as YAML that means
// the same, its services have an order, and each has a create request.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "compose/container_request.h"
#include "compose/project.h"
#include "compose/yaml.h"

namespace {

// The loader reads files by name; this one has no directory of its own that others might stand in.
std::string file_of(const std::uint8_t* data, std::size_t size) {
  static int fd = ::memfd_create("compose", MFD_CLOEXEC);
  if (::ftruncate(fd, 0) < 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth::compose;
  LoadOptions options;
  options.files = {file_of(data, size)};
  options.project_name = "p";
  options.project_directory = "/nonexistent";
  options.working_directory = "/nonexistent";
  options.profiles = {"*"};
  options.environment = {{"A", "a"}, {"EMPTY", ""}};
  auto project = load_project(options);
  if (!project) return 0;
  if (!start_order(*project, {}, true)) std::abort();
  auto printed = parse_yaml(print_yaml(config_of(*project)), "printed");
  if (!printed || printed->size() != 1) std::abort();
  for (const auto& [name, service] : project->services) {
    if (config_hash(*project, service).size() != 64) std::abort();
    ContainerPlan plan;
    plan.name = "c";
    (void)make_container_request(*project, service, plan);
  }
  return 0;
}
