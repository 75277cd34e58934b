#include "cli/pull.h"

#include <unistd.h>

#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "oci/reference.h"

namespace berth::cli {

namespace {

struct PullOptions {
  bool all_tags = false, quiet = false, content_trust = false;
  std::string platform;
};

void declare(Flags& flags, PullOptions& options) {
  flags.add("all-tags,a", options.all_tags, "Pull every tag of the repository");
  flags.add("platform", options.platform, "The platform of the image: linux/arm64");
  flags.add("quiet,q", options.quiet, "Print only the name of the image");
  flags.add("disable-content-trust", options.content_trust, "Accepted for Docker's sake: nothing is signed");
}

Result<int> pull(Context& context, const PullOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(auto reference, oci::Reference::parse(words[0]));
  if (options.all_tags && (reference.tag || reference.digest))
    return fail(ErrorCode::invalid, "tag can't be used with --all-tags/-a");
  if (!options.all_tags && !reference.tag && !reference.digest && !options.quiet)
    TRY_OK(print_out("Using default tag: latest\n"));
  PullRequest request{.image = words[0],
                      .platform = options.platform,
                      .all_tags = options.all_tags,
                      .quiet = options.quiet,
                      .progress_fd = STDOUT_FILENO};
  TRY(std::string name, pull_image(engine, request));
  TRY_OK(print_out(name + "\n"));
  return 0;
}

Result<int> push(Context& context, const PullOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(auto reference, oci::Reference::parse(words[0]));
  if (reference.digest) return fail(ErrorCode::invalid, "cannot push a digest reference");
  if (!options.all_tags && !reference.tag) {
    reference = reference.with_default_tag();
    if (!options.quiet) TRY_OK(print_out("Using default tag: latest\n"));
  }
  http::ClientRequest request;
  request.method = "POST";
  request.target = fmt::format("/images/{}/push{}", escape_path(reference.familiar_name()),
                               query({{"tag", options.all_tags ? "" : reference.tag.value_or("")}}));
  // The daemon wants the field even when there is nobody to name: this is "{}" in base64.
  std::string auth = registry_auth(reference.domain);
  request.headers.add("X-Registry-Auth", auth.empty() ? "e30=" : auth);
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY_OK(show_progress(response, STDOUT_FILENO, options.quiet));
  if (options.quiet) TRY_OK(print_out(reference.canonical() + "\n"));
  return 0;
}

}  // namespace

Result<std::string> pull_image(const EngineClient& engine, const PullRequest& wanted) {
  TRY(auto reference, oci::Reference::parse(wanted.image));
  if (!wanted.all_tags) reference = reference.with_default_tag();
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/images/create" + query({{"fromImage", reference.familiar_name()},
                                             {"tag", wanted.all_tags ? "" : reference.version()},
                                             {"platform", wanted.platform}});
  if (std::string auth = registry_auth(reference.domain); !auth.empty()) request.headers.add("X-Registry-Auth", auth);
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY_OK(show_progress(response, wanted.progress_fd, wanted.quiet));
  return reference.canonical();
}

constexpr Command kPull = command<declare, pull>({
    .usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
    .summary = "Fetch an image from a registry",
    .arity = kOneWord,
    .examples = "pull debian:bookworm\npull -q registry.example.com:5000/team/app@sha256:...",
    .aliases = "image pull, pull",
});

constexpr Command kPush = command<declare, push>({
    .usage = "[OPTIONS] NAME[:TAG]",
    .summary = "Send an image to a registry",
    .arity = kOneWord,
    .examples = "push registry.example.com:5000/team/app:1.2",
    .aliases = "image push, push",
});

}  // namespace berth::cli
