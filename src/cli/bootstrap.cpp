// image bootstrap: an image made from a distribution's own packages, with no registry.
#include <unistd.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct BootstrapOptions {
  std::vector<std::string> packages, labels;
  std::string mirror, suite;
  bool quiet = false;
};

void declare(Flags& flags, BootstrapOptions& options) {
  flags.add("package,p", options.packages, "Install this package too");
  flags.add("suite", options.suite, "The release, when it is not the image's tag");
  flags.add("mirror", options.mirror, "Fetch packages from this archive");
  flags.add("label,l", options.labels, "Set a label of the image: KEY=VALUE");
  flags.add("quiet,q", options.quiet, "Print only errors");
}

Result<int> bootstrap(Context& context, const BootstrapOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  json::Object body{{"reference", words[0]}, {"packages", json::encode(options.packages)}};
  if (!options.mirror.empty()) body["mirror"] = options.mirror;
  if (!options.suite.empty()) body["suite"] = options.suite;
  json::Object labels;
  for (const std::string& label : options.labels) {
    auto [key, value] = split_once(label, '=');
    labels[key] = value.value_or("");
  }
  if (!labels.empty()) body["labels"] = labels;
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/berth/v1/images/bootstrap";
  request.headers.add("Content-Type", "application/json");
  request.body = json::print(body);
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY_OK(show_progress(response, STDOUT_FILENO, options.quiet));
  return 0;
}

}  // namespace

constexpr Command kBootstrap = command<declare, bootstrap>({
    .usage = "[OPTIONS] NAME[:TAG]",
    .summary = "Make an image from Debian packages",
    .arity = kOneWord,
    .details =
        "The tag is the release, as in debian:bookworm, unless --suite names it. The packages are verified by the\n"
        "host's archive keys.",
    .examples = "image bootstrap debian:bookworm\nimage bootstrap -p git -p curl debian:bookworm",
});

}  // namespace berth::cli
