// compose start, stop, restart, kill, pause, unpause, rm, wait, down: what happens to containers that are there. None
// of them needs files when -p names the project.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <mutex>

#include "base/text.h"
#include "cli/compose_converge.h"
#include "cli/compose_tasks.h"
#include "cli/compose_wait.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "compose/container_request.h"

namespace berth::cli {

namespace {

using Number = std::optional<std::int64_t>;
using Containers = std::vector<ComposeContainer>;

std::string target_of(const ComposeContainer& container, std::string_view action) {
  return fmt::format("/containers/{}{}", escape_path(container.id), action);
}

// The dependencies of the files, or without files those that the containers' labels tell: by service.
compose::Project project_of(const NamedProject& named, const Containers& containers) {
  compose::Project project;
  if (named.project) project = *named.project;
  for (auto& [name, service] : project.disabled) project.services.emplace(name, service);
  for (const ComposeContainer& container : containers) {
    auto [place, added] = project.services.try_emplace(container.service);
    if (!added) continue;
    place->second.name = container.service;
    const json::Value* labels = json::find(container.summary, "Labels");
    std::string text = labels == nullptr ? "" : json::string_or(*labels, "com.docker.compose.depends_on");
    if (text.empty()) continue;
    for (const std::string& item : split(text, ','))
      place->second.depends_on.push_back({std::string(split_once(item, ':').first)});
  }
  return project;
}

// One request to each container of the services, in the order of dependencies, with the words of the step.
struct Action {
  std::string_view path;  // "/stop?t=10"
  std::string_view doing, done;
  Direction direction;
  std::function<bool(const ComposeContainer&)> concerns;
};

Result<void> act_on_services(const NamedProject& named, const Containers& containers, const Action& action) {
  compose::Project project = project_of(named, containers);
  Words services;
  for (const ComposeContainer& container : containers)
    if (std::ranges::find(services, container.service) == services.end()) services.push_back(container.service);
  return in_dependency_order(project, services, action.direction, [&](const compose::Service& service) {
    Containers mine = containers;
    std::erase_if(mine, [&](const ComposeContainer& c) { return c.service != service.name || !action.concerns(c); });
    return for_each_together(mine, [&](const ComposeContainer& container) -> Result<void> {
      print_step("Container", container.name, action.doing);
      TRY_OK(named.engine.post(target_of(container, action.path)));
      print_step("Container", container.name, action.done);
      return {};
    });
  });
}

struct Found {
  NamedProject named;
  Containers containers;
};

Result<Found> find_containers(const Context& context, const Words& services, OneOff which = OneOff::without) {
  TRY(auto named, open_named(context));
  TRY(auto all, list_containers(named.engine, named.name, which));
  TRY_OK(check_services(named, all, services));
  std::erase_if(all, [&](const ComposeContainer& container) {
    return !services.empty() && std::ranges::find(services, container.service) == services.end();
  });
  return Found{std::move(named), std::move(all)};
}

bool is_running(const ComposeContainer& container) { return container.is_running(); }

Result<int> start(Context& context, const NoOptions&, const Words& services) {
  TRY(auto found, find_containers(context, services));
  for (const std::string& service : services)
    if (std::ranges::find(found.containers, service, &ComposeContainer::service) == found.containers.end())
      return fail(ErrorCode::not_found, "service \"{}\" has no container to start", service);
  if (found.containers.empty())
    return fail(ErrorCode::not_found, "no containers found for project \"{}\": not found", found.named.name);
  // Waiting for conditions needs what the files say.
  compose::Project project = project_of(found.named, found.containers);
  Words names;
  for (const ComposeContainer& container : found.containers)
    if (names.empty() || names.back() != container.service) names.push_back(container.service);
  TRY_OK(in_dependency_order(
      project, names, Direction::dependencies_first, [&](const compose::Service& service) -> Result<void> {
        Containers mine = found.containers;
        std::erase_if(mine, [&](const ComposeContainer& c) { return c.service != service.name || c.is_running(); });
        if (mine.empty()) return {};
        for (const compose::Dependency& dependency : service.depends_on)
          TRY_OK(wait_for_dependency(found.named.engine, found.named.name, dependency));
        return for_each_together(mine, [&](const ComposeContainer& container) -> Result<void> {
          print_step("Container", container.name, "Starting");
          TRY_OK(found.named.engine.post(target_of(container, "/start")));
          print_step("Container", container.name, "Started");
          return {};
        });
      }));
  return 0;
}

struct TimeoutOptions {
  Number timeout;
};

void declare_timeout(Flags& flags, TimeoutOptions& options) {
  flags.add("timeout,t", options.timeout, "Seconds until a container that does not end is killed");
}

std::string with_timeout(std::string_view path, Number timeout) {
  return std::string(path) + query({{"t", timeout ? std::to_string(*timeout) : ""}});
}

Result<int> stop(Context& context, const TimeoutOptions& options, const Words& services) {
  TRY(auto found, find_containers(context, services));
  std::string path = with_timeout("/stop", options.timeout);
  TRY_OK(act_on_services(found.named, found.containers,
                         {path, "Stopping", "Stopped", Direction::dependents_first, is_running}));
  return 0;
}

struct RestartOptions : TimeoutOptions {
  bool no_deps = false;
};

void declare_restart(Flags& flags, RestartOptions& options) {
  declare_timeout(flags, options);
  flags.add("no-deps", options.no_deps, "Don't restart the services that depend on the named ones");
}

Result<int> restart(Context& context, const RestartOptions& options, const Words& services) {
  TRY(auto found, find_containers(context, {}));
  TRY_OK(check_services(found.named, found.containers, services));
  Words wanted = services;
  if (!options.no_deps && found.named.project)
    for (const auto& [name, service] : found.named.project->services)
      for (const compose::Dependency& dependency : service.depends_on)
        if (dependency.restart && std::ranges::find(services, dependency.service) != services.end())
          wanted.push_back(name);
  std::erase_if(found.containers, [&](const ComposeContainer& container) {
    return !wanted.empty() && std::ranges::find(wanted, container.service) == wanted.end();
  });
  std::string path = with_timeout("/restart", options.timeout);
  auto all = [](const ComposeContainer&) { return true; };
  TRY_OK(act_on_services(found.named, found.containers,
                         {path, "Restarting", "Started", Direction::dependencies_first, all}));
  return 0;
}

struct KillOptions {
  std::string signal = "SIGKILL";
  bool remove_orphans = false;
};

void declare_kill(Flags& flags, KillOptions& options) {
  flags.add("signal,s", options.signal, "The signal to send").defaults_to("SIGKILL");
  flags.add("remove-orphans", options.remove_orphans, "Containers of services that are no longer in the files too");
}

Result<int> kill(Context& context, const KillOptions& options, const Words& services) {
  TRY(auto found, find_containers(context, services));
  if (services.empty() && !options.remove_orphans && found.named.project) {
    Containers orphans = orphans_of(*found.named.project, found.containers);
    std::erase_if(found.containers, [&](const ComposeContainer& container) {
      return std::ranges::find(orphans, container.id, &ComposeContainer::id) != orphans.end();
    });
  }
  std::string path = "/kill" + query({{"signal", options.signal}});
  TRY_OK(act_on_services(found.named, found.containers,
                         {path, "Killing", "Killed", Direction::dependents_first, is_running}));
  return 0;
}

Result<int> pause(Context& context, const NoOptions&, const Words& services) {
  TRY(auto found, find_containers(context, services));
  auto running = [](const ComposeContainer& container) { return container.state == "running"; };
  TRY_OK(act_on_services(found.named, found.containers,
                         {"/pause", "Pausing", "Paused", Direction::dependents_first, running}));
  return 0;
}

Result<int> unpause(Context& context, const NoOptions&, const Words& services) {
  TRY(auto found, find_containers(context, services));
  auto paused = [](const ComposeContainer& container) { return container.state == "paused"; };
  TRY_OK(act_on_services(found.named, found.containers,
                         {"/unpause", "Unpausing", "Unpaused", Direction::dependencies_first, paused}));
  return 0;
}

struct RemoveOptions {
  bool force = false, stop = false, volumes = false;
};

void declare_remove(Flags& flags, RemoveOptions& options) {
  flags.add("force,f", options.force, "Don't ask");
  flags.add("stop,s", options.stop, "Stop running containers first");
  flags.add("volumes,v", options.volumes, "Remove anonymous volumes of the containers too");
}

// "y" typed on the terminal. Without a terminal nobody is asked, and the answer is no.
bool is_confirmed(const Containers& containers) {
  Words names;
  for (const ComposeContainer& container : containers) names.push_back(container.name);
  print_error(fmt::format("? Going to remove {} (y/N) ", fmt::join(names, ", ")));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<int> remove(Context& context, const RemoveOptions& options, const Words& services) {
  TRY(auto found, find_containers(context, services, OneOff::with));
  if (options.stop) {
    Containers running = found.containers;
    std::erase_if(running, [](const ComposeContainer& container) { return !container.is_running(); });
    TRY_OK(stop_containers(found.named.engine, running, {}));
  } else {
    std::erase_if(found.containers, is_running);
  }
  if (found.containers.empty()) {
    print_error("No stopped containers\n");
    return 0;
  }
  if (!options.force && !is_confirmed(found.containers)) return 1;
  TRY_OK(remove_containers(found.named.engine, found.containers, options.volumes));
  return 0;
}

struct WaitOptions {
  bool down = false;
};

void declare_wait(Flags& flags, WaitOptions& options) {
  flags.add("down-project", options.down, "Stop the project's containers when the first has ended");
}

Result<int> wait(Context& context, const WaitOptions& options, const Words& services) {
  TRY(auto found, find_containers(context, services));
  if (found.containers.empty()) return fail(ErrorCode::not_found, "no containers for project \"{}\"", found.named.name);
  std::mutex mutex;
  int last = 0;
  bool first = true;
  TRY_OK(for_each_together(found.containers, [&](const ComposeContainer& container) -> Result<void> {
    TRY(int code, wait_for_end(found.named.engine, container.id));
    {
      std::lock_guard lock(mutex);
      TRY_OK(print_out(fmt::format("container \"{}\" exited with status code {}\n", container.id, code)));
      last = code;
      if (!options.down || !std::exchange(first, false)) return {};
    }
    TRY(auto all, list_containers(found.named.engine, found.named.name, OneOff::without));
    return stop_containers(found.named.engine, all, {});
  }));
  return last;
}

struct DownOptions : TimeoutOptions {
  bool volumes = false, remove_orphans = false;
  std::string rmi;
};

void declare_down(Flags& flags, DownOptions& options) {
  declare_timeout(flags, options);
  flags.add("volumes,v", options.volumes, "Remove the volumes that the files declare, and anonymous ones");
  flags.add("remove-orphans", options.remove_orphans, "Remove containers of services that are no longer in the files");
  flags.add("rmi", options.rmi,
            "Remove the images of the services: all, or local for those without a name of their own");
}

// Names of what the project made of one kind: networks or volumes, by the label.
Result<Words> names_by_label(const EngineClient& engine, std::string_view kind, const std::string& project) {
  TRY(json::Value answer,
      engine.get(fmt::format("/{}", kind) +
                 query({{"filters", encode_filters({fmt::format("label={}={}", compose::kProjectLabel, project)})}})));
  const json::Value* list = answer.is_array() ? &answer : json::find(answer, "Volumes");
  Words names;
  if (list != nullptr && list->is_array())
    for (const json::Value& item : list->get_array()) names.push_back(json::string_or(item, "Name"));
  return names;
}

Result<void> remove_named(const EngineClient& engine, std::string_view kind, const Words& names) {
  std::string_view path = kind == "Network" ? "networks" : "volumes";
  return for_each_together(names, [&](const std::string& name) -> Result<void> {
    print_step(kind, name, "Removing");
    auto removed = engine.remove(fmt::format("/{}/{}", path, escape_path(name)));
    if (removed) {
      print_step(kind, name, "Removed");
    } else if (removed.error().code() == ErrorCode::denied || removed.error().code() == ErrorCode::conflict ||
               removed.error().text().contains("active endpoints") || removed.error().text().contains("in use")) {
      // Somebody else uses it: it is theirs now, too.
      print_step(kind, name, "Resource is still in use");
    } else if (removed.error().code() != ErrorCode::not_found) {
      return std::unexpected(std::move(removed).error());
    }
    return {};
  });
}

Result<void> remove_images(const NamedProject& named, const std::string& which) {
  if (!named.project) return {};
  std::set<std::string> images;
  for (const auto& [name, service] : named.project->services) {
    bool named_by_us = json::string_or(service.config, "image").empty();
    if (which == "all" || (which == "local" && named_by_us)) images.insert(service.image);
  }
  for (const std::string& image : images) {
    print_step("Image", image, "Removing");
    auto removed = named.engine.remove(fmt::format("/images/{}", escape_path(image)));
    if (removed)
      print_step("Image", image, "Removed");
    else if (removed.error().code() == ErrorCode::conflict)
      print_step("Image", image, "Resource is still in use");
    else if (removed.error().code() != ErrorCode::not_found)
      return std::unexpected(std::move(removed).error());
  }
  return {};
}

Result<int> down(Context& context, const DownOptions& options, const Words& services) {
  if (!options.rmi.empty() && options.rmi != "all" && options.rmi != "local")
    return fail(ErrorCode::invalid, "invalid value for --rmi: \"{}\": it is all or local", options.rmi);
  TRY(auto found, find_containers(context, services, OneOff::with));
  const EngineClient& engine = found.named.engine;
  Containers containers = found.containers;
  if (found.named.project && !options.remove_orphans && !environment_flag("COMPOSE_REMOVE_ORPHANS")) {
    Containers orphans = orphans_of(*found.named.project, containers);
    std::erase_if(containers, [&](const ComposeContainer& container) {
      return std::ranges::find(orphans, container.id, &ComposeContainer::id) != orphans.end();
    });
  }
  std::string path = with_timeout("/stop", options.timeout);
  TRY_OK(
      act_on_services(found.named, containers, {path, "Stopping", "Stopped", Direction::dependents_first, is_running}));
  TRY_OK(remove_containers(engine, containers, options.volumes));
  if (!options.rmi.empty()) TRY_OK(remove_images(found.named, options.rmi));
  if (!services.empty()) return 0;
  TRY(Words networks, names_by_label(engine, "networks", found.named.name));
  TRY_OK(remove_named(engine, "Network", networks));
  if (options.volumes) {
    TRY(Words volumes, names_by_label(engine, "volumes", found.named.name));
    TRY_OK(remove_named(engine, "Volume", volumes));
  }
  if (containers.empty() && networks.empty())
    print_error(fmt::format("WARN[0000] No resource found to remove for project \"{}\".\n", found.named.name));
  return 0;
}

}  // namespace

constexpr Command kComposeStart = command<declare_nothing, start>({
    .usage = "[SERVICE...]",
    .summary = "Start containers that are there",
    .arity = kAnyWords,
    .examples = "compose start web",
});

constexpr Command kComposeStop = command<declare_timeout, stop>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Stop containers, keeping them",
    .arity = kAnyWords,
    .examples = "compose stop\ncompose stop -t 1 web",
});

