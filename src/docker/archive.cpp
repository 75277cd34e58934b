// HEAD, GET and PUT /containers/{id}/archive: `docker cp`. Paths are resolved inside the container's root, whoever
// changes it meanwhile (fs/root_dir.h); trees are packed and unpacked on the blocking pool.
#include <optional>

#include "base/text.h"
#include "docker/api.h"
#include "docker/byte_pipe.h"
#include "docker/container_event.h"
#include "docker/file_mode.h"
#include "fs/pack.h"
#include "fs/untar.h"
#include "sys/fs_identity.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  std::string_view name = path.substr(path.rfind('/') + 1);
  return std::string(name.empty() ? "/" : name);
}

std::unexpected<Error> no_such_file(const std::string& path, const std::string& container) {
  return fail(ErrorCode::not_found, "Could not find the file {} in container {}", path, container);
}

struct Place {
  std::string path;       // as asked, absolute
  std::string container;  // as asked
  std::string inside;     // path, below the root that it was found in
};

// Opens the root that the place is in.
Task<Result<engine::Container::RootHandle>> open_root(std::shared_ptr<engine::Container> container, Place& place,
                                                      bool writable) {
  CO_TRY(auto handle, co_await container->open_root(place.path, writable));
  place.inside = handle.path;
  co_return handle;
}

Result<Place> place_of(const Exchange& exchange) {
  std::string path = exchange.request.query.get("path");
  if (path.empty()) return fail(ErrorCode::invalid, "missing \"path\" parameter");
  if (!path.starts_with('/')) path.insert(0, "/");
  return Place{.path = std::move(path), .container = exchange.request.param("id"), .inside = {}};
}

// A trailing slash, or a last component of ".", asks for the directory behind a symlink.
bool follows_last(const std::string& path) {
  return path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
}

