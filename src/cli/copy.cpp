// cp: files between a container and this machine, as tar archives of the API (PUT and GET /containers/NAME/archive).
//
// The archive's first component is renamed on its way to the name that it shall have at the other end. What comes out
// of a container is hostile: it is unpacked by fs/untar.h, which cannot be led out of the directory it is given.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "cli/copy.h"
#include "cli/copy_paths.h"
#include "cli/output.h"
#include "cli/pipe.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "fs/pack.h"
#include "fs/stream.h"
#include "fs/tar.h"
#include "fs/untar.h"
#include "sys/file.h"

namespace berth::cli {

void declare_copy(Flags& flags, CopyOptions& options) {
  flags.add("archive,a", options.archive, "Keep owners and groups");
  flags.add("follow-link,L", options.follow_link, "Copy what SRC_PATH points to when it is a symlink");
  flags.add("quiet,q", options.quiet, "Say nothing of the copy");
}

namespace {

// What the daemon tells of a path in a container.
struct ContainerPath {
  std::string name;
  std::uint64_t mode = 0;  // Go's fs.FileMode
  std::string link_target;

  bool is_directory() const { return (mode & (std::uint64_t{1} << 31)) != 0; }
  bool is_symlink() const { return (mode & (std::uint64_t{1} << 27)) != 0; }
};

Result<ContainerPath> parse_stat(const http::BlockingResponse& response) {
  TRY(std::string text, base64_decode(response.head.headers.get("X-Docker-Container-Path-Stat")));
  TRY(json::Value value, annotate(json::parse(text), "cannot read the daemon's answer about a path"));
  return ContainerPath{json::string_or(value, "name"), static_cast<std::uint64_t>(json::int_or(value, "mode")),
                       json::string_or(value, "linkTarget")};
}

http::ClientRequest archive_request(std::string method, const std::string& container, const std::string& path,
                                    const std::string& more = "") {
  http::ClientRequest request;
  request.method = std::move(method);
  request.target =
      fmt::format("/containers/{}/archive?path={}{}", escape_path(container), http::percent_encode(path), more);
  return request;
}

Result<ContainerPath> stat_path(const EngineClient& engine, const std::string& container, const std::string& path) {
  TRY(auto response, engine.open_stream(archive_request("HEAD", container, path)));
  return parse_stat(response);
}

// A symlink's target as a path of the container: relative ones start where the link is.
std::string follow(const std::string& path, const ContainerPath& link) {
  if (link.link_target.starts_with('/')) return link.link_target;
  return (std::filesystem::path(path).parent_path() / link.link_target).lexically_normal().string();
}

class ResponseSource : public fs::Source {
 public:
  explicit ResponseSource(http::BlockingResponse& response) : response_(response) {}
  Result<std::size_t> read(std::span<char> into) override {
    TRY(std::size_t size, response_.read_some(into));
    copied_ += size;
    return size;
  }
  std::uint64_t copied() const { return copied_; }

 private:
  http::BlockingResponse& response_;
  std::uint64_t copied_ = 0;
};

class CountingSink : public fs::Sink {
 public:
  explicit CountingSink(fs::Sink& inner) : inner_(inner) {}
  Result<void> write(std::string_view bytes) override {
    copied_ += bytes.size();
    return inner_.write(bytes);
  }
  std::uint64_t copied() const { return copied_; }

