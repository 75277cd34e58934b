#include "docker/inspect.h"

#include <algorithm>

#include "base/text.h"
#include "docker/detail/host_config_print.h"
#include "engine/activation.h"

namespace berth::docker {

namespace {

using engine::ContainerSpec;
using engine::ContainerStatus;
using engine::State;

json::Value words_or_null(const std::vector<std::string>& words) {
  return words.empty() ? json::Value(nullptr) : json::encode(words);
}

json::Value print_health(const engine::HealthStatus& health) {
  json::Array log;
  for (const engine::HealthProbe& probe : health.log)
    log.push_back(json::Object{{"Start", format_rfc3339(probe.start)},
                               {"End", format_rfc3339(probe.end)},
                               {"ExitCode", probe.exit_code},
                               {"Output", probe.output}});
  return json::Object{{"Status", health.state}, {"FailingStreak", health.failing_streak}, {"Log", std::move(log)}};
}

json::Value print_state(const engine::Container& container) {
  const ContainerStatus& status = container.status();
  json::Object state{{"Status", engine::state_name(status.state)},
                     {"Running", container.active()},
                     {"Paused", status.state == State::paused},
                     {"Restarting", status.state == State::restarting},
                     {"OOMKilled", status.oom_killed},
                     {"Dead", status.state == State::dead},
                     {"Pid", container.running() ? status.process.pid : 0},
                     {"ExitCode", status.exit_code},
                     {"Error", status.error},
                     {"StartedAt", format_rfc3339(status.started_at)},
                     {"FinishedAt", format_rfc3339(status.finished_at)}};
  if (status.health) state["Health"] = print_health(*status.health);
  return state;
}

json::Value print_healthcheck(const engine::HealthSpec& health) {
  json::Object shown;
  if (!health.test.empty()) shown["Test"] = json::encode(health.test);
  for (auto [name, value] : {std::pair{"Interval", health.interval},
                             {"Timeout", health.timeout},
                             {"StartPeriod", health.start_period},
                             {"StartInterval", health.start_interval},
                             {"Retries", std::int64_t(health.retries)}})
    if (value != 0) shown[name] = value;
  return shown;
}

json::Value print_config(const ContainerSpec& spec) {
  json::Object exposed;
  for (const std::string& port : spec.exposed_ports) exposed[port] = json::Object{};
  json::Object volumes;
  for (const std::string& target : spec.volumes) volumes[target] = json::Object{};
  json::Object config{{"Hostname", spec.hostname},
                      {"Domainname", spec.domainname},
                      {"User", spec.process.user},
                      {"AttachStdin", spec.attach_stdin},
                      {"AttachStdout", spec.attach_stdout},
                      {"AttachStderr", spec.attach_stderr},
                      {"Tty", spec.process.tty},
                      {"OpenStdin", spec.open_stdin},
                      {"StdinOnce", spec.stdin_once},
                      {"Env", json::encode(spec.process.env)},
                      {"Cmd", words_or_null(spec.cmd)},
                      {"Image", spec.image},
                      {"Volumes", volumes.empty() ? json::Value(nullptr) : json::Value(std::move(volumes))},
                      {"WorkingDir", spec.process.working_dir},
                      {"Entrypoint", words_or_null(spec.entrypoint)},
                      {"OnBuild", nullptr},
                      {"Labels", json::encode(spec.labels)}};
  if (!exposed.empty()) config["ExposedPorts"] = std::move(exposed);
  if (!spec.stop_signal.empty()) config["StopSignal"] = spec.stop_signal;
  if (spec.stop_timeout) config["StopTimeout"] = *spec.stop_timeout;
  if (spec.health) config["Healthcheck"] = print_healthcheck(*spec.health);
  if (!spec.shell.empty()) config["Shell"] = json::encode(spec.shell);
  return config;
}

std::vector<network::PublishedPort> published_ports(const engine::Container& container) {
  std::vector<network::PublishedPort> ports;
  for (const network::Endpoint& endpoint : container.endpoints())
    ports.insert(ports.end(), endpoint.ports.begin(), endpoint.ports.end());
  return ports;
}

// Exposed ports, and for each where it is published.
json::Value print_ports(const engine::Container& container) {
  json::Object ports;
  if (!container.running()) return ports;
  for (const std::string& exposed : container.spec().exposed_ports) ports[exposed] = nullptr;
  for (const network::PublishedPort& bound : published_ports(container)) {
    json::Value& list = ports[fmt::format("{}/{}", bound.container_port, bound.protocol)];
    if (!list.is_array()) list = json::Array{};
    list.get_array().push_back(
        json::Object{{"HostIp", bound.host_ip.text()}, {"HostPort", std::to_string(bound.host_port)}});
  }
  return ports;
}

json::Value print_network_settings(const Api& api, const engine::Container& container) {
  // Docker's old members tell of the network `bridge` alone.
  network::Endpoint bridge;
  for (const network::Endpoint& endpoint : container.endpoints())
    if (endpoint.network_name == network::kBridgeNetwork) bridge = endpoint;
  bool on_bridge = !bridge.id.empty();
  return json::Object{
      {"Bridge", ""},
      {"SandboxID", container.running() ? container.id() : ""},
      {"SandboxKey",
       container.running() ? fmt::format("/proc/{}/ns/net", container.status().process.pid) : std::string()},
      {"Ports", print_ports(container)},
      {"HairpinMode", false},
      {"LinkLocalIPv6Address", ""},
      {"LinkLocalIPv6PrefixLen", 0},
      {"SecondaryIPAddresses", nullptr},
      {"SecondaryIPv6Addresses", nullptr},
      {"EndpointID", bridge.id},
      {"Gateway", on_bridge ? bridge.gateway.text() : ""},
      {"GlobalIPv6Address", ""},
      {"GlobalIPv6PrefixLen", 0},
      {"IPAddress", on_bridge ? bridge.ip.text() : ""},
      {"IPPrefixLen", bridge.prefix},
      {"IPv6Gateway", ""},
      {"MacAddress", on_bridge ? bridge.mac.text() : ""},
      {"Networks", print_networks(api, container)}};
}

json::Value print_berth(const engine::Container& container) {
  const ContainerSpec& spec = container.spec();
  std::vector<int> connections = container.active_connections();
  json::Array activations;
  for (std::size_t i = 0; i < spec.activations.size(); ++i) {
    const engine::ActivationSpec& activation = spec.activations[i];
    activations.push_back(json::Object{{"Name", activation.name},
                                       {"Listen", activation.listen},
                                       {"MaxConnections", activation.max_connections},
                                       {"ActiveConnections", i < connections.size() ? connections[i] : 0},
                                       {"LastUsed", format_rfc3339(container.status().last_used)}});
  }
  return json::Object{
      {"Activations", std::move(activations)}, {"IdleTimeout", spec.idle_timeout}, {"GuestTools", spec.guest_tools}};
}

json::Value print_graph_driver(const engine::Container& container) {
  std::vector<std::string> lower = container.layers();
  std::ranges::reverse(lower);
  return json::Object{{"Name", "overlay2"},
                      {"Data", json::Object{{"LowerDir", join(lower, ":")},
                                            {"UpperDir", container.upper_dir() + "/diff"},
                                            {"WorkDir", container.upper_dir() + "/work"}}}};
}

std::string container_command(const ContainerSpec& spec) {
  std::vector<std::string> shown;
  for (const std::string& word : spec.process.args) {
    bool quoted = word.find_first_of(" \t\n\"'\\") != std::string::npos;
    shown.push_back(quoted ? fmt::format("'{}'", word) : word);
  }
  return join(shown, " ");
}

json::Value print_summary_ports(const engine::Container& container) {
  json::Array ports;
  if (!container.running()) return ports;
  std::vector<network::PublishedPort> bound = published_ports(container);
  for (const std::string& exposed : container.spec().exposed_ports) {
    auto [number, protocol] = split_once(exposed, '/');
    auto port = parse_number<std::uint16_t>(number).value_or(0);
    bool published = std::ranges::any_of(bound, [&](const network::PublishedPort& each) {
      return each.container_port == port && each.protocol == protocol.value_or("tcp");
    });
    if (!published) ports.push_back(json::Object{{"PrivatePort", port}, {"Type", protocol.value_or("tcp")}});
  }
  for (const network::PublishedPort& each : bound)
    ports.push_back(json::Object{{"IP", each.host_ip.text()},
                                 {"PrivatePort", each.container_port},
                                 {"PublicPort", each.host_port},
                                 {"Type", each.protocol}});
  return ports;
}

}  // namespace

std::string shown_image(const Api& api, const ContainerSpec& spec) {
  auto named = api.images().find(spec.image);
  return named && (*named)->id.text() == spec.image_id ? spec.image : spec.image_id;
}

json::Value print_mounts(const Api& api, const engine::Container& container) {
  json::Array mounts;
  for (const engine::MountSpec& mount : container.spec().mounts) {
    json::Object shown{{"Type", mount.type}};
    if (mount.type == "volume") {
      auto volume = api.volumes().find(mount.source);
      shown["Name"] = mount.source;
      shown["Source"] = volume ? volume->mountpoint : "";
      shown["Driver"] = "local";
    } else {
      shown["Source"] = mount.source;
    }
    shown["Destination"] = mount.target;
    shown["Mode"] = mount.type == "volume" && mount.mode.empty() ? "z" : mount.mode;
    shown["RW"] = !mount.read_only;
    shown["Propagation"] = mount.type == "bind" && mount.propagation.empty() ? "rprivate" : mount.propagation;
    mounts.push_back(std::move(shown));
  }
  return mounts;
}

json::Value print_inspect(const Api& api, const engine::Container& container,
                          const std::optional<ContainerSize>& size) {
  const ContainerSpec& spec = container.spec();
  std::string files = api.engine.paths().files(spec.id);
  const std::vector<std::string>& args = spec.process.args;
  json::Object shown{{"Id", spec.id},
                     {"Created", format_rfc3339(spec.created)},
                     {"Path", args.empty() ? "" : args.front()},
                     {"Args", args.empty() ? json::Value(json::Array{})
                                           : json::encode(std::vector<std::string>(args.begin() + 1, args.end()))},
                     {"State", print_state(container)},
                     {"Image", spec.image_id},
                     {"ResolvConfPath", files + "/resolv.conf"},
                     {"HostnamePath", files + "/hostname"},
                     {"HostsPath", files + "/hosts"},
                     {"LogPath", spec.log.driver == "json-file" ? container.log_path() : ""},
                     {"Name", "/" + spec.name},
                     {"RestartCount", container.status().restart_count},
                     {"Driver", "overlay2"},
                     {"Platform", "linux"},
                     {"MountLabel", ""},
                     {"ProcessLabel", ""},
                     {"AppArmorProfile", ""},
                     {"ExecIDs", nullptr},
                     {"HostConfig", detail::print_host_config(api, spec)},
                     {"GraphDriver", print_graph_driver(container)}};
  if (size) {
    shown["SizeRw"] = size->writable;
    shown["SizeRootFs"] = size->root;
  }
  shown["Mounts"] = print_mounts(api, container);
  shown["Config"] = print_config(spec);
  shown["NetworkSettings"] = print_network_settings(api, container);
  shown["Berth"] = print_berth(container);
  return shown;
}

json::Value print_summary(const Api& api, const engine::Container& container,
                          const std::optional<ContainerSize>& size) {
  const ContainerSpec& spec = container.spec();
  json::Object shown{{"Id", spec.id},
                     {"Names", json::Array{"/" + spec.name}},
                     {"Image", shown_image(api, spec)},
                     {"ImageID", spec.image_id},
                     {"Command", container_command(spec)},
                     {"Created", spec.created.nanoseconds / 1'000'000'000},
                     {"Ports", print_summary_ports(container)}};
  if (size) {
    shown["SizeRw"] = size->writable;
    shown["SizeRootFs"] = size->root;
  }
  shown["Labels"] = json::encode(spec.labels);
  shown["State"] = engine::state_name(container.status().state);
  shown["Status"] = engine::status_text(container.status(), now());
  shown["HostConfig"] = json::Object{{"NetworkMode", spec.network}};
  shown["NetworkSettings"] = json::Object{{"Networks", print_networks(api, container)}};
  shown["Mounts"] = print_mounts(api, container);
  // Docker's entries have no such member; only what Docker cannot make gets it.
  if (!spec.activations.empty()) shown["Berth"] = print_berth(container);
  return shown;
}

}  // namespace berth::docker
