#include "workspace/workspaces.h"

#include <algorithm>
#include <set>

#include "base/crash_point.h"
#include "base/log.h"
#include "oci/reference.h"
#include "workspace/name.h"

namespace berth::workspace {

namespace {

// No workspace has a container of this name: theirs begin with "ws-".
std::string announcement_name(std::string_view name) { return fmt::format("wsnext-{}", name); }

std::unexpected<Problem> no_such(std::string_view name) {
  return refuse(ErrorCode::not_found, "no_such_workspace", fmt::format("There is no workspace {}.", name),
                "`berth ls` shows those that there are");
}

std::unexpected<Problem> taken(std::string message) {
  return refuse(ErrorCode::conflict, "name_taken", std::move(message),
                "choose another name, or give only keys that it was made with");
}

std::string state_of(std::string_view engine_state) {
  if (engine_state == "running" || engine_state == "paused") return std::string(engine_state);
  return "stopped";
}

Outcome<Status> status_of(const ContainerView& view) {
  TRY(auto spec, spec_of(view.labels));
  return Status{std::move(spec), state_of(view.state), view.created, view.connections, view.last_used};
}

Outcome<> check_resources(std::int64_t memory, std::int64_t nano_cpus) {
  if (memory < kLeastMemory)
    return refuse(ErrorCode::invalid, "bad_request", "A workspace needs at least 16 MiB of memory.");
  if (nano_cpus < 0) return refuse(ErrorCode::invalid, "bad_request", "The number of processors is negative.");
  return {};
}

Outcome<> check_image(const std::string& image) {
  auto reference = oci::Reference::parse(image);
  if (reference) return {};
  return refuse(ErrorCode::invalid, "unknown_image", fmt::format("{}.", reference.error().text()),
                "an image is written as in debian:bookworm or registry.example.org/team/image:tag");
}

bool port_was_taken(const Problem& problem) {
  std::string text = problem.error().text();
  return text.find("port is already allocated") != std::string::npos;
}

}  // namespace

Workspaces::Workspaces(async::Loop& loop, EngineClient& engine, Settings settings)
    : engine_(engine), settings_(std::move(settings)), changes_(loop) {}

async::Task<Outcome<Status>> Workspaces::find(std::string name) {
  CO_TRY_OK(check_name(name));
  CO_TRY(auto view, co_await engine_.inspect(container_name(name)));
  // Between the old container and the new one there is only the announcement.
  if (!view) {
    CO_TRY(view, co_await engine_.inspect(announcement_name(name)));
  }
  if (!view || !view->labels.contains(std::string(kSpecLabel))) co_return no_such(name);
  co_return status_of(*view);
}

async::Task<Outcome<std::vector<Status>>> Workspaces::list() {
  // Announcements have the label too. They come last, and count where their workspace is between two containers.
  CO_TRY(auto views, co_await engine_.list(std::string(kSpecLabel)));
  std::ranges::partition(views, [](auto& view) { return view.labels.contains(std::string(kNameLabel)); });
  std::vector<Status> found;
  for (const ContainerView& view : views) {
    auto status = status_of(view);
    if (!status) {
      log::warning("workspace skipped", {{"reason", status.error().error().text()}});
      continue;
    }
    auto is_same = [&](const Status& other) { return other.spec.name == status->spec.name; };
    if (std::ranges::any_of(found, is_same)) continue;
    found.push_back(*std::move(status));
  }
  std::ranges::sort(found, {}, [](const Status& status) -> const std::string& { return status.spec.name; });
  co_return found;
}

async::Task<Outcome<Spec>> Workspaces::plan(CreateRequest request) {
  Spec spec;
  spec.name = std::move(request.name);
  spec.image = request.image.empty() ? settings_.default_image : std::move(request.image);
  spec.memory = request.memory == 0 ? settings_.default_memory : request.memory;
  spec.nano_cpus = request.nano_cpus;
  CO_TRY_OK(check_name(spec.name));
  CO_TRY(spec.keys, parse_keys(request.keys));
  CO_TRY_OK(check_image(spec.image));
  CO_TRY_OK(check_resources(spec.memory, spec.nano_cpus));
  co_return spec;
}

async::Task<Outcome<std::vector<std::string>>> Workspaces::ensure_volumes(Spec spec) {
  std::vector<std::string> volumes{home_volume(spec.name), state_volume(spec.name)};
  std::vector<std::string> made;
  for (const std::string& volume : volumes) {
    CO_TRY(auto labels, co_await engine_.inspect_volume(volume));
    if (!labels) continue;
    auto owner = labels->find(std::string(kKeysLabel));
    if (owner == labels->end()) co_return taken(fmt::format("There is a volume {} that is not a workspace's.", volume));
    CO_TRY(auto keys, parse_keys(owner->second));
    if (!all_among(spec.keys, keys))
      co_return taken(fmt::format("The data of a former workspace {} is kept, and has other keys.", spec.name));
  }
  for (const std::string& volume : volumes) {
    CO_TRY(auto labels, co_await engine_.inspect_volume(volume));
    if (labels) continue;
    auto result = co_await engine_.create_volume(volume, volume_labels(spec));
    if (!result) {
      co_await remove_volumes(made);
      co_return std::unexpected(std::move(result).error());
    }
    crash_point("workspace.volume-made");
    made.push_back(volume);
  }
  co_return made;
}

async::Task<> Workspaces::remove_volumes(std::vector<std::string> volumes) {
  for (const std::string& volume : volumes) {
    auto result = co_await engine_.remove_volume(volume);
    if (!result) log::warning("volume not removed", {{"volume", volume}, {"error", result.error().error().text()}});
  }
}

async::Task<Outcome<>> Workspaces::create_container(Spec spec) {
  CO_TRY(std::string image_date, co_await engine_.image_date(spec.image));
  co_return co_await engine_.create(container_name(spec.name), container_body(spec, settings_, image_date));
}

async::Task<Outcome<Created>> Workspaces::create(CreateRequest request) {
  CO_TRY(Spec spec, co_await plan(std::move(request)));
  auto lock = co_await changes_.lock();
  CO_TRY_OK(co_await finish_replacement(spec.name));
  CO_TRY(auto existing, co_await engine_.inspect(container_name(spec.name)));
  if (existing) {
    CO_TRY(auto status, status_of(*existing));
    if (!all_among(spec.keys, status.spec.keys))
      co_return taken(fmt::format("The name {} is taken by a workspace with other keys.", spec.name));
    co_return Created{std::move(status), true};
  }
  CO_TRY(auto others, co_await list());
  std::set<int> numbers;
  for (const Status& other : others) numbers.insert(other.spec.number);
  CO_TRY(auto made, co_await ensure_volumes(spec));
  crash_point("workspace.volumes-made");
  Outcome<> result;
  do {
    auto is_free = [this](std::uint16_t port) { return is_port_free(settings_.listen_address, port); };
    auto number = choose_number(settings_.port_base, numbers, is_free);
    if (!number) {
      result = std::unexpected(std::move(number).error());
      break;
    }
    spec.number = *number;
    numbers.insert(spec.number);
    result = co_await create_container(spec);
    // Somebody else may have taken the port since: then the next number.
  } while (!result && port_was_taken(result.error()));
  if (!result) {
    co_await remove_volumes(std::move(made));
    co_return std::unexpected(std::move(result).error());
  }
  crash_point("workspace.created");
  log::info("workspace created", {{"workspace", spec.name}, {"image", spec.image}, {"number", spec.number}});
  CO_TRY(auto status, co_await find(spec.name));
  co_return Created{std::move(status), false};
}

async::Task<Outcome<Status>> Workspaces::start(std::string name) {
  CO_TRY(auto status, co_await find(name));
  CO_TRY_OK(co_await engine_.start(container_name(status.spec.name)));
  co_return co_await find(name);
}

async::Task<Outcome<Status>> Workspaces::stop(std::string name) {
  CO_TRY(auto status, co_await find(name));
  CO_TRY_OK(co_await engine_.stop(container_name(status.spec.name)));
  co_return co_await find(name);
}

// The new spec is first written down as a container that never runs. Then the old container goes, the new one comes and
// the announcement goes; whoever finds an announcement goes on from there.
async::Task<Outcome<Status>> Workspaces::replace(std::string name, Change change) {
  auto lock = co_await changes_.lock();
  CO_TRY_OK(check_name(name));
  CO_TRY_OK(co_await finish_replacement(name));
  CO_TRY(auto status, co_await find(name));
  Spec spec = status.spec;
  if (!change.image.empty()) spec.image = change.image;
  spec.memory = change.memory.value_or(spec.memory);
  spec.nano_cpus = change.nano_cpus.value_or(spec.nano_cpus);
  CO_TRY_OK(check_image(spec.image));
  CO_TRY_OK(check_resources(spec.memory, spec.nano_cpus));
  CO_TRY_OK(co_await engine_.create(announcement_name(name), announcement_body(spec)));
  crash_point("workspace.announced");
  // From here on the replacement is decided, even if the spec is the old one: a fresh container is what was asked for.
  CO_TRY_OK(co_await engine_.remove(container_name(name)));
  crash_point("workspace.old-removed");
  CO_TRY_OK(co_await finish_replacement(name));
  log::info("workspace replaced", {{"workspace", name}, {"image", spec.image}});
  co_return co_await find(name);
}

async::Task<Outcome<>> Workspaces::finish_replacement(std::string name) {
  CO_TRY(auto announcement, co_await engine_.inspect(announcement_name(name)));
  if (!announcement) co_return Outcome<>();
  CO_TRY(auto spec, spec_of(announcement->labels));
  CO_TRY(auto current, co_await engine_.inspect(container_name(name)));
  bool is_new = false;
  if (current) {
    is_new = current->created > announcement->created;
    if (!is_new) CO_TRY_OK(co_await engine_.remove(container_name(name)));
  }
  if (!is_new) CO_TRY_OK(co_await create_container(spec));
  crash_point("workspace.new-created");
  CO_TRY_OK(co_await engine_.remove(announcement_name(name)));
  crash_point("workspace.replaced");
  co_return Outcome<>();
}

async::Task<Outcome<>> Workspaces::recover() {
  auto lock = co_await changes_.lock();
  CO_TRY(auto announcements, co_await engine_.list(std::string(kNextLabel)));
  for (const ContainerView& announcement : announcements) {
    std::string name = announcement.labels.at(std::string(kNextLabel));
    auto result = co_await finish_replacement(name);
    if (!result)
      log::warning("replacement not finished", {{"workspace", name}, {"error", result.error().error().text()}});
  }
  co_return Outcome<>();
}

async::Task<Outcome<>> Workspaces::remove(std::string name, bool with_data) {
  CO_TRY_OK(check_name(name));
  auto lock = co_await changes_.lock();
  CO_TRY(auto view, co_await engine_.inspect(container_name(name)));
  if (view && !view->labels.contains(std::string(kNameLabel))) co_return no_such(name);
  bool found = view.has_value();
  // The announcement first: it would bring the workspace back.
  CO_TRY(bool announced, co_await engine_.remove(announcement_name(name)));
  found = found || announced;
  if (view) CO_TRY_OK(co_await engine_.remove(container_name(name)));
  crash_point("workspace.container-removed");
  if (with_data) {
    for (const std::string& volume : {home_volume(name), state_volume(name)}) {
      CO_TRY(auto labels, co_await engine_.inspect_volume(volume));
      if (!labels || !labels->contains(std::string(kKeysLabel))) continue;
      CO_TRY_OK(co_await engine_.remove_volume(volume));
      crash_point("workspace.home-removed");
      found = true;
    }
    crash_point("workspace.data-removed");
  }
  if (!found) co_return no_such(name);
  log::info("workspace removed", {{"workspace", name}, {"data", with_data ? "removed" : "kept"}});
  co_return Outcome<>();
}

}  // namespace berth::workspace
