// Making what a project says be so: networks, volumes, and of each service as many containers as it wants, made anew
// only when what they come from has changed.
//
// A container is up to date when the hash of its service and the id of its image are those of now. A new one is made
// under another name, then the old one is stopped and removed and the new one gets its name, as Docker Compose does:
// should the making fail, the old one still runs. Killed at any step, it leaves a container under that other name,
// which the next up removes beside the old one, or gives its name when the old one is gone.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "cli/compose_images.h"
#include "cli/compose_project.h"
#include "compose/container_request.h"

namespace berth::cli {

struct ConvergeOptions {
  enum class Recreate { when_changed, always, never };
  Recreate recreate = Recreate::when_changed;
  Recreate recreate_dependencies = Recreate::when_changed;
  std::set<std::string> targets;  // the services that were named (or all); the others are dependencies
  std::map<std::string, std::int64_t, std::less<>> scale;
  std::optional<std::int64_t> stop_timeout;
  bool renew_anonymous_volumes = false;
};

class Converger {
 public:
  // session must outlive it.
  Converger(const ComposeSession& session, ImageIds images, ConvergeOptions options)
      : session_(session), images_(std::move(images)), options_(std::move(options)) {}

  // Networks, volumes, then containers, in dependency order. Nothing is started. For one_offs only the networks and
  // volumes are made.
  Result<void> create(const Words& services, const Words& one_offs = {});
  // Starts what create() left or found stopped, in dependency order, waiting for what a service depends on.
  Result<void> start(const Words& services, bool with_dependencies);

  // The services' containers after create().
  std::vector<ComposeContainer> containers(const Words& services) const;

  // A container that is not one of the replicas, for `run`: its id.
  Result<std::string> create_one_off(const compose::Service& service, const std::string& name, bool use_aliases,
                                     const std::function<Result<void>(json::Object& body)>& adjust);

 private:
  Result<void> make_networks(const Words& services);
  Result<void> make_volumes(const Words& services);
  Result<void> converge(const compose::Service& service);
  Result<ComposeContainer> make(const compose::Service& service, std::string name, std::int64_t number,
                                const ComposeContainer* old);
  Result<std::string> create_container(const std::string& name, const compose::ContainerRequest& request);
  Result<ComposeContainer> recreate(const compose::Service& service, const ComposeContainer& old);
  Result<void> start_service(const compose::Service& service, bool with_dependencies);
  bool must_recreate(const compose::Service& service, const ComposeContainer& container);
  void find_shared(const compose::Service& service, compose::ContainerPlan& plan);
  bool was_recreated(const std::string& service);
  std::string name_of(const compose::Service& service, std::int64_t number) const;
  Result<void> restore_name(const compose::Service& service, ComposeContainer& container);

  const ComposeSession& session_;
  ImageIds images_;
  ConvergeOptions options_;
  std::mutex mutex_;  // of what follows: services converge on several threads
  std::map<std::string, std::vector<ComposeContainer>, std::less<>> by_service_;
  std::set<std::string> recreated_;  // services of which a container was made anew
};

// Stops (and removes) containers, several at once, with the words of their steps.
Result<void> stop_containers(const EngineClient& engine, const std::vector<ComposeContainer>& containers,
                             std::optional<std::int64_t> timeout);
Result<void> remove_containers(const EngineClient& engine, const std::vector<ComposeContainer>& containers,
                               bool with_volumes);

}  // namespace berth::cli
