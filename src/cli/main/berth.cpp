// The `berth` command, and `docker` by name.
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  std::string_view name = argc > 0 ? argv[0] : "berth";
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  berth::cli::Context context(name == "docker", BERTH_VERSION);
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return berth::cli::run_command_line(context, arguments);
}