constexpr Command kComposeRestart = command<declare_restart, restart>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Restart containers",
    .arity = kAnyWords,
    .examples = "compose restart web",
});

constexpr Command kComposeKill = command<declare_kill, kill>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Send a signal to containers",
    .arity = kAnyWords,
    .examples = "compose kill -s SIGHUP web",
});

constexpr Command kComposePause = command<declare_nothing, pause>({
    .usage = "[SERVICE...]",
    .summary = "Freeze containers",
    .arity = kAnyWords,
    .examples = "compose pause web",
});

constexpr Command kComposeUnpause = command<declare_nothing, unpause>({
    .usage = "[SERVICE...]",
    .summary = "Let frozen containers go on",
    .arity = kAnyWords,
    .examples = "compose unpause web",
});

constexpr Command kComposeRemove = command<declare_remove, remove>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Remove stopped containers",
    .arity = kAnyWords,
    .examples = "compose rm -f\ncompose rm -sfv web",
});

constexpr Command kComposeWait = command<declare_wait, wait>({
    .usage = "[OPTIONS] SERVICE [SERVICE...]",
    .summary = "Wait until containers end, and print their exit codes",
    .arity = kSomeWords,
    .examples = "compose wait job",
});

constexpr Command kComposeDown = command<declare_down, down>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Stop and remove what `up` made: containers, networks, and if wanted volumes and images",
    .arity = kAnyWords,
    .examples = "compose down\ncompose down -v --remove-orphans",
});

}  // namespace berth::cli