// {"name", "size", "mode", "mtime", "linkTarget"} in base64: the header by which clients know what they copy.
Result<std::string> path_stat(const fs::RootDir& root, const Place& place) {
  auto status = follows_last(place.path) ? root.stat(place.inside) : root.lstat(place.inside);
  if (!status) {
    if (status.error().code() == ErrorCode::not_found) return no_such_file(place.path, place.container);
    return std::unexpected(std::move(status).error());
  }
  if (place.path.ends_with('/') && !S_ISDIR(status->st_mode))
    return fail(ErrorCode::invalid, "not a directory: {}", place.path);
  std::string target;
  if (S_ISLNK(status->st_mode)) {
    TRY(target, root.resolve(place.inside));
  }
  Time modified{status->st_mtim.tv_sec * 1'000'000'000 + status->st_mtim.tv_nsec};
  json::Object object{{"name", base_name(place.path)},
                      {"size", status->st_size},
                      {"mode", go_file_mode(status->st_mode)},
                      {"mtime", format_rfc3339(modified)},
                      {"linkTarget", target}};
  return base64_encode(json::print(object));
}

constexpr std::string_view kStatHeader = "X-Docker-Container-Path-Stat";

Task<Result<void>> head(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(Place place, place_of(exchange));
  CO_TRY(auto view, co_await open_root(container, place, false));
  fs::RootDir root(std::move(view.root));
  CO_TRY(std::string stat, path_stat(root, place));
  exchange.set_header(kStatHeader, std::move(stat));
  co_return co_await exchange.respond_empty(200);
}

// Packs into the pipe and closes it; what goes wrong after the first bytes can only cut the stream.
struct Packing {
  fs::RootDir root;
  Place place;
  std::uint32_t id_base;
  sys::UniqueFd write_end;
};

Result<void> pack_all(Packing& work) {
  sys::UniqueFd write_end = std::move(work.write_end);
  fs::FdSink sink(write_end.get());
  fs::PackOptions options{.name = base_name(work.place.path), .id_base = work.id_base};
  if (options.name == "." || options.name == "..") options.name = ".";
  std::string path = work.place.inside;
  if (follows_last(work.place.path)) {
    TRY(path, work.root.resolve(path));
  }
  return fs::pack(work.root, path, sink, options);
}

Task<> pack_in_background(async::Loop& loop, Packing& work, Result<void>& result) {
  result = co_await loop.blocking([&work] { return pack_all(work); });
}

Task<Result<void>> get(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(Place place, place_of(exchange));
  CO_TRY(auto view, co_await open_root(container, place, false));
  fs::RootDir root(std::move(view.root));
  CO_TRY(std::string stat, path_stat(root, place));
  exchange.set_header(kStatHeader, std::move(stat));
  CO_TRY(BytePipe pipe, BytePipe::make());
  Packing work{std::move(root), place, view.id_shift, std::move(pipe.write_end)};
  Result<void> packed;
  async::TaskGroup packing(api.loop());
  packing.spawn("archive pack", pack_in_background(api.loop(), work, packed));
  // When the client leaves, the pipe's end is closed here, and packing ends by EPIPE.
  auto streamed = co_await pipe_to_stream(exchange, std::move(pipe.read_end), "application/x-tar");
  co_await packing.join();
  if (!streamed) co_return std::unexpected(std::move(streamed).error());
  if (packed) publish_container_event(api, *container, "archive-path");
  co_return packed;
}

struct Unpacking {
  fs::RootDir root;
  fs::UntarOptions options;
  sys::UniqueFd read_end;
};

Result<void> unpack_all(Unpacking& work) {
  sys::UniqueFd read_end = std::move(work.read_end);
  fs::FdSource source(read_end.get());
  TRY(auto identity, sys::FsIdentity::take(work.options.id_base, work.options.id_base));
  auto report = fs::untar(source, work.root, work.options);
  if (!report) return std::unexpected(std::move(report).error());
  return {};
}

Task<> unpack_in_background(async::Loop& loop, Unpacking& work, Result<void>& result) {
  result = co_await loop.blocking([&work] { return unpack_all(work); });
}

// The directory to unpack in, as a root of its own: entries can then not even reach the rest of the container.
Result<fs::RootDir> open_target(const fs::RootDir& root, const Place& place) {
  auto directory = root.open(place.inside, O_RDONLY | O_DIRECTORY);
  if (directory) return fs::RootDir(std::move(*directory));
  if (directory.error().errno_value() == ENOENT) return no_such_file(place.path, place.container);
  if (directory.error().errno_value() == ENOTDIR)
    return fail(ErrorCode::invalid, "extraction point is not a directory");
  return std::unexpected(std::move(directory).error());
}

Task<Result<void>> put(Api& api, Exchange& exchange) {
  CO_TRY(auto container, find_container(api, exchange));
  CO_TRY(Place place, place_of(exchange));
  if (container->spec().read_only_root) co_return fail(ErrorCode::denied, "container rootfs is marked read-only");
  CO_TRY(auto view, co_await open_root(container, place, true));
  fs::RootDir root(std::move(view.root));
  CO_TRY(fs::RootDir target, open_target(root, place));
  fs::UntarOptions options{.keep_kinds = exchange.request.query.truth("noOverwriteDirNonDir"),
                           .id_base = view.id_shift};
  // Without copyUIDGID files belong to the container's root, as the client's ids mean nothing there.
  if (!exchange.request.query.truth("copyUIDGID")) options.owner = std::pair(0U, 0U);
  CO_TRY(BytePipe pipe, BytePipe::make());
  Unpacking work{std::move(target), options, std::move(pipe.read_end)};
  Result<void> unpacked;
  async::TaskGroup unpacking(api.loop());
  unpacking.spawn("archive unpack", unpack_in_background(api.loop(), work, unpacked));
  auto received = co_await body_to_pipe(exchange, std::move(pipe.write_end));
  co_await unpacking.join();
  CO_TRY_OK(std::move(unpacked));
  CO_TRY_OK(std::move(received));
  publish_container_event(api, *container, "extract-to-dir");
  co_return co_await exchange.respond_empty(200);
}

}  // namespace

void add_archive_routes(http::Router& router, Api& api) {
  add_route(router, api, "HEAD /containers/{id}/archive", head);
  add_route(router, api, "GET /containers/{id}/archive", get);
  add_route(router, api, "PUT /containers/{id}/archive", put, {.body_limit = http::kUnlimitedBody});
}

}  // namespace berth::docker
