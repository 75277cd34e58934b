// update: other limits, or another restart policy, for containers that exist.
#include "cli/container_config.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

Result<int> update(Context& context, const ContainerOptions& options, const Words& words) {
  TRY(json::Value body, make_update_body(options));
  if (body.get_object().empty())
    return fail(ErrorCode::invalid, "you must provide one or more flags when using this command");
  TRY(auto engine, context.engine());
  return for_each_name(words, [&](const std::string& name) -> Result<std::string> {
    TRY(json::Value answer, engine.post(fmt::format("/containers/{}/update", escape_path(name)), body));
    if (const json::Value* warnings = json::find(answer, "Warnings"); warnings != nullptr && warnings->is_array())
      for (const json::Value& warning : warnings->get_array())
        print_error(std::string(warning.is_string() ? warning.get_string() : "") + "\n");
    return name;
  });
}

}  // namespace

constexpr Command kUpdate = command<declare_updatable_flags, update>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Change the limits or the restart policy of containers",
    .arity = kSomeWords,
    .examples = "update -m 512m --cpus 1.5 web\nupdate --restart unless-stopped web",
    .aliases = "container update, update",
});

}  // namespace berth::cli
