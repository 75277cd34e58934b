// berth-engine: wires the parts together, serves until SIGTERM, and leaves the containers running.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/crash_point.h"
#include "base/text.h"
#include "docker/api.h"
#include "docker/options.h"
#include "engine/cgroup.h"
#include "http/client.h"
#include "http/server.h"
#include "http/tls_listener.h"
#include "sys/file.h"
#include "sys/unix_socket.h"

namespace {

using namespace berth;
using docker::Options;

constexpr std::chrono::seconds kCloseImages{3};

// Everything that main() owns, in the order in which it must go.
struct Daemon {
  explicit Daemon(Options given) : options(std::move(given)), stopping(loop), images_closed(loop), tasks(loop) {}

  Options options;
  sys::UniqueFd lock;
  async::Loop loop;
  std::unique_ptr<image::Store> images;
  std::unique_ptr<network::Manager> networks;
  std::unique_ptr<volume::Volumes> volumes;
  std::unique_ptr<engine::Engine> engine;
  async::Event stopping;
  async::Event images_closed;
  int exit_code = 0;
  async::TaskGroup tasks;
};

// Two engines over one state would each take the other's half-made things for remains of a crash.
Result<sys::UniqueFd> take_state(const std::string& directory) {
  std::string path = directory + "/engine.lock";
  TRY(sys::UniqueFd lock, sys::open_file(path, O_RDWR | O_CREAT, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) < 0)
    return fail(ErrorCode::busy, "another engine uses {}: it holds {}", directory, path);
  return lock;
}

Result<void> open_parts(Daemon& daemon) {
  const Options& options = daemon.options;
  TRY_OK(sys::ensure_directories(options.engine.state_dir, 0711));
  TRY_OK(sys::ensure_directories(options.engine.run_dir, 0755));
  TRY(daemon.lock, take_state(options.engine.state_dir));
  image::StoreSettings settings;
  settings.directory = options.engine.state_dir + "/images";
  settings.unpack_program = options.engine.libexec_dir + "/berth-unpack";
  settings.insecure_registries = options.insecure_registries;
  settings.registry_mirrors = options.registry_mirrors;
  settings.user_agent = "berth/" BERTH_VERSION;
  TRY(daemon.images, annotate(image::Store::open(daemon.loop, std::move(settings)), "open the images"));
  TRY(daemon.networks, annotate(network::Manager::open(daemon.loop, options.network), "open the networks"));
  auto users = [&daemon](std::string_view name) {
    std::vector<std::string> ids;
    if (daemon.engine)
      for (const auto& container : daemon.engine->using_volume(name)) ids.push_back(container->id());
    return ids;
  };
  std::string directory = options.engine.state_dir + "/volumes";
  TRY(daemon.volumes, annotate(volume::Volumes::open(daemon.loop, directory, users), "open the volumes"));
  return {};
}

// Root, and the group when one is named.
Result<sys::UniqueFd> listen_at(const std::string& path, const std::string& group) {
  TRY(sys::UniqueFd socket, sys::listen_unix(path, SOCK_STREAM | SOCK_NONBLOCK, group.empty() ? 0600 : 0660, 1024));
  if (group.empty()) return socket;
  const ::group* entry = ::getgrnam(group.c_str());
  if (entry == nullptr) return fail(ErrorCode::invalid, "there is no group {}: groupadd --system {}", group, group);
  if (::chown(path.c_str(), 0, entry->gr_gid) < 0) return fail_errno("give " + path + " to the group " + group);
  return socket;
}

using TlsListeners = std::vector<std::unique_ptr<http::TlsListener>>;

async::Task<Result<void>> listen_tls(Daemon& daemon, http::Server& server, TlsListeners& listeners) {
  const Options& options = daemon.options;
  for (const std::string& host : options.hosts) {
    CO_TRY(http::Endpoint endpoint, http::Endpoint::parse(host));
    http::TlsOptions tls{.program = options.engine.libexec_dir + "/berth-tls",
                         .address = endpoint.host,
                         .port = endpoint.port,
                         .authority = options.tls_authority,
                         .certificate = options.tls_certificate,
                         .key = options.tls_key,
                         .listener = {static_cast<int>(docker::Access::full), host}};
    listeners.push_back(std::make_unique<http::TlsListener>(daemon.loop, server, std::move(tls)));
    auto started = co_await listeners.back()->start();
    if (!started) co_return std::unexpected(std::move(started).error().with("serve " + host));
  }
  co_return Result<void>();
}

async::Task<Result<void>> run(Daemon& daemon) {
  engine::Parts parts{daemon.loop, *daemon.images, *daemon.networks, *daemon.volumes};
  auto opened = co_await engine::Engine::open(daemon.options.engine, parts);
  if (!opened) co_return std::unexpected(std::move(opened).error().with("open the engine"));
  daemon.engine = std::move(*opened);
  docker::Api api{*daemon.engine, BERTH_VERSION};
  http::Server server(daemon.loop, docker::make_router(api), {}, docker::common_headers(api));
  CO_TRY(auto full, listen_at(daemon.options.socket, daemon.options.socket_group));
  CO_TRY(auto portal, listen_at(daemon.options.portal_socket, daemon.options.portal_group));
  server.listen(std::move(full), {static_cast<int>(docker::Access::full), "engine"});
  server.listen(std::move(portal), {static_cast<int>(docker::Access::portal), "portal"});
  TlsListeners tls;
  Result<void> listening = co_await listen_tls(daemon, server, tls);
  if (listening)
    log::info("engine serves", {{"socket", daemon.options.socket},
                                {"runtime", daemon.engine->runtimes().default_name()},
                                {"version", BERTH_VERSION}});
  if (listening) co_await daemon.stopping.wait();
  log::info("engine stops");
  for (const auto& listener : tls) co_await listener->stop();
  co_await server.stop();
  co_return listening;
}

async::Task<> close_images(Daemon& daemon) {
  co_await daemon.images->close();
  daemon.images_closed.set();
}

async::Task<> serve(Daemon& daemon) {
  Result<void> result = co_await run(daemon);
  if (!result) {
    log::error("engine cannot serve", {{"error", result.error().text()}});
    daemon.exit_code = 1;
  }
  if (daemon.engine) co_await daemon.engine->close();
  // Transfers are given up at once; what can take long is the removal of large trees, and the next start goes on with
  // that. All state is as after kill -9: complete on disk.
  daemon.tasks.spawn("close images", close_images(daemon));
  if (!co_await daemon.images_closed.wait_for(kCloseImages)) std::_Exit(daemon.exit_code);
  daemon.loop.stop();
}

// Each container costs a few descriptors; without CAP_SYS_RESOURCE the hard limit stays what it is.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warning("cannot raise the limit of open files");
}

