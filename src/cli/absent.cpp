// Verbs of Docker's that make no sense here: each says so in one sentence, instead of "unknown command".
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

Result<int> refuse_swarm(Context& context, const Command&, std::span<const std::string>) {
  print_error(
      fmt::format("{}: there is no swarm here: Berth runs containers on the machines it is told to, each with an "
                  "engine of its own.\n",
                  context.path));
  return 1;
}

Result<int> refuse_plugins(Context& context, const Command&, std::span<const std::string>) {
  print_error(fmt::format("{}: Berth's engine takes no plugins: its drivers are built in.\n", context.path));
  return 1;
}

Result<int> refuse_checkpoints(Context& context, const Command&, std::span<const std::string>) {
  print_error(fmt::format("{}: checkpoints of running containers are not supported.\n", context.path));
  return 1;
}

Result<int> refuse_trust(Context& context, const Command&, std::span<const std::string>) {
  print_error(fmt::format("{}: Docker Content Trust is not supported: name an image by its digest to be sure of it.\n",
                          context.path));
  return 1;
}

constexpr Command absent(std::string_view summary,
                         Result<int> (*run)(Context&, const Command&, std::span<const std::string>)) {
  return {.usage = "", .summary = summary, .arity = kAnyWords, .run = run};
}

}  // namespace

constexpr Command kNoSwarm = absent("Not here: there is no swarm", refuse_swarm);
constexpr Command kNoPlugins = absent("Not here: there are no plugins", refuse_plugins);
constexpr Command kNoCheckpoints = absent("Not here: there are no checkpoints", refuse_checkpoints);
constexpr Command kNoTrust = absent("Not here: there is no content trust", refuse_trust);

}  // namespace berth::cli
