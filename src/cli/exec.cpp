// exec: a further command in a running container.
#include "cli/exec.h"

#include <unistd.h>

#include "cli/attach_session.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

void declare(Flags& flags, ExecOptions& options) {
  flags.add("detach,d", options.detach, "Leave it running in the background");
  flags.add("interactive,i", options.interactive, "Pass stdin on");
  flags.add("tty,t", options.tty, "Give the command a terminal");
  flags.add("privileged", options.privileged, "Give the command all capabilities");
  flags.add("user,u", options.user, "Run as this user: NAME|UID[:GROUP|GID]");
  flags.add("workdir,w", options.workdir, "Start in this directory of the container");
  flags.add("env,e", options.env, "Set an environment variable: KEY=VALUE, or KEY to pass on one's own");
  flags.add("env-file", options.env_files, "Read environment variables from a file, one a line");
  flags.add("detach-keys", options.detach_keys, "The keys that leave the command without ending it")
      .defaults_to("ctrl-p,ctrl-q");
}

Result<json::Object> exec_body(const ExecOptions& options, const Words& words) {
  Strings env;
  for (const std::string& file : options.env_files) {
    TRY(Strings lines, read_env_file(file, true));
    env.insert(env.end(), lines.begin(), lines.end());
  }
  for (std::string& item : complete_env(options.env)) env.push_back(std::move(item));
  json::Object body{{"AttachStdin", options.interactive && !options.detach},
                    {"AttachStdout", !options.detach},
                    {"AttachStderr", !options.detach},
                    {"Tty", options.tty},
                    {"Cmd", json::encode(Strings(words.begin() + 1, words.end()))}};
  if (!env.empty()) body["Env"] = json::encode(env);
  if (!options.user.empty()) body["User"] = options.user;
  if (!options.workdir.empty()) body["WorkingDir"] = options.workdir;
  if (options.privileged) body["Privileged"] = true;
  if (options.detach_keys != kDefaultDetachKeys) body["DetachKeys"] = options.detach_keys;
  return body;
}

// The console size goes along, so that the terminal has it before the first program looks.
json::Object start_body(const ExecOptions& options) {
  json::Object body{{"Detach", options.detach}, {"Tty", options.tty}};
  if (options.tty)
    if (auto size = terminal_size(STDOUT_FILENO)) body["ConsoleSize"] = json::Array{size->rows, size->columns};
  return body;
}

}  // namespace

Result<int> run_exec(Context& context, const ExecOptions& options, const Words& words) {
  bool with_stdin = options.interactive && !options.detach;
  TRY(std::string keys, parse_detach_keys(options.detach_keys));
  TRY_OK(check_stdin_is_terminal(options.tty, with_stdin));
  TRY(json::Object body, exec_body(options, words));
  TRY(auto engine, context.engine());
  TRY(json::Value made, engine.post(fmt::format("/containers/{}/exec", escape_path(words[0])), body));
  std::string path = "/exec/" + json::string_or(made, "Id");
  if (options.detach) {
    TRY_OK(engine.post(path + "/start", start_body(options)));
    return 0;
  }
  SignalGuard guard(false);
  TRY(auto connection, engine.hijack(path + "/start", start_body(options)));
  PumpOptions pump_options;
  pump_options.tty = options.tty;
  pump_options.with_stdin = with_stdin;
  pump_options.detach_keys = keys;
  pump_options.on_resize = [&](TerminalSize size) {
    (void)engine.post(fmt::format("{}/resize?h={}&w={}", path, size.rows, size.columns));
  };
  Pump pump(std::move(connection), std::move(pump_options), guard);
  TRY(PumpEnd end, pump.run());
  if (end == PumpEnd::killed) return 128 + pump.kill_signal();
  if (end == PumpEnd::detached) return detached_error();
  TRY(json::Value state, engine.get(path + "/json"));
  return static_cast<int>(json::int_or(state, "ExitCode"));
}

constexpr Command kExec = command<declare, run_exec>({
    .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
    .summary = "Run a further command in a running container",
    .arity = {2, kManyWords},
    .examples = "exec web ls -l /srv\nexec -it -u root web sh",
    .aliases = "container exec, exec",
    .words_are_foreign = true,
});

}  // namespace berth::cli
