// compose up, create, start, scale: from files to running containers.
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "cli/compose_converge.h"
#include "cli/compose_follow.h"
#include "cli/compose_tasks.h"
#include "cli/compose_wait.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

using Number = std::optional<std::int64_t>;

struct CreateOptions {
  bool build = false, no_build = false, force_recreate = false, no_recreate = false, remove_orphans = false;
  bool quiet_pull = false, yes = false;
  Words scale;
  std::string pull;
};

struct UpOptions : CreateOptions {
  bool detach = false, no_deps = false, wait = false, abort_on_exit = false, abort_on_failure = false;
  bool always_recreate_deps = false, renew_volumes = false, no_start = false, no_colour = false, no_prefix = false;
  bool attach_dependencies = false, timestamps = false;
  Words attach, no_attach;
  Number timeout, wait_timeout;
  std::string exit_code_from;
};

void declare_shared(Flags& flags, CreateOptions& options) {
  flags.add("build", options.build, "Build images before the containers are made");
  flags.add("no-build", options.no_build, "Don't build, even when an image is missing");
  flags.add("force-recreate", options.force_recreate, "Make containers anew even when nothing has changed");
  flags.add("no-recreate", options.no_recreate, "Keep containers as they are, even when something has changed");
  flags.add("remove-orphans", options.remove_orphans, "Remove containers of services that are no longer in the files");
  flags.add("quiet-pull", options.quiet_pull, "Accepted for Docker's sake: pulling is told in two lines");
  flags.add("scale", options.scale, "So many containers of a service: SERVICE=NUMBER");
  flags.add("pull", options.pull, "When to pull images: always, missing, never");
  flags.add("yes,y", options.yes, "Accepted for Docker's sake: nothing is asked");
}

void declare_up(Flags& flags, UpOptions& options) {
  declare_shared(flags, options);
  flags.add("detach,d", options.detach, "Leave the containers running in the background");
  flags.add("no-deps", options.no_deps, "Leave the services alone that the named ones depend on");
  flags.add("wait", options.wait, "Wait until the services run, or are healthy; implies -d");
  flags.add("wait-timeout", options.wait_timeout, "Seconds to wait at most");
  flags.add("abort-on-container-exit", options.abort_on_exit, "Stop all containers when one ends");
  flags.add("abort-on-container-failure", options.abort_on_failure, "Stop all containers when one fails");
  flags.add("exit-code-from", options.exit_code_from, "End with the exit code of this service; implies the above");
  flags.add("timeout,t", options.timeout, "Seconds until a container that is stopped is killed");
  flags.add("always-recreate-deps", options.always_recreate_deps, "Make dependencies anew too");
  flags.add("renew-anon-volumes,V", options.renew_volumes, "Don't keep the anonymous volumes of old containers");
  flags.add("no-start", options.no_start, "Make the containers without starting them");
  flags.add("no-color", options.no_colour, "No colours");
  flags.add("no-log-prefix", options.no_prefix, "Don't print the names before the lines");
  flags.add("timestamps", options.timestamps, "Begin each line with its time");
  flags.add("attach", options.attach, "Show the output of these services only");
  flags.add("no-attach", options.no_attach, "Don't show the output of this service");
  flags.add("attach-dependencies", options.attach_dependencies, "Show the output of dependencies too");
}

Result<std::map<std::string, std::int64_t, std::less<>>> parse_scale(const compose::Project& project,
                                                                     const Words& items) {
  std::map<std::string, std::int64_t, std::less<>> scale;
  for (const std::string& item : items) {
    auto [name, text] = split_once(item, '=');
    auto number = parse_number<std::int64_t>(text.value_or(""));
    if (!number || *number < 0 || *number > 1000)
      return fail(ErrorCode::invalid, "invalid --scale option \"{}\". Should be SERVICE=NUM", item);
    TRY(const compose::Service* service, project.service(name));
    if (!service->container_name.empty() && *number > 1)
      return fail(ErrorCode::invalid,
                  "service \"{}\" has a container_name, which must be unique: it cannot have {} containers", name,
                  *number);
    scale.emplace(name, *number);
  }
  return scale;
}

Result<ConvergeOptions> converge_options(const compose::Project& project, const CreateOptions& options,
                                         const Words& services) {
  using Recreate = ConvergeOptions::Recreate;
  if (options.force_recreate && options.no_recreate)
    return fail(ErrorCode::invalid, "--force-recreate and --no-recreate are incompatible");
  if (options.build && options.no_build) return fail(ErrorCode::invalid, "--build and --no-build are incompatible");
  if (!options.pull.empty() && options.pull != "always" && options.pull != "missing" && options.pull != "never")
    return fail(ErrorCode::invalid, "invalid --pull option \"{}\": it is always, missing or never", options.pull);
  ConvergeOptions converge;
  converge.recreate = options.force_recreate ? Recreate::always
                      : options.no_recreate  ? Recreate::never
                                             : Recreate::when_changed;
  if (options.no_recreate) converge.recreate_dependencies = Recreate::never;
  converge.targets.insert(services.begin(), services.end());
  if (services.empty())
    for (const auto& [name, service] : project.services) converge.targets.insert(name);
  TRY(converge.scale, parse_scale(project, options.scale));
  return converge;
}

