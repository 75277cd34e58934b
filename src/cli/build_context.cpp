#include "cli/build_context.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/text.h"
#include "cli/pipe.h"
#include "fs/pack.h"
#include "fs/pattern.h"
#include "fs/walk.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

namespace stdfs = std::filesystem;

constexpr std::string_view kAddedName = ".berth-dockerfile";
constexpr std::size_t kMaxDockerfile = 2 << 20;

stdfs::path dockerfile_path(const BuildContext& context) {
  return (stdfs::path(context.directory) / context.dockerfile).lexically_normal();
}

// The Dockerfile below the directory, or nothing.
std::optional<std::string> path_inside(const BuildContext& context) {
  if (!context.inline_dockerfile.empty()) return {};
  std::error_code error;
  stdfs::path directory = stdfs::canonical(context.directory, error);
  // Its own name counts, not what it may be a link to; the engine follows that within the context.
  stdfs::path path = dockerfile_path(context);
  stdfs::path parent = stdfs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
  std::string relative = (parent / path.filename()).lexically_relative(directory).string();
  if (relative.empty() || relative == "." || relative.starts_with("..")) return {};
  return relative;
}

// Files of a context have no owner: who builds is nobody to the image.
Result<void> pack_directory(const std::string& directory, const fs::IgnoreList& ignore, const std::string& dockerfile,
                            fs::Packer& packer) {
  TRY(sys::UniqueFd top, sys::open_file(directory, O_RDONLY | O_DIRECTORY));
  return fs::walk(top.get(), [&](const fs::Visit& visit) -> Result<fs::Step> {
    // The engine needs these two; it leaves them out of COPY itself.
    bool needed = visit.path == ".dockerignore" || visit.path == dockerfile;
    bool excluded = !needed && ignore.excludes(visit.path);
    bool is_directory = S_ISDIR(visit.status.st_mode);
    bool holds_dockerfile = is_directory && dockerfile.starts_with(visit.path + "/");
    if (excluded && is_directory && (holds_dockerfile || ignore.may_take_back_below(visit.path))) return fs::Step::into;
    if (excluded) return fs::Step::over;
    TRY_OK(packer.add(visit.directory, visit.name, visit.path, visit.status));
    return fs::Step::into;
  });
}

Result<fs::IgnoreList> read_ignore(const std::string& directory) {
  auto text = sys::read_file(directory + "/.dockerignore", kMaxDockerfile);
  if (!text) return fs::IgnoreList();
  return fs::IgnoreList::parse(*text);
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
  if (!stdfs::is_directory(context.directory))
    return fail(ErrorCode::not_found, "unable to prepare context: path \"{}\" not found", context.directory);
  TRY(fs::IgnoreList ignore, read_ignore(context.directory));
  std::string added = context.inline_dockerfile;
  auto inside = path_inside(context);
  if (!inside && added.empty()) {
    TRY(added,
        annotate(sys::read_file(dockerfile_path(context).string(), kMaxDockerfile), "failed to read dockerfile"));
  } else if (inside && !sys::exists(context.directory + "/" + *inside)) {
    return fail(ErrorCode::not_found, "failed to read dockerfile: open {}: no such file or directory", *inside);
  }
  return through_pipe(
      [&](int fd) -> Result<void> {
        fs::FdSink pipe(fd);
        fs::BufferedSink sink(pipe, 256 << 10);
        fs::PackOptions options{.owner = std::pair(0U, 0U)};
        fs::Packer packer(sink, options);
        if (!inside) TRY_OK(packer.add_text(std::string(kAddedName), added));
        TRY_OK(pack_directory(context.directory, ignore, inside.value_or(""), packer));
        TRY_OK(packer.finish());
        return sink.flush();
      },
      [&](int fd) { return send(http::body_from_fd(fd)); });
}

}  // namespace berth::cli