int complain(const Error& error) {
  std::fprintf(stderr, "berth-engine: %s\n", error.text().c_str());
  return 1;
}

int serve_until_stopped(Options options) {
  if (::geteuid() != 0)
    return complain(Error(ErrorCode::denied, "the engine must be root: it makes mounts, namespaces and networks"));
  raise_descriptor_limit();
  Daemon daemon(std::move(options));
  if (auto opened = open_parts(daemon); !opened) return complain(opened.error());
  daemon.loop.on_signals({SIGTERM, SIGINT}, [&daemon](int) { daemon.stopping.set(); });
  daemon.tasks.spawn("engine", serve(daemon));
  daemon.loop.run();
  return daemon.exit_code;
}

// What the engine has made outside of its directories.
Result<void> remove_from_host(const Options& options) {
  TRY_OK(network::Manager::remove_from_host(options.network));
  TRY(auto layout, engine::CgroupLayout::detect());
  return engine::Cgroup(layout, options.engine.cgroup_parent).remove();
}

std::string own_directory() {
  char path[4096];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  std::string_view text(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  return std::string(text.substr(0, text.rfind('/')));
}

}  // namespace

int main(int argc, char** argv) {
  auto options = docker::parse_options({argv + 1, argv + argc}, own_directory());
  if (!options) return complain(options.error());
  log::set_level(options->log_level);
  if (options->help) {
    std::fputs(docker::usage().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::puts("berth-engine " BERTH_VERSION);
    return 0;
  }
  if (options->list_crash_points) {
    for (std::string_view name : kCrashPoints) std::puts(std::string(name).c_str());
    return 0;
  }
  if (options->remove_from_host) {
    auto removed = remove_from_host(*options);
    return removed ? 0 : complain(removed.error());
  }
  return serve_until_stopped(*std::move(options));
}