Result<void> treat_orphans(const ComposeSession& session, bool remove) {
  TRY(auto containers, list_containers(session.engine, session.project.name, OneOff::without));
  std::vector<ComposeContainer> orphans = orphans_of(session.project, containers);
  if (orphans.empty()) return {};
  if (!remove && environment_flag("COMPOSE_IGNORE_ORPHANS")) return {};
  if (!remove && !environment_flag("COMPOSE_REMOVE_ORPHANS")) {
    Words names;
    for (const ComposeContainer& orphan : orphans) names.push_back(orphan.name);
    print_error(fmt::format(
        "WARN[0000] Found orphan containers ([{}]) for this project. If you removed or renamed this service in your "
        "compose file, you can run this command with the --remove-orphans flag to clean it up.\n",
        join(names, " ")));
    return {};
  }
  std::vector<ComposeContainer> running = orphans;
  std::erase_if(running, [](const ComposeContainer& container) { return !container.is_running(); });
  TRY_OK(stop_containers(session.engine, running, {}));
  return remove_containers(session.engine, orphans, false);
}

// SIGINT and SIGTERM, blocked for this thread and those that it starts, and asked for between two events.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &saved_);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

  // The signal that has come, or 0.
  int take() const {
    timespec none{};
    int number = ::sigtimedwait(&signals_, nullptr, &none);
    return number > 0 ? number : 0;
  }

 private:
  sigset_t signals_;
  sigset_t saved_;
};

// The attached part of up: lines, ends, signals, until all containers have ended.
class Attached {
 public:
  Attached(const ComposeSession& session, const UpOptions& options, std::vector<ComposeContainer> containers)
      : session_(session), options_(options), containers_(std::move(containers)) {}

  Result<int> run(const std::function<bool(const ComposeContainer&)>& is_shown,
                  const std::function<Result<void>()>& start) {
    Words names;
    for (const ComposeContainer& container : containers_)
      if (is_shown(container)) names.push_back(container.short_name(session_.project.name));
    if (!names.empty()) TRY_OK(print_out(fmt::format("Attaching to {}\n", join(names, ", "))));
    bool colour = !options_.no_colour && is_terminal(STDOUT_FILENO);
    LinePrinter printer(names, {.colour = colour, .prefix = !options_.no_prefix});
    std::string since = fmt::format("{}.{:09}", now().nanoseconds / 1'000'000'000, now().nanoseconds % 1'000'000'000);
    TRY_OK(start());
    Followers followers(session_.engine, session_.project.name, printer, options_.timestamps);
    for (const ComposeContainer& container : containers_) followers.follow(container, since, !is_shown(container));
    return loop(followers, printer);
  }

 private:
  Result<int> loop(Followers& followers, LinePrinter& printer) {
    while (true) {
      Followers::Next next = followers.next(std::chrono::milliseconds(100));
      if (next.all_ended) break;
      if (next.end) TRY_OK(take_end(*next.end, printer));
      if (signals_.take() != 0) TRY_OK(take_signal());
    }
    return interrupted_ ? 130 : exit_code_;
  }

  Result<void> take_end(const Followers::End& end, LinePrinter& printer) {
    TRY_OK(printer.say(
        fmt::format("{} exited with code {}", end.container.short_name(session_.project.name), end.exit_code)));
    bool aborts = options_.abort_on_exit || (options_.abort_on_failure && end.exit_code != 0);
    if (!aborts || interrupted_) return {};
    if (options_.exit_code_from.empty() ? !stopping_ : options_.exit_code_from == end.container.service)
      exit_code_ = end.exit_code;
    if (stopping_) return {};
    TRY_OK(print_out("Aborting on container exit...\n"));
    return stop_all();
  }

  Result<void> take_signal() {
    interrupted_ = true;
    if (!stopping_) {
      TRY_OK(print_out("Gracefully stopping... (press Ctrl+C again to force)\n"));
      return stop_all();
    }
    for (const ComposeContainer& container : containers_)
      (void)session_.engine.post(fmt::format("/containers/{}/kill", escape_path(container.id)));
    return {};
  }

  // On a thread: signals and lines go on meanwhile.
  Result<void> stop_all() {
    stopping_ = true;
    stopper_ = std::jthread([this] {
      Words services;
      for (const auto& [name, service] : session_.project.services) services.push_back(name);
      (void)in_dependency_order(
          session_.project, services, Direction::dependents_first, [&](const compose::Service& service) {
            std::vector<ComposeContainer> mine = containers_;
            std::erase_if(mine, [&](const ComposeContainer& container) { return container.service != service.name; });
            return stop_containers(session_.engine, mine, options_.timeout);
          });
    });
    return {};
  }

