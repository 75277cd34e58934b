// attach, and start with -a or -i: join a container that is there.
#include "cli/attach.h"

#include "cli/attach_session.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct AttachOptions {
  bool no_stdin = false, sig_proxy = true;
  std::string detach_keys = std::string(kDefaultDetachKeys);
};

void declare_attach(Flags& flags, AttachOptions& options) {
  flags.add("no-stdin", options.no_stdin, "Leave stdin alone");
  flags.add("sig-proxy", options.sig_proxy, "Pass signals on to the container").defaults_to("true");
  flags.add("detach-keys", options.detach_keys, "The keys that leave the container without ending it")
      .defaults_to("ctrl-p,ctrl-q");
}

bool config_flag(const json::Value& container, std::string_view name) {
  const json::Value* config = json::find(container, "Config");
  return config != nullptr && json::bool_or(*config, name);
}

Result<int> attach(Context& context, const AttachOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(json::Value container, engine.get(fmt::format("/containers/{}/json", escape_path(words[0]))));
  const json::Value* state = json::find(container, "State");
  auto is = [&](std::string_view name) { return state != nullptr && json::bool_or(*state, name); };
  if (!is("Running")) return fail(ErrorCode::conflict, "You cannot attach to a stopped container, start it first");
  if (is("Paused")) return fail(ErrorCode::conflict, "cannot attach to a paused container, unpause it first");
  if (is("Restarting"))
    return fail(ErrorCode::conflict, "cannot attach to a restarting container, wait until it is running");
  bool tty = config_flag(container, "Tty");
  bool with_stdin = !options.no_stdin && config_flag(container, "OpenStdin");
  TRY_OK(check_stdin_is_terminal(tty, with_stdin));
  SessionOptions session_options{.container = json::string_or(container, "Id"),
                                 .tty = tty,
                                 .streams = {with_stdin, true, true},
                                 .detach_keys = options.detach_keys,
                                 .forward_signals = options.sig_proxy && !tty,
                                 .wait_condition = "",
                                 .redraw = true};
  TRY(auto session, AttachSession::open(engine, std::move(session_options)));
  TRY(int code, session.run());
  if (code == kDetached) return detached_error();
  return code;
}

Result<int> start_attached(const EngineClient& engine, const StartOptions& options, const std::string& name) {
  TRY(json::Value container, engine.get(fmt::format("/containers/{}/json", escape_path(name))));
  bool tty = config_flag(container, "Tty");
  bool with_stdin = options.interactive && config_flag(container, "OpenStdin");
  TRY_OK(check_stdin_is_terminal(tty, with_stdin));
  const json::Value* host = json::find(container, "HostConfig");
  bool removed = host != nullptr && json::bool_or(*host, "AutoRemove");
  SessionOptions session_options{.container = json::string_or(container, "Id"),
                                 .tty = tty,
                                 .streams = {with_stdin, true, true},
                                 .detach_keys = options.detach_keys,
                                 .forward_signals = !tty,
                                 .wait_condition = removed ? "removed" : "next-exit"};
  TRY(auto session, AttachSession::open(engine, std::move(session_options)));
  TRY_OK(engine.post(fmt::format("/containers/{}/start", escape_path(name))));
  TRY(int code, session.run());
  return code == kDetached ? 0 : code;
}

}  // namespace

void declare_start(Flags& flags, StartOptions& options) {
  flags.add("attach,a", options.attach, "Stay attached to its output, and pass signals on");
  flags.add("interactive,i", options.interactive, "Pass stdin on");
  flags.add("detach-keys", options.detach_keys, "The keys that leave the container without ending it")
      .defaults_to("ctrl-p,ctrl-q");
}

Result<int> start_containers(Context& context, const StartOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  if (options.attach || options.interactive) {
    if (words.size() > 1) return fail(ErrorCode::invalid, "you cannot start and attach multiple containers at once");
    return start_attached(engine, options, words[0]);
  }
  Words failed;
  TRY(int code, for_each_name(words, [&](const std::string& name) -> Result<std::string> {
        auto started = engine.post(fmt::format("/containers/{}/start", escape_path(name)));
        if (started) return name;
        failed.push_back(name);
        return std::unexpected(std::move(started).error());
      }));
  if (!failed.empty()) return fail(ErrorCode::io, "Error: failed to start containers: {}", fmt::join(failed, ", "));
  return code;
}

constexpr Command kAttach = command<declare_attach, attach>({
    .usage = "[OPTIONS] CONTAINER",
    .summary = "Join the stdin, stdout and stderr of a running container",
    .arity = kOneWord,
    .examples = "attach web\nattach --no-stdin web",
    .aliases = "container attach, attach",
});

constexpr Command kStart = command<declare_start, start_containers>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Start containers",
    .arity = kSomeWords,
    .examples = "start web db\nstart -ai shell",
    .aliases = "container start, start",
});

}  // namespace berth::cli
