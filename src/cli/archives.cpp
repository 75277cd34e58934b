// load, save, import: images as files.
#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "oci/reference.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

// A file, or stdin for "" and "-"; Go's text when it does not open.
Result<sys::UniqueFd> open_input(const std::string& path) {
  if (path.empty() || path == "-") return sys::UniqueFd(::dup(STDIN_FILENO));
  auto fd = sys::open_file(path, O_RDONLY);
  if (!fd && fd.error().errno_value() == ENOENT)
    return fail(ErrorCode::not_found, "open {}: no such file or directory", path);
  return fd;
}

struct LoadOptions {
  std::string input, platform;
  bool quiet = false;
};

void declare_load(Flags& flags, LoadOptions& options) {
  flags.add("input,i", options.input, "Read this file instead of stdin");
  flags.add("platform", options.platform, "Load only this platform of an image: linux/arm64");
  flags.add("quiet,q", options.quiet, "Print only what was loaded");
}

Result<int> load(Context& context, const LoadOptions& options, const Words&) {
  TRY(auto input, open_input(options.input));
  if (options.input.empty() && is_terminal(STDIN_FILENO))
    return fail(ErrorCode::invalid, "requested load from stdin, but stdin is empty");
  TRY(auto engine, context.engine());
  http::ClientRequest request;
  request.method = "POST";
  bool quiet = options.quiet || !is_terminal(STDOUT_FILENO);
  request.target = "/images/load" + query({{"quiet", quiet ? "1" : "0"}, {"platform", options.platform}});
  request.headers.add("Content-Type", "application/x-tar");
  TRY(auto response, engine.upload(std::move(request), http::body_from_fd(input.get())));
  TRY_OK(show_progress(response, STDOUT_FILENO));
  return 0;
}

struct SaveOptions {
  std::string output, platform;
};

void declare_save(Flags& flags, SaveOptions& options) {
  flags.add("output,o", options.output, "Write to this file instead of stdout");
  flags.add("platform", options.platform, "Save only this platform of an image: linux/arm64");
}

Result<int> save(Context& context, const SaveOptions& options, const Words& words) {
  if (options.output.empty() && is_terminal(STDOUT_FILENO))
    return fail(ErrorCode::invalid, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
  std::size_t slash = options.output.rfind('/');
  std::string directory = slash == std::string::npos ? "." : options.output.substr(0, slash + 1);
  if (!options.output.empty() && ::access(directory.c_str(), F_OK) != 0)
    return fail(
        ErrorCode::not_found, "failed to save image: invalid output path: stat {}: no such file or directory",
        directory.size() > 1 && directory.ends_with('/') ? directory.substr(0, directory.size() - 1) : directory);
  TRY(auto engine, context.engine());
  std::string target = "/images/get";
  for (const std::string& name : words)
    target += fmt::format("{}names={}", target.contains('?') ? '&' : '?', http::percent_encode(name));
  if (!options.platform.empty()) target += "&platform=" + http::percent_encode(options.platform);
  http::ClientRequest request;
  request.target = target;
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
  if (!saved) {
    ::unlink(temporary.c_str());
    return std::unexpected(std::move(saved).error());
  }
  return 0;
}

struct ImportOptions {
  std::vector<std::string> changes;
  std::string message, platform;
};

void declare_import(Flags& flags, ImportOptions& options) {
  flags.add("change,c", options.changes, "Apply a Dockerfile instruction to the image: 'CMD [\"sh\"]'");
  flags.add("message,m", options.message, "What the image's history says");
  flags.add("platform", options.platform, "The platform of the image: linux/arm64");
}

Result<int> import(Context& context, const ImportOptions& options, const Words& words) {
  std::string repository, tag;
  if (words.size() > 1) {
    TRY(auto reference, oci::Reference::parse(words[1]));
    repository = reference.familiar_name();
    tag = reference.tag.value_or("");
  }
  bool remote = words[0].contains("://");
  std::string target = "/images/create" + query({{"fromSrc", remote ? words[0] : "-"},
                                                 {"repo", repository},
                                                 {"tag", tag},
                                                 {"message", options.message},
                                                 {"platform", options.platform}});
  for (const std::string& change : options.changes) target += "&changes=" + http::percent_encode(change);
  http::ClientRequest request;
  request.method = "POST";
  request.target = target;
  request.headers.add("Content-Type", "application/x-tar");
  if (remote) {
    TRY(auto engine, context.engine());
    TRY(auto response, engine.open_stream(std::move(request)));
    TRY_OK(show_progress(response, STDOUT_FILENO));
    return 0;
  }
  TRY(auto input, open_input(words[0]));
  TRY(auto engine, context.engine());
  TRY(auto response, engine.upload(std::move(request), http::body_from_fd(input.get())));
  TRY_OK(show_progress(response, STDOUT_FILENO));
  return 0;
}

}  // namespace

constexpr Command kLoad = command<declare_load, load>({
    .usage = "[OPTIONS]",
    .summary = "Take images from a tar archive",
    .arity = kNoWords,
    .examples = "load -i images.tar\nload < images.tar",
    .aliases = "image load, load",
});

constexpr Command kSave = command<declare_save, save>({
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Write images to a tar archive",
    .arity = kSomeWords,
    .examples = "save -o images.tar debian:bookworm busybox\nsave debian:bookworm | gzip > debian.tar.gz",
    .aliases = "image save, save",
});

constexpr Command kImport = command<declare_import, import>({
    .usage = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    .summary = "Make an image from the tar archive of a root directory",
    .arity = {1, 2},
    .examples = "import root.tar mine:1\nimport -c 'CMD [\"/bin/sh\"]' - mine:1 < root.tar",
    .aliases = "image import, import",
});

}  // namespace berth::cli