  const ComposeSession& session_;
  const UpOptions& options_;
  std::vector<ComposeContainer> containers_;
  StopSignals signals_;
  bool interrupted_ = false, stopping_ = false;
  int exit_code_ = 0;
  std::jthread stopper_;
};

// Which containers' output is shown: of the named services (or all), less those that say no.
std::function<bool(const ComposeContainer&)> shown_containers(const ComposeSession& session, const UpOptions& options,
                                                              const Words& services) {
  Words wanted = options.attach_dependencies ? Words() : services;
  if (!options.attach.empty()) wanted = options.attach;
  return [&session, &options, wanted](const ComposeContainer& container) {
    auto contains = [&](const Words& words) { return std::ranges::find(words, container.service) != words.end(); };
    if (contains(options.no_attach)) return false;
    if (contains(options.attach)) return true;
    const compose::Service& service = session.project.services.find(container.service)->second;
    return json::bool_or(service.config, "attach", true) && (wanted.empty() || contains(wanted));
  };
}

Result<int> up(Context& context, const UpOptions& given, const Words& services) {
  UpOptions options = given;
  if (!options.exit_code_from.empty()) options.abort_on_exit = true;
  if (options.wait) options.detach = true;
  if (options.detach && (options.abort_on_exit || options.abort_on_failure))
    return fail(ErrorCode::invalid, "--abort-on-container-exit and --detach are incompatible");
  TRY(auto session, open_session(context, services));
  if (!options.exit_code_from.empty()) TRY_OK(session.project.service(options.exit_code_from));
  TRY(Words order, compose::start_order(session.project, services, !options.no_deps));
  if (order.empty()) return fail(ErrorCode::invalid, "no service selected");
  TRY(ConvergeOptions converge, converge_options(session.project, options, services));
  converge.renew_anonymous_volumes = options.renew_volumes;
  converge.stop_timeout = options.timeout;
  if (options.always_recreate_deps) converge.recreate_dependencies = ConvergeOptions::Recreate::always;
  TRY(ImageIds images,
      ensure_images(session, order, {.pull = options.pull, .build = options.build, .no_build = options.no_build}));
  TRY_OK(treat_orphans(session, options.remove_orphans));
  Converger converger(session, std::move(images), std::move(converge));
  TRY_OK(converger.create(order));
  if (options.no_start) return 0;
  auto start = [&] { return converger.start(order, !options.no_deps); };
  if (options.detach) {
    TRY_OK(start());
    std::optional<std::chrono::seconds> limit;
    if (options.wait_timeout) limit = std::chrono::seconds(*options.wait_timeout);
    if (options.wait) TRY_OK(wait_until_ready(session.engine, converger.containers(order), limit));
    return 0;
  }
  Attached attached(session, options, converger.containers(order));
  return attached.run(shown_containers(session, options, services), start);
}

Result<int> create(Context& context, const CreateOptions& options, const Words& services) {
  TRY(auto session, open_session(context, services));
  TRY(Words order, compose::start_order(session.project, services, true));
  TRY(ConvergeOptions converge, converge_options(session.project, options, services));
  TRY(ImageIds images,
      ensure_images(session, order, {.pull = options.pull, .build = options.build, .no_build = options.no_build}));
  TRY_OK(treat_orphans(session, options.remove_orphans));
  Converger converger(session, std::move(images), std::move(converge));
  TRY_OK(converger.create(order));
  return 0;
}

struct ScaleOptions {
  bool no_deps = false;
};

void declare_scale(Flags& flags, ScaleOptions& options) {
  flags.add("no-deps", options.no_deps, "Leave the services alone that the named ones depend on");
}

Result<int> scale(Context& context, const ScaleOptions& options, const Words& items) {
  Words services;
  for (const std::string& item : items) services.emplace_back(split_once(item, '=').first);
  UpOptions up_options;
  up_options.detach = true;
  up_options.no_deps = options.no_deps;
  up_options.scale = items;
  return up(context, up_options, services);
}

}  // namespace

constexpr Command kComposeUp = command<declare_up, up>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Create and start the containers of the services",
    .arity = kAnyWords,
    .examples = "compose up -d\ncompose up --build web\ncompose up -d --wait --scale web=3",
});

constexpr Command kComposeCreate = command<declare_shared, create>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Create the containers of the services without starting them",
    .arity = kAnyWords,
    .examples = "compose create",
});

constexpr Command kComposeScale = command<declare_scale, scale>({
    .usage = "[OPTIONS] SERVICE=NUMBER...",
    .summary = "Change how many containers a service has",
    .arity = kSomeWords,
    .examples = "compose scale web=3 worker=2",
});

}  // namespace berth::cli
