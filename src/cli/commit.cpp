// commit, diff, export: images and archives from containers.
#include <fcntl.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "oci/reference.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

struct CommitOptions {
  std::string author, message;
  std::vector<std::string> changes;
  bool pause = true;
};

void declare_commit(Flags& flags, CommitOptions& options) {
  flags.add("author,a", options.author, "Who made the image");
  flags.add("change,c", options.changes, "Apply a Dockerfile instruction to the image: 'CMD [\"sh\"]'");
  flags.add("message,m", options.message, "What the image's history says");
  flags.add("pause,p", options.pause, "Pause the container meanwhile").defaults_to("true");
}

Result<int> commit(Context& context, const CommitOptions& options, const Words& words) {
  std::string repository, tag;
  if (words.size() > 1) {
    TRY(auto reference, oci::Reference::parse(words[1]));
    repository = reference.familiar_name();
    tag = reference.tag.value_or("");
  }
  TRY(auto engine, context.engine());
  std::string target = "/commit" + query({{"container", words[0]},
                                          {"repo", repository},
                                          {"tag", tag},
                                          {"comment", options.message},
                                          {"author", options.author},
                                          {"pause", options.pause ? "1" : "0"}});
  for (const std::string& change : options.changes) target += "&changes=" + http::percent_encode(change);
  TRY(json::Value answer, engine.post(target, json::Object()));
  TRY_OK(print_out(json::string_or(answer, "Id") + "\n"));
  return 0;
}

Result<int> diff(Context& context, const NoOptions&, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(json::Value answer, engine.get(fmt::format("/containers/{}/changes", escape_path(words[0]))));
  if (!answer.is_array()) return 0;
  constexpr std::string_view kLetters = "CAD";
  std::string text;
  for (const json::Value& change : answer.get_array()) {
    auto kind = static_cast<std::size_t>(json::int_or(change, "Kind"));
    text += fmt::format("{} {}\n", kind < kLetters.size() ? kLetters[kind] : '?', json::string_or(change, "Path"));
  }
  TRY_OK(print_out(text));
  return 0;
}

struct ExportOptions {
  std::string output;
};

void declare_export(Flags& flags, ExportOptions& options) {
  flags.add("output,o", options.output, "Write to this file instead of stdout");
}

Result<int> export_container(Context& context, const ExportOptions& options, const Words& words) {
  if (options.output.empty() && is_terminal(STDOUT_FILENO))
    return fail(ErrorCode::invalid, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
  TRY(auto engine, context.engine());
  http::ClientRequest request;
  request.target = fmt::format("/containers/{}/export", escape_path(words[0]));
  TRY(auto response, engine.open_stream(std::move(request)));
  if (options.output.empty()) {
    TRY_OK(response.read_to([](std::string_view bytes) { return sys::write_all(STDOUT_FILENO, bytes); }));
    return 0;
  }
  // Under another name first, so that a cut connection leaves no half archive that looks whole.
  std::string temporary = fmt::format("{}.{}.tmp", options.output, ::getpid());
  TRY(auto file, sys::open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
  auto saved = response.read_to([&](std::string_view bytes) { return sys::write_all(file.get(), bytes); });
  if (saved && ::rename(temporary.c_str(), options.output.c_str()) < 0)
    saved = fail_errno("rename to " + options.output);
  if (saved) return 0;
  ::unlink(temporary.c_str());
  return std::unexpected(std::move(saved).error());
}

}  // namespace

constexpr Command kCommit = command<declare_commit, commit>({
    .usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    .summary = "Make an image from what a container has changed",
    .arity = {1, 2},
    .examples = "commit web web:patched\ncommit -c 'CMD [\"sh\"]' -m 'with tools' web tools:1",
    .aliases = "container commit, commit",
});

constexpr Command kDiff = command<declare_nothing, diff>({
    .usage = "CONTAINER",
    .summary = "List what a container has changed of its image",
    .arity = kOneWord,
    .details = "A: added, C: changed, D: deleted.",
    .examples = "diff web",
    .aliases = "container diff, diff",
});

constexpr Command kExport = command<declare_export, export_container>({
    .usage = "[OPTIONS] CONTAINER",
    .summary = "Write a container's root directory as a tar archive",
    .arity = kOneWord,
    .examples = "export web | tar t\nexport -o web.tar web",
    .aliases = "container export, export",
});

}  // namespace berth::cli
