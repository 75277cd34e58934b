// compose build, pull, push: the images of services.
#include <unistd.h>

#include "base/text.h"
#include "cli/build_context.h"
#include "cli/compose_images.h"
#include "cli/compose_tasks.h"
#include "cli/container_config.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/pull.h"
#include "cli/verbs.h"
#include "compose/container_request.h"
#include "oci/reference.h"

namespace berth::cli {

namespace {

const json::Value* build_of(const compose::Service& service) { return json::find(service.config, "build"); }

BuildContext context_of(const json::Value& build) {
  return {.directory = json::string_or(build, "context"),
          .dockerfile = json::string_or(build, "dockerfile", "Dockerfile"),
          .inline_dockerfile = json::string_or(build, "dockerfile_inline")};
}

json::Object build_args(const json::Value& build, const BuildOptions& options) {
  json::Object args;
  if (const json::Value* own = json::find(build, "args"))
    for (const auto& arg : own->get_object()) args[arg.key()] = json::string_or(*own, arg.key());
  for (const std::string& item : complete_env(options.args)) {
    auto [name, value] = split_once(item, '=');
    args[name] = value.value_or("");
  }
  return args;
}

std::string json_text(const json::Value* value) { return value == nullptr ? "" : json::print(*value); }

// Hosts as the builder's query has them: "HOST:ADDRESS".
std::string hosts_text(const json::Value& build) {
  const json::Value* hosts = json::find(build, "extra_hosts");
  if (hosts == nullptr) return "";
  Words list;
  for (const json::Value& host : hosts->get_array()) {
    auto [name, address] = split_once(std::string_view(host.get_string()), '=');
    list.push_back(fmt::format("{}:{}", name, address.value_or("")));
  }
  return join(list, ",");
}

std::string ulimits_text(const json::Value& build) {
  const json::Value* limits = json::find(build, "ulimits");
  if (limits == nullptr) return "";
  json::Array list;
  for (const auto& limit : limits->get_object())
    list.push_back(json::Object{{"Name", limit.key()},
                                {"Soft", json::int_or(limit.value(), "soft")},
                                {"Hard", json::int_or(limit.value(), "hard")}});
  return json::print(list);
}

std::string build_target(const ComposeSession& session, const compose::Service& service, const BuildOptions& options) {
  const json::Value& build = *build_of(service);
  json::Object labels = compose::project_labels(session.project, session.version);
  labels[compose::kServiceLabel] = service.name;
  if (const json::Value* own = json::find(build, "labels"))
    for (const auto& label : own->get_object()) labels[label.key()] = json::string_or(*own, label.key());
  auto flag = [&](std::string_view key, bool wanted) {
    return std::string(wanted || json::bool_or(build, key) ? "1" : "");
  };
  std::int64_t shm_size = json::int_or(build, "shm_size");
  std::string target = "/build" + query({{"t", service.image},
                                         {"dockerfile", dockerfile_in_context(context_of(build))},
                                         {"buildargs", json::print(build_args(build, options))},
                                         {"labels", json::print(labels)},
                                         {"target", json::string_or(build, "target")},
                                         {"networkmode", json::string_or(build, "network")},
                                         {"cachefrom", json_text(json::find(build, "cache_from"))},
                                         {"extrahosts", hosts_text(build)},
                                         {"ulimits", ulimits_text(build)},
                                         {"shmsize", shm_size > 0 ? std::to_string(shm_size) : ""},
                                         {"platform", json::string_or(service.config, "platform")},
                                         {"nocache", flag("no_cache", options.no_cache)},
                                         {"pull", flag("pull", options.pull)},
                                         {"rm", "1"},
                                         {"version", "1"}});
  if (const json::Value* tags = json::find(build, "tags"))
    for (const json::Value& tag : tags->get_array())
      target += "&t=" + http::percent_encode(std::string_view(tag.get_string()));
  return target;
}

struct BuildVerbOptions : BuildOptions {
  bool push = false, with_dependencies = false;
};

void declare_build(Flags& flags, BuildVerbOptions& options) {
  flags.add("build-arg", options.args, "Set a build argument: KEY=VALUE");
  flags.add("no-cache", options.no_cache, "Don't use what was built before");
  flags.add("pull", options.pull, "Look for newer base images");
  flags.add("push", options.push, "Push the images afterwards");
  flags.add("quiet,q", options.quiet, "Don't print the builder's words");
  flags.add("with-dependencies", options.with_dependencies, "Build the services that the named ones depend on too");
}

struct TransferOptions {
  bool ignore_failures = false, ignore_buildable = false, include_deps = false, quiet = false;
  std::string policy;
};

void declare_pull(Flags& flags, TransferOptions& options) {
  flags.add("ignore-pull-failures", options.ignore_failures, "Go on when an image cannot be pulled");
  flags.add("ignore-buildable", options.ignore_buildable, "Leave images alone that can be built");
  flags.add("include-deps", options.include_deps, "Pull for the services that the named ones depend on too");
  flags.add("policy", options.policy, "always, or missing: only images that are not there");
  flags.add("quiet,q", options.quiet, "No progress");
}

void declare_push(Flags& flags, TransferOptions& options) {
  flags.add("ignore-push-failures", options.ignore_failures, "Go on when an image cannot be pushed");
  flags.add("include-deps", options.include_deps, "Push for the services that the named ones depend on too");
  flags.add("quiet,q", options.quiet, "No progress");
}

Result<void> push_service(const ComposeSession& session, const compose::Service& service, bool quiet) {
  TRY(auto reference, oci::Reference::parse(service.image));
  reference = reference.with_default_tag();
  http::ClientRequest request;
  request.method = "POST";
  request.target = fmt::format("/images/{}/push", escape_path(reference.familiar_name())) +
                   query({{"tag", reference.tag.value_or("")}});
  std::string auth = registry_auth(reference.domain);
  request.headers.add("X-Registry-Auth", auth.empty() ? "e30=" : auth);
  print_error(fmt::format(" {} Pushing\n", service.name));
  TRY(auto response, session.engine.open_stream(std::move(request)));
  TRY_OK(show_progress(response, STDERR_FILENO, quiet));
  print_error(fmt::format(" {} Pushed\n", service.name));
  return {};
}

// An error of one service is told; it ends the verb only when failures matter.
Result<void> for_services(const ComposeSession& session, const Words& services, bool ignore_failures,
                          const std::function<Result<void>(const compose::Service&)>& act) {
  return for_each_together(services, [&](const std::string& name) -> Result<void> {
    auto done = act(session.project.services.find(name)->second);
    if (done || !ignore_failures) return done;
    print_error(fmt::format("WARN[0000] {}: {}\n", name, done.error().text()));
    return {};
  });
}

Result<int> build(Context& context, const BuildVerbOptions& options, const Words& services) {
  TRY(auto session, open_session(context, services));
  TRY(Words order, compose::start_order(session.project, services, services.empty() || options.with_dependencies));
  bool any = false;
  for (const std::string& name : order) {
    const compose::Service& service = session.project.services.find(name)->second;
    if (!service.is_built()) continue;
    any = true;
    TRY_OK(build_service(session, service, options));
    if (options.push) TRY_OK(push_service(session, service, options.quiet));
  }
  if (!any) print_error("WARN[0000] No services to build\n");
  return 0;
}

Result<int> pull(Context& context, const TransferOptions& options, const Words& services) {
  TRY(auto session, open_session(context, services));
  TRY(Words order, compose::start_order(session.project, services, services.empty() || options.include_deps));
  TRY_OK(for_services(session, order, options.ignore_failures, [&](const compose::Service& service) -> Result<void> {
    bool only_built = service.is_built() && json::string_or(service.config, "image").empty();
    if (only_built || (service.is_built() && options.ignore_buildable)) {
      print_error(fmt::format(" {} Skipped - No image to be pulled\n", service.name));
      return {};
    }
    if (options.policy == "missing" && session.engine.get(fmt::format("/images/{}/json", escape_path(service.image)))) {
      print_error(fmt::format(" {} Skipped - Image is already present locally\n", service.name));
      return {};
    }
    return pull_service(session, service, options.quiet);
  }));
  return 0;
}

Result<int> push(Context& context, const TransferOptions& options, const Words& services) {
  TRY(auto session, open_session(context, services));
  TRY(Words order, compose::start_order(session.project, services, services.empty() || options.include_deps));
  TRY_OK(for_services(session, order, options.ignore_failures, [&](const compose::Service& service) -> Result<void> {
    // Without a name of its own an image is nobody's elsewhere.
    if (!service.is_built() || json::string_or(service.config, "image").empty()) return {};
    return push_service(session, service, options.quiet);
  }));
  return 0;
}

}  // namespace

Result<void> build_service(const ComposeSession& session, const compose::Service& service,
                           const BuildOptions& options) {
  const json::Value& build = *build_of(service);
  std::string context = json::string_or(build, "context");
  if (!options.quiet) print_error(fmt::format(" {} Building\n", service.name));
  http::ClientRequest request;
  request.method = "POST";
  request.target = build_target(session, service, options);
  if (std::string logins = all_registry_auths(); !logins.empty()) request.headers.add("X-Registry-Config", logins);
  auto show = [&](Result<http::BlockingResponse> response) -> Result<void> {
    if (!response) return std::unexpected(std::move(response).error());
    return annotate(show_progress(*response, STDOUT_FILENO, options.quiet), "failed to solve");
  };
  if (is_remote_context(context)) {
    request.target += "&remote=" + http::percent_encode(context);
    TRY_OK(show(session.engine.open_stream(std::move(request))));
  } else {
    request.headers.add("Content-Type", "application/x-tar");
    TRY_OK(with_build_context(context_of(build), [&](const http::BodySource& body) {
      return show(session.engine.upload(std::move(request), body));
    }));
  }
  if (!options.quiet) print_error(fmt::format(" {} Built\n", service.name));
  return {};
}

constexpr Command kComposeBuild = command<declare_build, build>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Build the images of services that have a build section",
    .arity = kAnyWords,
    .examples = "compose build --pull\ncompose build --build-arg VERSION=2 web",
});

constexpr Command kComposePull = command<declare_pull, pull>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Pull the images of the services",
    .arity = kAnyWords,
    .examples = "compose pull",
});

constexpr Command kComposePush = command<declare_push, push>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Push the images that were built",
    .arity = kAnyWords,
    .examples = "compose push",
});

}  // namespace berth::cli
