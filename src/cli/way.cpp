#include "cli/way.h"

#include <cstdlib>

#include "base/text.h"
#include "cli/daemon.h"
#include "cli/docker_config.h"

namespace berth::cli {

namespace {

constexpr std::string_view kTlsPort = "2376";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct Choice {
  std::string context = "default";
  std::string host;
};

Result<Choice> choose(const WayFlags& flags, bool as_docker) {
  if (!flags.host.empty() && !flags.context.empty())
    return fail(ErrorCode::invalid, "conflicting options: cannot specify both --host and --context");
  if (!flags.host.empty()) return Choice{.host = flags.host};
  bool named = !flags.context.empty() && flags.context != "default";
  if (named) return Choice{.context = flags.context};
  if (std::string host = as_docker ? "" : environment("BERTH_HOST"); !host.empty()) return Choice{.host = host};
  if (std::string host = environment("DOCKER_HOST"); !host.empty()) return Choice{.host = host};
  if (!flags.context.empty()) return Choice{};
  if (std::string context = environment("DOCKER_CONTEXT"); !context.empty()) return Choice{.context = context};
  auto config = read_config();
  std::string chosen = config ? json::string_or(*config, "currentContext") : "";
  return Choice{.context = chosen.empty() ? "default" : chosen};
}

// ssh://[USER@]HOST[:PORT][/SOCKET]: the program at the other end passes the stream to its engine.
Result<http::Endpoint> by_ssh(std::string_view host, bool as_docker) {
  auto [authority, socket] = split_once(host.substr(6), '/');
  std::size_t at = authority.rfind('@');
  std::string_view user = at == std::string_view::npos ? "" : authority.substr(0, at);
  std::string_view name = at == std::string_view::npos ? authority : authority.substr(at + 1);
  auto [machine, port] = split_once(name, ':');
  // What begins with a dash would be an option of ssh.
  bool bad_port = port && !parse_number<std::uint16_t>(*port);
  if (machine.empty() || machine.starts_with('-') || user.starts_with('-') || bad_port)
    return fail(ErrorCode::invalid, "not an address: {} (want ssh://[USER@]HOST[:PORT])", host);
  http::Endpoint endpoint{.command = {"/usr/bin/env", "ssh", "-T", "-o", "ConnectTimeout=30"}};
  auto add = [&endpoint](auto... words) { (endpoint.command.emplace_back(words), ...); };
  if (!user.empty()) add("-l", user);
  if (port) add("-p", *port);
  add("--", machine, as_docker ? "docker" : "berth");
  if (socket && !socket->empty()) add("--host", fmt::format("unix:///{}", *socket));
  add("system", "dial-stdio");
  return endpoint;
}

Result<http::Endpoint> by_tls(const std::string& host, const TlsFlags& files, const std::string& directory) {
  std::string_view rest = std::string_view(host).substr(6);
  bool has_port = rest.find(':', rest.starts_with('[') ? rest.find(']') : 0) != std::string_view::npos;
  TRY(auto place, http::Endpoint::parse(has_port ? host : fmt::format("{}:{}", host, kTlsPort)));
  TRY(std::string program, find_program("berth-tls"));
  auto file = [&](const std::string& given, const char* name) {
    return given.empty() ? fmt::format("{}/{}", directory, name) : given;
  };
  place.command = {program,
                   "connect",
                   place.host,
                   std::to_string(place.port),
                   file(files.authority, "ca.pem"),
                   file(files.certificate, "cert.pem"),
                   file(files.key, "key.pem")};
  return place;
}

}  // namespace

Result<Way> find_way(const WayFlags& flags, bool as_docker) {
  TRY(Choice choice, choose(flags, as_docker));
  Way way{.context = choice.context, .host = choice.host};
  bool tls = flags.tls.wanted || !environment("DOCKER_TLS_VERIFY").empty();
  std::string directory = environment("DOCKER_CERT_PATH");
  if (directory.empty()) directory = config_directory();
  if (choice.context != "default") {
    TRY(StoredContext context, find_context(choice.context));
    way.host = context.host;
    tls = !context.tls_directory.empty();
    directory = context.tls_directory;
  }
  if (way.host.empty()) way.host = as_docker ? "unix:///var/run/docker.sock" : "unix:///run/berth/engine.sock";
  if (way.host.starts_with("ssh://")) {
    TRY(way.endpoint, by_ssh(way.host, as_docker));
  } else if (tls && way.host.starts_with("tcp://")) {
    TRY(way.endpoint, by_tls(way.host, flags.tls, directory));
  } else {
    TRY(way.endpoint, http::Endpoint::parse(way.host));
  }
  return way;
}

}  // namespace berth::cli
