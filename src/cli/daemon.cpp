// engine and portal: the daemons are programs of their own, so that this one stays small and quick to start; these
// verbs become them.
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/verbs.h"
#include "sys/file.h"

namespace berth::cli {

Result<std::string> find_program(const std::string& name) {
  char self[4096];
  ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  if (size <= 0) return fail_errno("find this program by /proc/self/exe");
  std::string directory(self, static_cast<std::size_t>(size));
  directory.erase(directory.rfind('/'));
  std::string installed = directory + "/../lib/berth/" + name, built = directory + "/" + name;
  for (const std::string& path : {installed, built})
    if (::access(path.c_str(), X_OK) == 0) return path;
  return fail(ErrorCode::not_found, "{} is neither at {} nor at {}: install Berth whole (scripts/quickstart does)",
              name, installed, built);
}

Result<int> become(const std::string& name, std::span<const std::string> arguments) {
  TRY(std::string path, find_program(name));
  std::vector<char*> argv{const_cast<char*>(name.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  return fail_errno("start " + path);
}

namespace {

// All words are the daemon's, --help included.
Result<int> engine(Context&, const Command&, std::span<const std::string> arguments) {
  return become("berth-engine", arguments);
}
Result<int> portal(Context&, const Command&, std::span<const std::string> arguments) {
  return become("berth-portal", arguments);
}

}  // namespace

constexpr Command kEngine{
    .usage = "[OPTIONS]", .summary = "Run the container engine (as root)", .arity = kAnyWords, .run = engine};
constexpr Command kPortal{.usage = "[OPTIONS]",
                          .summary = "Run the portal, which people create workspaces with",
                          .arity = kAnyWords,
                          .run = portal};

}  // namespace berth::cli
