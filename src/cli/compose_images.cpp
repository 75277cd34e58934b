#include "cli/compose_images.h"

#include <unistd.h>

#include <mutex>

#include "cli/compose_tasks.h"
#include "cli/output.h"
#include "cli/pull.h"

namespace berth::cli {

namespace {

// Empty when the engine does not have it.
Result<std::string> image_id(const EngineClient& engine, const std::string& image) {
  auto found = engine.get(fmt::format("/images/{}/json", escape_path(image)));
  if (found) return json::string_or(*found, "Id");
  if (found.error().code() == ErrorCode::not_found) return "";
  return std::unexpected(std::move(found).error());
}

std::string policy_of(const compose::Service& service, const ImageOptions& options) {
  std::string policy = options.pull.empty() ? json::string_or(service.config, "pull_policy") : options.pull;
  return policy == "if_not_present" ? "missing" : policy;
}

Result<std::string> ensure_image(const ComposeSession& session, const compose::Service& service,
                                 const ImageOptions& options) {
  std::string policy = policy_of(service, options);
  TRY(std::string id, image_id(session.engine, service.image));
  if (service.is_built()) {
    bool build = options.build || (!options.no_build && (id.empty() || policy == "build"));
    if (!build && id.empty())
      return fail(ErrorCode::not_found, "No such image: {}: it has to be built, and --no-build forbids it",
                  service.image);
    if (!build) return id;
    TRY_OK(build_service(session, service, {.quiet = options.quiet}));
  } else if (policy == "always" || (id.empty() && policy != "never")) {
    TRY_OK(pull_service(session, service, true));
  } else if (id.empty()) {
    return fail(ErrorCode::not_found, "No such image: {}", service.image);
  } else {
    return id;
  }
  return image_id(session.engine, service.image);
}

}  // namespace

Result<void> pull_service(const ComposeSession& session, const compose::Service& service, bool quiet) {
  PullRequest request{.image = service.image,
                      .platform = json::string_or(service.config, "platform"),
                      .quiet = true,
                      .progress_fd = STDERR_FILENO};
  if (!quiet) request.quiet = false;
  print_error(fmt::format(" {} Pulling\n", service.name));
  TRY(std::string name, pull_image(session.engine, request));
  print_error(fmt::format(" {} Pulled\n", service.name));
  return {};
}

Result<ImageIds> ensure_images(const ComposeSession& session, const Words& services, const ImageOptions& options) {
  ImageIds ids;
  std::mutex mutex;
  auto ensure = [&](const std::string& name) -> Result<void> {
    const compose::Service& service = session.project.services.find(name)->second;
    TRY(std::string id, ensure_image(session, service, options));
    std::lock_guard lock(mutex);
    ids[name] = std::move(id);
    return {};
  };
  // Builds one after another, since their words go to one terminal; one may be the base of the next.
  Words built, pulled;
  for (const std::string& name : services)
    (session.project.services.find(name)->second.is_built() ? built : pulled).push_back(name);
  TRY_OK(for_each_together(pulled, ensure));
  for (const std::string& name : built) TRY_OK(ensure(name));
  return ids;
}

}  // namespace berth::cli
