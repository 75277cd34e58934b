#include "cli/build_context.h"

#include <filesystem>

#include "base/text.h"
#include "cli/pipe.h"
#include "fs/pack.h"
#include "fs/root_dir.h"
#include "fs/tar.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

constexpr std::string_view kAddedName = ".berth-dockerfile";

std::filesystem::path dockerfile_path(const BuildContext& context) {
  return (std::filesystem::path(context.directory) / context.dockerfile).lexically_normal();
}

// The Dockerfile below the directory, or nothing.
std::optional<std::string> path_inside(const BuildContext& context) {
  if (!context.inline_dockerfile.empty()) return {};
  std::string relative = dockerfile_path(context).lexically_relative(context.directory).string();
  if (relative.empty() || relative == "." || relative.starts_with("..")) return {};
  return relative;
}

}  // namespace

bool is_remote_context(const std::string& context) {
  for (std::string_view prefix : {"http://", "https://", "git://", "git@", "ssh://", "github.com/"})
    if (context.starts_with(prefix)) return true;
  return false;
}

std::string dockerfile_in_context(const BuildContext& context) {
  if (is_remote_context(context.directory)) return context.dockerfile;
  return path_inside(context).value_or(std::string(kAddedName));
}

Result<void> with_build_context(const BuildContext& context,
                                const std::function<Result<void>(const http::BodySource&)>& send) {
  if (!std::filesystem::is_directory(context.directory))
    return fail(ErrorCode::not_found, "unable to prepare context: path \"{}\" not found", context.directory);
  if (sys::exists(context.directory + "/.dockerignore"))
    return fail(ErrorCode::unsupported, "{}/.dockerignore is not supported yet", context.directory);
  std::string added = context.inline_dockerfile;
  auto inside = path_inside(context);
  if (!inside && added.empty()) {
    TRY(added, annotate(sys::read_file(dockerfile_path(context).string(), 1 << 20), "failed to read dockerfile"));
  } else if (inside && !sys::exists(dockerfile_path(context).string())) {
    return fail(ErrorCode::not_found, "failed to read dockerfile: open {}: no such file or directory", *inside);
  }
  return through_pipe(
      [&](int fd) -> Result<void> {
        TRY(auto root, fs::RootDir::open_host(context.directory));
        fs::FdSink pipe(fd);
        fs::BufferedSink sink(pipe);
        if (!inside) {
          fs::tar::Entry entry;
          entry.path = kAddedName;
          entry.mode = 0644;
          entry.size = added.size();
          fs::tar::Writer writer(sink);
          TRY_OK(writer.add(entry, added));
        }
        TRY_OK(fs::pack(root, "", sink, {}));
        return sink.flush();
      },
      [&](int fd) { return send(http::body_from_fd(fd)); });
}

}  // namespace berth::cli
