// compose run, exec, cp: a command beside a service's own, and files to and from its containers.
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "cli/attach_session.h"
#include "cli/compose_converge.h"
#include "cli/compose_wait.h"
#include "cli/container_config.h"
#include "cli/copy.h"
#include "cli/copy_paths.h"
#include "cli/exec.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "compose/words.h"

namespace berth::cli {

namespace {

struct ComposeExecOptions : ExecOptions {
  bool no_tty = false, ask_stdin = true;
  std::optional<std::int64_t> index;
};

void declare_exec(Flags& flags, ComposeExecOptions& options) {
  flags.add("detach,d", options.detach, "Leave it running in the background");
  flags.add("env,e", options.env, "Set an environment variable: KEY=VALUE");
  flags.add("index", options.index, "Which of the service's containers");
  flags.add("interactive,i", options.ask_stdin, "Pass stdin on").defaults_to("true");
  flags.add("no-tty,T", options.no_tty, "Give the command no terminal");
  flags.add("tty,t", options.tty, "Accepted for Docker's sake: a terminal is given where there is one");
  flags.add("privileged", options.privileged, "Give the command all capabilities");
  flags.add("user,u", options.user, "Run as this user");
  flags.add("workdir,w", options.workdir, "Start in this directory of the container");
}

bool on_terminal() { return is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO); }

Result<int> exec(Context& context, const ComposeExecOptions& given, const Words& words) {
  TRY(auto named, open_named(context));
  TRY(ComposeContainer container, find_container(named, words[0], given.index.value_or(0)));
  ExecOptions options = given;
  options.tty = !given.no_tty && !given.detach && on_terminal();
  options.interactive = given.ask_stdin;
  Words command = words;
  command[0] = container.id;
  return run_exec(context, options, command);
}

struct ComposeCopyOptions : CopyOptions {
  std::optional<std::int64_t> index;
  bool all = false;
};

void declare_compose_copy(Flags& flags, ComposeCopyOptions& options) {
  declare_copy(flags, options);
  flags.add("index", options.index, "Which of the service's containers");
  flags.add("all", options.all, "To every container of the service");
}

Result<int> compose_copy(Context& context, const ComposeCopyOptions& options, const Words& words) {
  CopyPlace source = parse_place(words[0]), target = parse_place(words[1]);
  bool out = !source.container.empty();
  const std::string& service = out ? source.container : target.container;
  if (service.empty()) return fail(ErrorCode::invalid, "unknown copy direction");
  TRY(auto named, open_named(context));
  std::vector<ComposeContainer> containers;
  if (options.all && !out) {
    TRY(containers, list_containers(named.engine, named.name, OneOff::without, {service}));
  } else {
    TRY(auto all, list_containers(named.engine, named.name, OneOff::without, {service}));
    TRY_OK(check_services(named, all, {service}));
    for (ComposeContainer& container : all)
      if (containers.empty() && (!options.index || container.number == *options.index))
        containers.push_back(std::move(container));
  }
  if (containers.empty()) return fail(ErrorCode::not_found, "no container found for service \"{}\"", service);
  for (const ComposeContainer& container : containers) {
    Words places = words;
    (out ? places[0] : places[1]) = fmt::format("{}:{}", container.id, out ? source.path : target.path);
    TRY_OK(copy(context, options, places));
  }
  return 0;
}

struct RunOptions {
  bool detach = false, remove = false, service_ports = false, no_deps = false, no_tty = false, build = false;
  bool use_aliases = false, quiet_pull = false, ask_stdin = true, remove_orphans = false;
  Words env, labels, publish, volumes, cap_add, cap_drop;
  std::optional<std::string> entrypoint;
  std::string name, user, workdir, pull;
};

void declare_run(Flags& flags, RunOptions& options) {
  flags.add("build", options.build, "Build the image first");
  flags.add("cap-add", options.cap_add, "Add a capability");
  flags.add("cap-drop", options.cap_drop, "Drop a capability");
  flags.add("detach,d", options.detach, "Leave it running in the background and print its name");
  flags.add("entrypoint", options.entrypoint, "Another entry point than the service's");
  flags.add("env,e", options.env, "Set an environment variable: KEY=VALUE");
  flags.add("interactive,i", options.ask_stdin, "Pass stdin on").defaults_to("true");
  flags.add("label,l", options.labels, "Add a label: KEY=VALUE");
  flags.add("name", options.name, "The container's name");
  flags.add("no-TTY,T", options.no_tty, "Give the command no terminal");
  flags.add("no-deps", options.no_deps, "Don't start the services that this one depends on");
  flags.add("publish,p", options.publish, "Publish a port: [[IP:]HOST_PORT:]PORT");
  flags.add("pull", options.pull, "When to pull images: always, missing, never");
  flags.add("quiet-pull", options.quiet_pull, "Accepted for Docker's sake: pulling is told in two lines");
  flags.add("remove-orphans", options.remove_orphans, "Accepted for Docker's sake: `up --remove-orphans` does it");
  flags.add("rm", options.remove, "Remove the container when it has ended");
  flags.add("service-ports,P", options.service_ports, "Publish the service's ports");
  flags.add("use-aliases", options.use_aliases, "Answer to the service's names on its networks");
  flags.add("user,u", options.user, "Run as this user");
  flags.add("volume,v", options.volumes, "Mount: SOURCE:TARGET[:OPTIONS]");
  flags.add("workdir,w", options.workdir, "Start in this directory of the container");
}

void append_texts(json::Object& object, std::string_view key, const Words& texts) {
  if (texts.empty()) return;
  json::Value& list = object[key];
  if (!list.is_array()) list.emplace_array();
  for (const std::string& text : texts) list.get_array().push_back(boost::json::string(text));
}

// Those of the service with those of -e over them.
void set_env(json::Object& body, const Words& items) {
  json::Array env;
  auto name_of = [](std::string_view item) { return split_once(item, '=').first; };
  if (json::Value* old = body.if_contains("Env"))
    for (const json::Value& item : old->get_array()) {
      std::string_view text(item.get_string());
      bool replaced = false;
      for (const std::string& other : items) replaced |= name_of(other) == name_of(text);
      if (!replaced) env.push_back(item);
    }
  for (const std::string& item : items) env.push_back(boost::json::string(item));
  if (!env.empty()) body["Env"] = std::move(env);
}

// The engine knows nothing of this process's directory.
Words absolute_binds(const Words& volumes) {
  Words binds;
  for (const std::string& volume : volumes) {
    auto [source, rest] = split_once(volume, ':');
    bool relative = rest && (source.starts_with("./") || source.starts_with("../") || source == ".");
    binds.push_back(
        relative ? fmt::format("{}:{}", std::filesystem::absolute(source).lexically_normal().string(), *rest) : volume);
  }
  return binds;
}

// What the flags say over what the files say of the service.
Result<void> adjust_body(json::Object& body, const RunOptions& options, const Words& words, bool tty) {
  json::Object& host = body["HostConfig"].get_object();
  if (words.size() > 1) body["Cmd"] = json::encode(Words(words.begin() + 1, words.end()));
  if (options.entrypoint) {
    TRY(Words entrypoint, compose::split_words(*options.entrypoint));
    body["Entrypoint"] = json::encode(entrypoint);
    if (words.size() == 1) body["Cmd"] = json::Array{};
  }
  if (!options.user.empty()) body["User"] = options.user;
  if (!options.workdir.empty()) body["WorkingDir"] = options.workdir;
  set_env(body, complete_env(options.env));
  for (const std::string& label : options.labels) {
    auto [name, value] = split_once(label, '=');
    body["Labels"].get_object()[name] = value.value_or("");
  }
  append_texts(host, "CapAdd", options.cap_add);
  append_texts(host, "CapDrop", options.cap_drop);
  append_texts(host, "Binds", absolute_binds(options.volumes));
  if (!options.service_ports) host.erase("PortBindings");
  json::Object bindings, exposed;
  for (const std::string& port : options.publish) TRY_OK(parse_publish(port, bindings, exposed));
  if (!bindings.empty()) host["PortBindings"] = std::move(bindings);
  if (!exposed.empty()) body["ExposedPorts"] = std::move(exposed);
  bool with_stdin = options.ask_stdin && !options.detach;
  body["Tty"] = tty;
  body["OpenStdin"] = with_stdin;
  body["StdinOnce"] = with_stdin;
  body["AttachStdin"] = with_stdin;
  body["AttachStdout"] = !options.detach;
  body["AttachStderr"] = !options.detach;
  return {};
}

Result<int> run_attached(const EngineClient& engine, const std::string& id, const RunOptions& options, bool tty) {
  SessionOptions session_options{.container = id,
                                 .tty = tty,
                                 .streams = {options.ask_stdin, true, true},
                                 .forward_signals = true,
                                 .wait_condition = "next-exit"};
  TRY(auto attached, AttachSession::open(engine, std::move(session_options)));
  TRY_OK(engine.post(fmt::format("/containers/{}/start", id)));
  TRY(int code, attached.run());
  return code == kDetached ? 0 : code;
}

Result<int> run(Context& context, const RunOptions& options, const Words& words) {
  TRY(auto session, open_session(context, {words[0]}));
  TRY(Words order, compose::start_order(session.project, {words[0]}, true));
  TRY(ImageIds images, ensure_images(session, options.no_deps ? Words{words[0]} : order,
                                     {.pull = options.pull, .build = options.build}));
  const compose::Service& service = session.project.services.find(words[0])->second;
  Words dependencies = order;
  std::erase(dependencies, words[0]);
  if (options.no_deps) dependencies.clear();
  Converger converger(session, std::move(images), {});
  TRY_OK(converger.create(dependencies, {words[0]}));
  TRY_OK(converger.start(dependencies, true));
  if (!options.no_deps)
    for (const compose::Dependency& dependency : service.depends_on)
      TRY_OK(wait_for_dependency(session.engine, session.project.name, dependency));
  bool tty = !options.no_tty && !options.detach && on_terminal();
  std::string name = options.name.empty()
                         ? fmt::format("{}-{}-run-{}", session.project.name, service.name, random_hex(6))
                         : options.name;
  TRY(std::string id, converger.create_one_off(service, name, options.use_aliases, [&](json::Object& body) {
    return adjust_body(body, options, words, tty);
  }));
  if (options.detach) {
    TRY_OK(session.engine.post(fmt::format("/containers/{}/start", id)));
    TRY_OK(print_out(name + "\n"));
    return 0;
  }
  auto code = run_attached(session.engine, id, options, tty);
  if (options.remove) TRY_OK(session.engine.remove(fmt::format("/containers/{}?force=1&v=1", id)));
  return code;
}

}  // namespace

constexpr Command kComposeExec = command<declare_exec, exec>({
    .usage = "[OPTIONS] SERVICE COMMAND [ARG...]",
    .summary = "Run a further command in a container of a service",
    .arity = {2, kManyWords},
    .examples = "compose exec web sh\ncompose exec -T -u root db ls /",
    .words_are_foreign = true,
});

constexpr Command kComposeRun = command<declare_run, run>({
    .usage = "[OPTIONS] SERVICE [COMMAND] [ARG...]",
    .summary = "Run a command in a new container of a service",
    .arity = kSomeWords,
    .examples = "compose run --rm web sh\ncompose run -d --service-ports web",
    .words_are_foreign = true,
});

constexpr Command kComposeCopy = command<declare_compose_copy, compose_copy>({
    .usage = "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
    .summary = "Copy files between a service's container and this machine",
    .arity = kTwoWords,
    .examples = "compose cp web:/etc/hosts .\ncompose cp site/. web:/srv",
});

}  // namespace berth::cli