 private:
  fs::Sink& inner_;
  std::uint64_t copied_ = 0;
};

// The archive from source with its first component called name, into sink; "." names the directory that it goes into,
// whose own entry is left out.
Result<void> rename_archive(fs::Source& source, fs::Sink& sink, const std::string& name) {
  fs::tar::Reader reader(source);
  fs::tar::Writer writer(sink);
  std::string buffer(64 << 10, '\0');
  while (true) {
    TRY(auto entry, reader.next());
    if (!entry) break;
    bool hard_link = entry->type == fs::tar::Type::hard_link;
    entry->path = rename_first(entry->path, name);
    if (hard_link) entry->link = rename_first(entry->link, name);
    if (entry->path == "./" || entry->path == ".") continue;
    if (entry->sparse)
      return fail(ErrorCode::unsupported, "{} is stored as a sparse file, which cp cannot take", entry->path);
    TRY_OK(writer.begin(*entry));
    for (std::uint64_t left = entry->size; left > 0;) {
      TRY(std::size_t size, reader.read(std::span(buffer)));
      if (size == 0) break;
      TRY_OK(writer.write(std::string_view(buffer).substr(0, size)));
      left -= size;
    }
  }
  return writer.finish();
}

void report_copy(const CopyOptions& options, std::uint64_t bytes, std::string_view where) {
  if (options.quiet || !is_terminal(STDERR_FILENO)) return;
  print_error(fmt::format("Successfully copied {} to {}\n", human_size(static_cast<double>(bytes)), where));
}

Result<int> copy_from(const EngineClient& engine, const CopyOptions& options, const CopyPlace& source,
                      const std::string& target) {
  if (target != "-") TRY_OK(check_local(target));
  std::string path = source.path;
  if (options.follow_link) {
    auto link = stat_path(engine, source.container, path);
    if (link && link->is_symlink()) path = follow(path, *link);
  }
  TRY(auto response, engine.open_stream(archive_request("GET", source.container, path)));
  if (target == "-") {
    if (is_terminal(STDOUT_FILENO))
      return fail(ErrorCode::invalid, "cowardly refusing to write an archive to a terminal: redirect it");
    TRY_OK(response.read_to([](std::string_view bytes) { return sys::write_all(STDOUT_FILENO, bytes); }));
    return 0;
  }
  TRY(ContainerPath stat, parse_stat(response));
  TRY(Landing landing, plan_local(stat.is_directory(), path, target));
  TRY(auto root, fs::RootDir::open_host(landing.directory));
  fs::UntarOptions untar_options;
  untar_options.keep_kinds = true;
  if (!options.archive) untar_options.owner = {::geteuid(), ::getegid()};
  ResponseSource archive(response);
  TRY_OK(through_pipe(
      [&](int fd) {
        fs::FdSink sink(fd);
        return rename_archive(archive, sink, landing.name);
      },
      [&](int fd) -> Result<void> {
        fs::FdSource renamed(fd);
        TRY(auto report, fs::untar(renamed, root, untar_options));
        if (report.skipped_devices > 0) print_error(fmt::format("{} devices were left out\n", report.skipped_devices));
        return {};
      }));
  report_copy(options, archive.copied(), std::filesystem::absolute(target).string());
  return 0;
}

// Where in the container a copy shall land: symlinks are followed by the daemon's word, since only it can.
Result<Landing> plan_in_container(const EngineClient& engine, bool source_is_directory, const std::string& source,
                                  const CopyPlace& target) {
  std::string path = target.path;
  auto stat = stat_path(engine, target.container, path);
  if (stat && stat->is_symlink()) {
    path = follow(path, *stat);
    stat = stat_path(engine, target.container, path);
  }
  std::optional<bool> target_is_directory;
  if (stat) target_is_directory = stat->is_directory();
  return plan_landing(source_is_directory, source, path, target_is_directory);
}

Result<void> put_archive(const EngineClient& engine, const CopyOptions& options, const std::string& container,
                         const std::string& directory, int fd) {
  std::string how = "&noOverwriteDirNonDir=true";
  if (options.archive) how += "&copyUIDGID=1";
  http::ClientRequest request = archive_request("PUT", container, directory, how);
  request.headers.add("Content-Type", "application/x-tar");
  TRY(auto response, engine.upload(std::move(request), http::body_from_fd(fd)));
  return {};
}

Result<int> copy_to(const EngineClient& engine, const CopyOptions& options, const std::string& source,
                    const CopyPlace& target) {
  if (source == "-") {
    std::string path = target.path;
    auto stat = stat_path(engine, target.container, path);
    if (stat && !stat->is_directory())
      return fail(ErrorCode::invalid, "destination \"{}:{}\" must be a directory", target.container, path);
    TRY_OK(put_archive(engine, options, target.container, path, STDIN_FILENO));
    return 0;
  }
  std::string path = source;
  struct stat info{};
  if ((options.follow_link ? ::stat : ::lstat)(path.c_str(), &info) < 0) {
    if (errno == ENOENT)
      return fail(ErrorCode::not_found, "lstat {}: no such file or directory",
                  std::filesystem::absolute(path).lexically_normal().string());
    return fail_errno("look at " + path);
  }
  bool is_directory = S_ISDIR(info.st_mode);
  // A link's own name is kept when what it points to is copied.
  if (options.follow_link) path = std::filesystem::canonical(path).string() + (copies_contents(source) ? "/." : "");
  TRY(Landing landing, plan_in_container(engine, is_directory, source, target));
  std::string whole = std::filesystem::absolute(path).lexically_normal().string();
  while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  std::string parent = std::filesystem::path(whole).parent_path().string();
  std::uint64_t bytes = 0;
  TRY_OK(through_pipe(
      [&](int fd) -> Result<void> {
        TRY(auto root, fs::RootDir::open_host(parent));
        fs::FdSink pipe(fd);
        CountingSink counted(pipe);
        fs::BufferedSink sink(counted);
        std::string name = std::filesystem::path(whole).filename().string();
        TRY_OK(fs::pack(root, name, sink, {.name = landing.name == "." ? "" : landing.name}));
        TRY_OK(sink.flush());
        bytes = counted.copied();
        return {};
      },
      [&](int fd) { return put_archive(engine, options, target.container, landing.directory, fd); }));
  report_copy(options, bytes, fmt::format("{}:{}", target.container, target.path));
  return 0;
}

}  // namespace

Result<int> copy(Context& context, const CopyOptions& options, const Words& words) {
  CopyPlace source = parse_place(words[0]), target = parse_place(words[1]);
  if (words[0].empty()) return fail(ErrorCode::invalid, "source can not be empty");
  if (words[1].empty()) return fail(ErrorCode::invalid, "destination can not be empty");
  if (!source.container.empty() && !target.container.empty())
    return fail(ErrorCode::invalid, "copying between containers is not supported");
  if (source.container.empty() && target.container.empty())
    return fail(ErrorCode::invalid, "must specify at least one container source");
  TRY(auto engine, context.engine());
  if (!source.container.empty()) return copy_from(engine, options, source, target.path);
  return copy_to(engine, options, source.path, target);
}

constexpr Command kCopy = command<declare_copy, copy>({
    .usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    .summary = "Copy files between a container and this machine",
    .arity = kTwoWords,
    .details =
        "SRC_PATH of - reads a tar archive from stdin and unpacks it in a directory of the container; DEST_PATH of -\n"
        "writes a tar archive to stdout. A source that ends in /. means what the directory holds.",
    .examples = "cp web:/etc/nginx ./nginx\ncp site/. web:/srv\ncp web:/var/log - | tar t",
    .aliases = "container cp, cp",
});

}  // namespace berth::cli
