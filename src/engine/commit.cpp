#include "engine/commit.h"

#include <algorithm>

#include "base/text.h"
#include "engine/engine.h"
#include "engine/root_view.h"
#include "fs/pack.h"

namespace berth::engine {

namespace {

std::string_view variable_name(std::string_view variable) { return split_once(variable, '=').first; }

void join_words(std::vector<std::string>& to, const std::vector<std::string>& more) {
  for (const std::string& word : more)
    if (std::find(to.begin(), to.end(), word) == to.end()) to.push_back(word);
  std::sort(to.begin(), to.end());
}

UpperLayer upper_of(const Container& container) { return {container.upper_dir(), container.layers(), {}}; }

}  // namespace

oci::ContainerDefaults merge_defaults(oci::ContainerDefaults wanted, const oci::ContainerDefaults& base) {
  if (wanted.user.empty()) wanted.user = base.user;
  join_words(wanted.exposed_ports, base.exposed_ports);
  join_words(wanted.volumes, base.volumes);
  for (const std::string& variable : base.env) {
    auto same = [&](const std::string& own) { return variable_name(own) == variable_name(variable); };
    if (std::none_of(wanted.env.begin(), wanted.env.end(), same)) wanted.env.push_back(variable);
  }
  wanted.labels.insert(base.labels.begin(), base.labels.end());
  if (!wanted.entrypoint || wanted.entrypoint->empty()) {
    if (!wanted.cmd || wanted.cmd->empty()) wanted.cmd = base.cmd;
    if (!wanted.entrypoint) wanted.entrypoint = base.entrypoint;
  }
  if (!wanted.healthcheck) wanted.healthcheck = base.healthcheck;
  if (wanted.working_dir.empty()) wanted.working_dir = base.working_dir;
  if (wanted.stop_signal.empty()) wanted.stop_signal = base.stop_signal;
  if (!wanted.shell) wanted.shell = base.shell;
  if (wanted.on_build.empty()) wanted.on_build = base.on_build;
  return wanted;
}

oci::ContainerDefaults defaults_of(const ContainerSpec& spec, const oci::ContainerDefaults& image) {
  oci::ContainerDefaults defaults = image;
  defaults.user = spec.process.user;
  defaults.env = spec.process.env;
  defaults.entrypoint.reset();
  if (!spec.entrypoint.empty()) defaults.entrypoint = spec.entrypoint;
  defaults.cmd.reset();
  if (!spec.cmd.empty()) defaults.cmd = spec.cmd;
  defaults.working_dir = spec.process.working_dir;
  defaults.exposed_ports.clear();
  join_words(defaults.exposed_ports, spec.exposed_ports);
  defaults.volumes.clear();
  join_words(defaults.volumes, spec.volumes);
  defaults.labels = spec.labels;
  defaults.stop_signal = spec.stop_signal;
  return defaults;
}

async::Task<Result<image::ImagePtr>> commit(Engine& engine, std::shared_ptr<Container> container,
                                            CommitRequest request) {
  const ContainerSpec& spec = container->spec();
  CO_TRY(oci::Digest base_id, oci::Digest::parse(spec.image_id));
  CO_TRY(image::ImagePtr base, engine.parts().images.find_held(base_id));
  image::DeriveRequest wanted;
  wanted.base = base;
  wanted.config = base->config;
  wanted.config.created = now();
  wanted.config.author = request.author;
  wanted.config.config = merge_defaults(std::move(request.config), defaults_of(spec, base->config.config));
  wanted.config.history.push_back(
      {wanted.config.created, join(spec.process.args, " "), request.author, request.comment, false});
  if (request.reference) wanted.references = {request.reference->with_default_tag()};
  bool paused = false;
  if (request.pause && container->status().state == State::running) paused = (co_await container->pause()).has_value();
  image::WriteLayer write = [upper = upper_of(*container)](fs::Sink& sink) { return pack_changes(upper, sink); };
  auto image = co_await engine.parts().images.derive(std::move(wanted), std::move(write));
  if (paused) (void)co_await container->unpause();
  if (!image) co_return image;
  EventRecord event{"container", "commit", spec.id, spec.labels, {}};
  event.attributes["image"] = spec.image;
  event.attributes["name"] = spec.name;
  event.attributes["comment"] = request.comment;
  event.attributes["imageID"] = (*image)->id.text();
  event.attributes["imageRef"] = request.reference ? request.reference->with_default_tag().familiar() : "";
  engine.events().publish(std::move(event));
  co_return image;
}

async::Task<Result<std::vector<PathChange>>> changes_of(Engine& engine, std::shared_ptr<Container> container) {
  auto work = [upper = upper_of(*container)] { return list_changes(upper); };
  co_return co_await engine.parts().loop.blocking(std::move(work));
}

namespace {

Result<void> pack_root(const UpperLayer& upper, sys::UniqueFd archive) {
  TRY(sys::UniqueFd view, open_root_view(upper.layers, upper.directory, false));
  fs::RootDir root(std::move(view));
  fs::FdSink sink(archive.get());
  fs::BufferedSink buffered(sink, 256 << 10);
  auto packed = fs::pack(root, "", buffered, {});
  if (packed) packed = buffered.flush();
  if (!packed && packed.error().errno_value() == EPIPE) return {};
  return packed;
}

}  // namespace

async::Task<Result<void>> export_root(Engine& engine, std::shared_ptr<Container> container, sys::UniqueFd archive) {
  auto work = [upper = upper_of(*container), &archive] { return pack_root(upper, std::move(archive)); };
  Result<void> packed = co_await engine.parts().loop.dedicated(std::move(work));
  CO_TRY_OK(std::move(packed));
  const ContainerSpec& spec = container->spec();
  EventRecord event{"container", "export", spec.id, spec.labels, {}};
  event.attributes["image"] = spec.image;
  event.attributes["name"] = spec.name;
  engine.events().publish(std::move(event));
  co_return Result<void>();
}

}  // namespace berth::engine
