// What is done to containers by name: stop, restart, kill, wait, pause, unpause, rename, rm.
#include "cli/lifecycle.h"

#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct KillOptions {
  std::string signal;
};

void declare_kill(Flags& flags, KillOptions& options) { flags.add("signal,s", options.signal, "The signal to send"); }

// POST /containers/NAME/ACTION for each name.
Result<int> act_on_each(Context& context, const Words& names, const std::string& action) {
  TRY(auto engine, context.engine());
  return for_each_name(names, [&](const std::string& name) -> Result<std::string> {
    TRY_OK(engine.post(fmt::format("/containers/{}/{}", escape_path(name), action)));
    return name;
  });
}

std::string stop_query(const StopOptions& options) {
  return query({{"t", options.seconds ? std::to_string(*options.seconds) : ""}, {"signal", options.signal}});
}

Result<int> stop(Context& context, const StopOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  return for_each_name(words, [&](const std::string& name) { return stop_container(engine, name, options); });
}

Result<int> restart(Context& context, const StopOptions& options, const Words& words) {
  return act_on_each(context, words, "restart" + stop_query(options));
}

Result<int> kill_containers(Context& context, const KillOptions& options, const Words& words) {
  return act_on_each(context, words, "kill" + query({{"signal", options.signal}}));
}

Result<int> pause_containers(Context& context, const NoOptions&, const Words& words) {
  return act_on_each(context, words, "pause");
}

Result<int> unpause(Context& context, const NoOptions&, const Words& words) {
  return act_on_each(context, words, "unpause");
}

Result<int> wait_for(Context& context, const NoOptions&, const Words& words) {
  TRY(auto engine, context.engine());
  return for_each_name(words, [&](const std::string& name) -> Result<std::string> {
    TRY(json::Value answer, engine.post(fmt::format("/containers/{}/wait", escape_path(name))));
    if (const json::Value* error = json::find(answer, "Error"))
      if (std::string message = json::string_or(*error, "Message"); !message.empty())
        return fail(ErrorCode::io, "{}", message);
    return fmt::format("{}", json::int_or(answer, "StatusCode"));
  });
}

Result<int> rename_container(Context& context, const NoOptions&, const Words& words) {
  TRY(auto engine, context.engine());
  auto done = engine.post(fmt::format("/containers/{}/rename{}", escape_path(words[0]), query({{"name", words[1]}})));
  if (done) return 0;
  print_error(done.error().text() + "\n");
  return fail(ErrorCode::io, "Error: failed to rename container named {}", words[0]);
}

Result<int> remove(Context& context, const RemoveOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  return for_each_name(words, [&](const std::string& name) { return remove_container(engine, name, options); });
}

}  // namespace

void declare_stop(Flags& flags, StopOptions& options) {
  flags.add("signal,s", options.signal, "The signal to send");
  flags.add("timeout,t", options.seconds, "Seconds to wait before it is killed; -1: for ever");
  flags.add("time", options.seconds, "The same as --timeout");
}

void declare_remove(Flags& flags, RemoveOptions& options) {
  flags.add("force,f", options.force, "Kill it first if it runs");
  flags.add("link,l", options.link, "Remove the link of that name, not the container");
  flags.add("volumes,v", options.volumes, "Remove its unnamed volumes too");
}

Result<std::string> stop_container(const EngineClient& engine, const std::string& name, const StopOptions& options) {
  TRY_OK(engine.post(fmt::format("/containers/{}/stop{}", escape_path(name), stop_query(options))));
  return name;
}

Result<std::string> remove_container(const EngineClient& engine, const std::string& name,
                                     const RemoveOptions& options) {
  auto flag = [](bool wanted) { return std::string(wanted ? "1" : ""); };
  std::string how = query({{"force", flag(options.force)}, {"link", flag(options.link)}, {"v", flag(options.volumes)}});
  auto removed = engine.remove(fmt::format("/containers/{}{}", escape_path(name), how));
  // With --force the aim is that it is not there.
  if (!removed && options.force && removed.error().code() == ErrorCode::not_found) {
    print_error(removed.error().text() + "\n");
    return "";
  }
  if (!removed) return std::unexpected(std::move(removed).error());
  return name;
}

constexpr Command kStop = command<declare_stop, stop>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Stop containers",
    .arity = kSomeWords,
    .examples = "stop web db\nstop -t 30 db",
    .aliases = "container stop, stop",
});

constexpr Command kRestart = command<declare_stop, restart>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Stop containers and start them again",
    .arity = kSomeWords,
    .examples = "restart web",
    .aliases = "container restart, restart",
});

constexpr Command kKill = command<declare_kill, kill_containers>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Send containers a signal, SIGKILL unless told otherwise",
    .arity = kSomeWords,
    .examples = "kill web\nkill -s HUP web",
    .aliases = "container kill, kill",
});

constexpr Command kWait = command<declare_nothing, wait_for>({
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Wait until containers have ended and print their exit codes",
    .arity = kSomeWords,
    .examples = "wait job",
    .aliases = "container wait, wait",
});

constexpr Command kPause = command<declare_nothing, pause_containers>({
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Freeze containers",
    .arity = kSomeWords,
    .examples = "pause web",
    .aliases = "container pause, pause",
});

constexpr Command kUnpause = command<declare_nothing, unpause>({
    .usage = "CONTAINER [CONTAINER...]",
    .summary = "Let frozen containers go on",
    .arity = kSomeWords,
    .examples = "unpause web",
    .aliases = "container unpause, unpause",
});

constexpr Command kRename = command<declare_nothing, rename_container>({
    .usage = "CONTAINER NEW_NAME",
    .summary = "Give a container another name",
    .arity = kTwoWords,
    .examples = "rename web web-old",
    .aliases = "container rename, rename",
});

constexpr Command kRemove = command<declare_remove, remove>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Remove containers",
    .arity = kSomeWords,
    .examples = "rm web\nrm -f $(berth ps -aq)",
    .aliases = "container rm, container remove, rm",
});

}  // namespace berth::cli
