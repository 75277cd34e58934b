// berth-portal: the unprivileged daemon that people meet.
//
// It needs to read and write its own socket and the engine's restricted one, and nothing else; --user gives root up as
// soon as the sockets are open, for where no service manager does it.

#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "async/task_group.h"
#include "base/log.h"
#include "base/text.h"
#include "http/server.h"
#include "portal/portal.h"
#include "sys/unix_socket.h"

namespace berth::portal {

namespace {

constexpr const char* kUsage = R"(usage: berth-portal [OPTIONS]

  --listen ADDRESS:PORT   where browsers and curl come in (127.0.0.1:8080); none: nowhere
  --socket PATH           the unix socket of the berth command (/run/berth/portal.sock)
  --engine PATH           the engine's socket for the portal (/run/berth/engine-portal.sock)
  --host NAME             the name of this machine in addresses that are shown; as the client called it otherwise
  --user NAME             become this account once the sockets are open
  --image REFERENCE       what a workspace is made from unless told (berth/workspace:latest)
  --memory SIZE           memory of a workspace unless told (512m)
  --idle-timeout TIME     without connection or process until a workspace stops (10m); 0: never
  --session-timeout TIME  without input or output until a login shell ends (15m); 0: never
  --ssh-address ADDRESS   where workspaces' ports are (0.0.0.0)
  --port-base NUMBER      workspace n has ports NUMBER+10n to NUMBER+10n+9 (2000)
  --network NAME          the engine's network of workspaces (workspaces)
  --verbose               log more
)";

struct Options {
  std::string listen = "127.0.0.1:8080";
  std::string socket = "/run/berth/portal.sock";
  std::string engine = "/run/berth/engine-portal.sock";
  std::string user;
  PortalOptions portal;
  workspace::Settings settings;
  bool help = false;
};

enum Flag : int {
  kListen = 1000,
  kSocket,
  kEngine,
  kHost,
  kUser,
  kImage,
  kMemory,
  kIdle,
  kSession,
  kAddress,
  kBase,
  kNetwork,
  kVerbose,
  kHelp
};

constexpr option kFlags[] = {{"listen", required_argument, nullptr, kListen},
                             {"socket", required_argument, nullptr, kSocket},
                             {"engine", required_argument, nullptr, kEngine},
                             {"host", required_argument, nullptr, kHost},
                             {"user", required_argument, nullptr, kUser},
                             {"image", required_argument, nullptr, kImage},
                             {"memory", required_argument, nullptr, kMemory},
                             {"idle-timeout", required_argument, nullptr, kIdle},
                             {"session-timeout", required_argument, nullptr, kSession},
                             {"ssh-address", required_argument, nullptr, kAddress},
                             {"port-base", required_argument, nullptr, kBase},
                             {"network", required_argument, nullptr, kNetwork},
                             {"verbose", no_argument, nullptr, kVerbose},
                             {"help", no_argument, nullptr, kHelp},
                             {}};

Result<std::int64_t> parse_timeout(std::string_view text) {
  if (text == "0") return 0;
  TRY(auto duration, parse_duration(text));
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

Result<std::uint16_t> parse_port_base(std::string_view text) {
  auto base = parse_number<std::uint16_t>(text);
  if (!base || *base < 1024 || workspace::max_number(*base) < 1)
    return fail(ErrorCode::invalid, "a port base is a number from 1024 to 65516");
  return *base;
}

Result<void> apply(int flag, std::string value, Options& options) {
  switch (flag) {
    case kListen:
      options.listen = value == "none" ? "" : value;
      return {};
    case kSocket:
      options.socket = value;
      return {};
    case kEngine:
      options.engine = value;
      return {};
    case kHost:
      options.portal.host = to_lower(value);
      return {};
    case kUser:
      options.user = value;
      return {};
    case kImage:
      options.settings.default_image = value;
      return {};
    case kMemory: {
      TRY(options.settings.default_memory, parse_bytes(value));
      return {};
    }
    case kIdle: {
      TRY(options.settings.idle_timeout, parse_timeout(value));
      return {};
    }
    case kSession: {
      TRY(options.settings.session_timeout, parse_timeout(value));
      return {};
    }
    case kAddress:
      options.settings.listen_address = value;
      return {};
    case kBase: {
      TRY(options.settings.port_base, parse_port_base(value));
      return {};
    }
    case kNetwork:
      options.settings.network = value;
      return {};
    case kVerbose:
      log::set_level(log::Level::debug);
      return {};
    default:
      options.help = true;
      return {};
  }
}

Result<Options> parse_arguments(int argc, char** argv) {
  Options options;
  opterr = 0;
  for (int index = 0;;) {
    int flag = getopt_long(argc, argv, "", kFlags, &index);
    if (flag == -1) break;
    if (flag == '?') return fail(ErrorCode::invalid, "unknown option or missing value: {}", argv[optind - 1]);
    TRY_OK(annotate(apply(flag, optarg == nullptr ? "" : optarg, options), "--{}", kFlags[index].name));
  }
  if (optind < argc) return fail(ErrorCode::invalid, "unexpected argument: {}", argv[optind]);
  return options;
}

// For good: no way back to root, nor to more privileges by a setuid program.
Result<void> become(const std::string& name) {
  const passwd* account = getpwnam(name.c_str());
  if (account == nullptr) return fail(ErrorCode::not_found, "there is no account {}", name);
  if (initgroups(name.c_str(), account->pw_gid) != 0) return fail_errno("set the groups of " + name);
  if (setgid(account->pw_gid) != 0) return fail_errno("become the group of " + name);
  if (setuid(account->pw_uid) != 0) return fail_errno("become " + name);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("give up new privileges");
  return {};
}

// The socket belongs to the account that the portal becomes, so that a restart as that account can replace it.
Result<void> give_socket(const std::string& path, const std::string& name) {
  const passwd* account = getpwnam(name.c_str());
  if (account == nullptr) return fail(ErrorCode::not_found, "there is no account {}", name);
  if (chown(path.c_str(), account->pw_uid, account->pw_gid) != 0) return fail_errno("give " + path + " to " + name);
  return {};
}

Result<void> open_sockets(http::Server& server, Options& options) {
  TRY(auto socket, sys::listen_unix(options.socket, SOCK_STREAM, 0660));
  server.listen(std::move(socket), {.access = 0, .name = options.socket});
  if (!options.user.empty()) TRY_OK(give_socket(options.socket, options.user));
  if (options.listen.empty()) return {};
  TRY(auto endpoint, http::Endpoint::parse("tcp://" + options.listen));
  TRY(auto tcp, http::listen_tcp(endpoint.host, endpoint.port));
  server.listen(std::move(tcp), {.access = 0, .name = options.listen});
  return {};
}

// Replacements that were cut off are finished as soon as there is an engine.
async::Task<> recover(workspace::Workspaces& workspaces) {
  while (true) {
    auto outcome = co_await workspaces.recover();
    if (outcome) break;
    if (outcome.error().name() != "engine_away") {
      log::error("recovery failed", {{"error", outcome.error().error().text()}});
      break;
    }
    co_await async::sleep_for(std::chrono::seconds(2));
    if (co_await async::cancelled()) break;
  }
}

async::Task<> shut_down(async::Loop& loop, http::Server& server) {
  co_await server.stop();
  loop.stop();
}

http::Headers security_headers() {
  return {{"Server", "berth-portal"},
          {"Content-Security-Policy",
           "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri "
           "'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cache-Control", "no-store"}};
}

Result<void> run(Options options) {
  http::Endpoint engine_endpoint;
  engine_endpoint.unix_path = options.engine;
  if (!options.listen.empty()) {
    TRY(auto endpoint, annotate(http::Endpoint::parse("tcp://" + options.listen), "--listen"));
    options.portal.port = endpoint.port;
  }
  async::Loop loop(1);
  workspace::EngineClient engine(loop, engine_endpoint);
  workspace::Workspaces workspaces(loop, engine, options.settings);
  Portal portal(workspaces, options.portal);
  http::ServerLimits limits;
  limits.max_connections = 512;
  limits.max_header_bytes = 16 << 10;
  http::Server server(loop, portal.router(), limits, security_headers());
  TRY_OK(open_sockets(server, options));
  if (!options.user.empty()) TRY_OK(become(options.user));

  async::TaskGroup tasks(loop);
  loop.on_signals({SIGTERM, SIGINT}, [&](int) { tasks.spawn("shut down", shut_down(loop, server)); });
  tasks.spawn("recover", recover(workspaces));
  log::info("portal ready", {{"listen", options.listen}, {"socket", options.socket}, {"engine", options.engine}});
  loop.run();
  return {};
}

int main_of(int argc, char** argv) {
  auto options = parse_arguments(argc, argv);
  if (!options) {
    fmt::print(stderr, "berth-portal: {}\ntry: berth-portal --help\n", options.error().text());
    return 2;
  }
  if (options->help) {
    fmt::print("{}", kUsage);
    return 0;
  }
  auto result = run(*std::move(options));
  if (result) return 0;
  fmt::print(stderr, "berth-portal: {}\n", result.error().text());
  return 1;
}

}  // namespace

}  // namespace berth::portal

int main(int argc, char** argv) { return berth::portal::main_of(argc, argv); }
