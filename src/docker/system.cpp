// System: ping, version, info, disk usage, and the login to a registry.
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"
#include "docker/api.h"
#include "docker/fields.h"
#include "docker/inspect.h"
#include "docker/sizes.h"
#include "sys/file.h"

namespace berth::docker {

namespace {

using async::Task;
using http::Exchange;

void set_ping_headers(Exchange& exchange) {
  exchange.set_header("Cache-Control", "no-cache, no-store, must-revalidate");
  exchange.set_header("Pragma", "no-cache");
  // 1 is the classic builder: with 2 clients would try BuildKit, which is not there.
  exchange.set_header("Builder-Version", "1");
  exchange.set_header("Swarm", "inactive");
}

Task<Result<void>> ping(Api&, Exchange& exchange) {
  set_ping_headers(exchange);
  return exchange.respond_text(200, "OK");
}

// Docker answers HEAD without the length of what GET would send.
Task<Result<void>> ping_head(Api&, Exchange& exchange) {
  set_ping_headers(exchange);
  return exchange.respond(200, "", "text/plain; charset=utf-8");
}

utsname host_names() {
  utsname names{};
  ::uname(&names);
  return names;
}

Task<Result<void>> version(Api& api, Exchange& exchange) {
  utsname host = host_names();
  auto runtime = api.engine.runtimes().get("");
  json::Object details{{"ApiVersion", kApiVersion},
                       {"MinAPIVersion", kMinApiVersion},
                       {"Os", "linux"},
                       {"Arch", oci::host_platform().architecture},
                       {"KernelVersion", host.release},
                       {"Experimental", "false"},
                       {"GitCommit", ""},
                       {"GoVersion", ""},
                       {"BuildTime", ""}};
  json::Array components{json::Object{{"Name", "Engine"}, {"Version", api.version}, {"Details", std::move(details)}}};
  if (runtime)
    components.push_back(json::Object{
        {"Name", runtime->name}, {"Version", runtime->version}, {"Details", json::Object{{"GitCommit", ""}}}});
  json::Object answer{{"Platform", json::Object{{"Name", "Berth"}}},
                      {"Components", std::move(components)},
                      {"Version", api.version},
                      {"ApiVersion", kApiVersion},
                      {"MinAPIVersion", kMinApiVersion},
                      {"GitCommit", ""},
                      {"GoVersion", ""},
                      {"Os", "linux"},
                      {"Arch", oci::host_platform().architecture},
                      {"KernelVersion", host.release},
                      {"BuildTime", ""}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

// PRETTY_NAME of os-release(5).
std::string operating_system() {
  auto text = sys::read_file("/etc/os-release");
  if (text)
    for (const std::string& line : split(*text, '\n'))
      if (line.starts_with("PRETTY_NAME=")) {
        std::string_view value = trim(std::string_view(line).substr(12));
        if (value.starts_with('"') && value.ends_with('"') && value.size() >= 2)
          value = value.substr(1, value.size() - 2);
        return std::string(value);
      }
  return "Linux";
}

json::Value print_runtimes(const Api& api) {
  json::Object runtimes;
  for (const auto& [name, runtime] : api.engine.runtimes().all()) runtimes[name] = json::Object{{"path", runtime.path}};
  return runtimes;
}

void count_containers(const Api& api, json::Object& info) {
  int running = 0, paused = 0, stopped = 0;
  for (const auto& container : api.engine.list()) {
    if (container->status().state == engine::State::paused)
      ++paused;
    else if (container->running())
      ++running;
    else
      ++stopped;
  }
  info["Containers"] = running + paused + stopped;
  info["ContainersRunning"] = running;
  info["ContainersPaused"] = paused;
  info["ContainersStopped"] = stopped;
}

json::Array print_warnings(const Api& api) {
  json::Array warnings;
  for (const engine::Check& check : api.engine.preflight().checks)
    if (check.status != "ok") warnings.push_back(json::Value(fmt::format("{}: WARNING: {}", check.name, check.detail)));
  return warnings;
}

json::Object print_host(const Api& api) {
  utsname host = host_names();
  bool unified = sys::exists("/sys/fs/cgroup/cgroup.controllers");
  auto memory = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  return json::Object{{"KernelVersion", host.release},
                      {"OperatingSystem", operating_system()},
                      {"OSVersion", ""},
                      {"OSType", "linux"},
                      {"Architecture", host.machine},
                      {"NCPU", ::sysconf(_SC_NPROCESSORS_ONLN)},
                      {"MemTotal", memory},
                      {"Name", host.nodename},
                      {"DockerRootDir", api.engine.config().state_dir},
                      {"CgroupDriver", "cgroupfs"},
                      {"CgroupVersion", unified ? "2" : "1"}};
}

Task<Result<void>> info(Api& api, Exchange& exchange) {
  json::Object answer = print_host(api);
  count_containers(api, answer);
  auto id = sys::read_file("/etc/machine-id");
  answer["ID"] = std::string(id ? trim(*id) : "");
  answer["Images"] = api.images().list().size();
  answer["Driver"] = "overlay2";
  answer["DriverStatus"] = json::Array{json::Array{"Supports d_type", "true"}, json::Array{"userxattr", "false"}};
  answer["Plugins"] = json::Object{{"Volume", json::Array{"local"}},
                                   {"Network", json::Array{"bridge", "host", "null"}},
                                   {"Authorization", nullptr},
                                   {"Log", json::Array{"json-file", "none"}}};
  for (const char* limit : {"MemoryLimit", "SwapLimit", "CpuCfsPeriod", "CpuCfsQuota", "CPUShares", "CPUSet",
                            "PidsLimit", "OomKillDisable", "IPv4Forwarding"})
    answer[limit] = true;
  answer["BridgeNfIptables"] = false;
  answer["BridgeNfIp6tables"] = false;
  answer["Debug"] = false;
  answer["NFd"] = 0;
  answer["NGoroutines"] = 0;
  answer["NEventsListener"] = 0;
  answer["SystemTime"] = format_rfc3339(now());
  answer["LoggingDriver"] = "json-file";
  answer["IndexServerAddress"] = "https://index.docker.io/v1/";
  answer["RegistryConfig"] = json::Object{{"AllowNondistributableArtifactsCIDRs", json::Array{}},
                                          {"AllowNondistributableArtifactsHostnames", json::Array{}},
                                          {"InsecureRegistryCIDRs", json::Array{"127.0.0.0/8"}},
                                          {"IndexConfigs", json::Object{}},
                                          {"Mirrors", json::Array{}}};
  answer["GenericResources"] = nullptr;
  answer["HttpProxy"] = "";
  answer["HttpsProxy"] = "";
  answer["NoProxy"] = "";
  answer["Labels"] = json::Array{};
  answer["ExperimentalBuild"] = false;
  answer["ServerVersion"] = api.version;
  answer["Runtimes"] = print_runtimes(api);
  answer["DefaultRuntime"] = api.engine.runtimes().default_name();
  answer["Swarm"] = json::Object{
      {"NodeID", ""}, {"NodeAddr", ""},           {"LocalNodeState", "inactive"}, {"ControlAvailable", false},
      {"Error", ""},  {"RemoteManagers", nullptr}};
  answer["LiveRestoreEnabled"] = true;
  answer["Isolation"] = "";
  answer["InitBinary"] = "";
  for (const char* commit : {"ContainerdCommit", "RuncCommit", "InitCommit"})
    answer[commit] = json::Object{{"ID", ""}, {"Expected", ""}};
  answer["SecurityOptions"] = json::Array{"name=seccomp,profile=builtin", "name=userns", "name=cgroupns"};
  answer["Warnings"] = print_warnings(api);
  co_return co_await exchange.respond_json(200, std::move(answer));
}

Task<json::Array> print_used_volumes(Api& api) {
  json::Array volumes;
  for (const volume::Volume& volume : api.volumes().list()) {
    auto bytes = co_await api.volumes().usage(volume.name);
    if (!bytes) continue;
    volumes.push_back(json::Object{
        {"CreatedAt", format_rfc3339(volume.created)},
        {"Driver", volume.driver},
        {"Labels", json::encode(volume.labels)},
        {"Mountpoint", volume.mountpoint},
        {"Name", volume.name},
        {"Options", nullptr},
        {"Scope", "local"},
        {"UsageData", json::Object{{"RefCount", api.engine.using_volume(volume.name).size()}, {"Size", *bytes}}}});
  }
  co_return volumes;
}

Task<Result<void>> disk_usage(Api& api, Exchange& exchange) {
  image::DiskUsage usage = api.images().disk_usage();
  json::Array images;
  for (const image::ImagePtr& image : api.images().list()) {
    std::uint64_t shared = 0;
    for (const auto& [id, bytes] : usage.shared)
      if (id == image->id) shared = bytes;
    images.push_back(json::Object{{"Containers", api.engine.using_image(image->id.text()).size()},
                                  {"Created", image->config.created.nanoseconds / 1'000'000'000},
                                  {"Id", image->id.text()},
                                  {"Labels", json::encode(image->config.config.labels)},
                                  {"ParentId", ""},
                                  {"RepoDigests", json::encode(image->repo_digests)},
                                  {"RepoTags", json::encode(image->repo_tags)},
                                  {"SharedSize", shared},
                                  {"Size", image->size}});
  }
  json::Array containers;
  for (const auto& container : api.engine.list()) {
    // One that was removed meanwhile uses nothing.
    auto size = co_await measure(api, container);
    if (size) containers.push_back(print_summary(api, *container, *size));
  }
  json::Array volumes = co_await print_used_volumes(api);
  json::Object answer{{"LayersSize", usage.layers_bytes},
                      {"Images", std::move(images)},
                      {"Containers", std::move(containers)},
                      {"Volumes", std::move(volumes)},
                      {"BuildCache", json::Array{}}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

Task<Result<void>> login(Api& api, Exchange& exchange) {
  CO_TRY(json::Value body, co_await exchange.read_json());
  Fields fields(body, "");
  image::Credentials credentials;
  credentials.username = fields.take<std::string>("username");
  credentials.password = fields.take<std::string>("password");
  credentials.identity_token = fields.take<std::string>("identitytoken");
  credentials.registry_token = fields.take<std::string>("registrytoken");
  std::string server = fields.take<std::string>("serveraddress");
  CO_TRY_OK(fields.finish_body());
  CO_TRY(std::string status, co_await api.images().login(std::move(server), std::move(credentials)));
  json::Object answer{{"Status", status}, {"IdentityToken", ""}};
  co_return co_await exchange.respond_json(200, std::move(answer));
}

}  // namespace

void add_system_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /_ping", ping);
  add_route(router, api, "HEAD /_ping", ping_head);
  add_route(router, api, "GET /version", version);
  add_route(router, api, "GET /info", info);
  add_route(router, api, "GET /system/df", disk_usage);
  add_route(router, api, "POST /auth", login);
}

}  // namespace berth::docker
