// From a service to the body of POST /containers/create.
#include "compose/container_request.h"
#include "support.h"

namespace berth::compose {
namespace {

struct Made {
  json::Value body;
  ContainerRequest request;
  std::string error;
};

Made make(const std::string& text, ContainerPlan plan = {}) {
  Directory directory{{"compose.yaml", text}, {"s.txt", "secret"}};
  LoadOptions options = directory.options();
  options.environment = {{"SECRET", "hidden"}};
  auto project = load_project(options);
  if (!project) return {nullptr, {}, project.error().text()};
  if (plan.name.empty()) plan.name = "p-a-1";
  auto request = make_container_request(*project, project->services.find("a")->second, plan);
  if (!request) return {nullptr, {}, request.error().text()};
  return {*json::parse(directory.shown(json::print(request->body))), *request, ""};
}

std::string host(const Made& made, std::string_view field) {
  const json::Value* host = json::find(made.body, "HostConfig");
  const json::Value* value = host == nullptr ? nullptr : json::find(*host, field);
  return value == nullptr ? "none" + made.error : json::print(sorted(*value));
}

std::string config(const Made& made, std::string_view field) {
  const json::Value* value = json::find(made.body, field);
  return value == nullptr ? "none" + made.error : json::print(sorted(*value));
}

std::string service(const std::string& lines, const std::string& rest = "") {
  return "services: {a: {image: i, " + lines + "}}\n" + rest;
}

struct Case {
  const char* written;
  const char* field;
  const char* expected;
};

TEST(ContainerRequest, HostConfig) {
  for (const Case& test : {
           Case{"cap_add: [NET_ADMIN]", "CapAdd", R"(["NET_ADMIN"])"},
           {"privileged: true", "Privileged", "true"},
           {"read_only: true", "ReadonlyRootfs", "true"},
           {"mem_limit: 1m, memswap_limit: -1", "MemorySwap", "-1"},
           {"cpus: 0.5", "NanoCpus", "500000000"},
           {"deploy: {resources: {limits: {cpus: '1.5', memory: 1m, pids: 5}}}", "NanoCpus", "1500000000"},
           {"deploy: {resources: {limits: {memory: 1m}, reservations: {memory: 1k}}}", "MemoryReservation", "1024"},
           {"pids_limit: 5", "PidsLimit", "5"},
           {"ports: ['127.0.0.1:80:81', '82']", "PortBindings",
            R"({"81/tcp":[{"HostIp":"127.0.0.1","HostPort":"80"}],"82/tcp":[{"HostIp":"","HostPort":""}]})"},
           {"restart: on-failure:3", "RestartPolicy", R"({"MaximumRetryCount":3,"Name":"on-failure"})"},
           {"restart: 'no'", "RestartPolicy", R"({"MaximumRetryCount":0,"Name":"no"})"},
           {"deploy: {restart_policy: {condition: any}}", "RestartPolicy",
            R"({"MaximumRetryCount":0,"Name":"always"})"},
           {"tmpfs: ['/run:size=1m', /tmp]", "Tmpfs", R"({"/run":"size=1m","/tmp":""})"},
           {"ulimits: {nofile: 5}", "Ulimits", R"([{"Hard":5,"Name":"nofile","Soft":5}])"},
           {"sysctls: {a: 1}", "Sysctls", R"({"a":"1"})"},
           {"extra_hosts: [a=1.2.3.4, 'b=::1']", "ExtraHosts", R"(["a:1.2.3.4","b:::1"])"},
           {"logging: {driver: local, options: {max-size: 1m}}", "LogConfig",
            R"({"Config":{"max-size":"1m"},"Type":"local"})"},
           {"devices: [/dev/null]", "Devices",
            R"([{"CgroupPermissions":"rwm","PathInContainer":"/dev/null","PathOnHost":"/dev/null"}])"},
           {"network_mode: host", "NetworkMode", R"("host")"},
           {"hostname: h", "NetworkMode", R"("p_default")"},
           {"networks: {}", "NetworkMode", R"("none")"},
           {"gpus: all", "DeviceRequests", R"([{"Capabilities":[["gpu"]],"Count":-1}])"},
           {"blkio_config: {weight: 5, device_read_bps: [{path: /dev/a, rate: 1k}]}", "BlkioDeviceReadBps",
            R"([{"Path":"/dev/a","Rate":1024}])"},
           {"ipc: host", "IpcMode", R"("host")"},
           {"pid: 'service:a'", "PidMode", "nonedependency cycle detected: a -> a"},
           {"volumes: ['/x:/y:ro,z']", "Binds", R"(["/x:/y:ro,z"])"},
           {"volumes: [/anonymous]", "Mounts", R"([{"Target":"/anonymous","Type":"volume"}])"},
           {"volumes: [{type: bind, source: /x, target: /y, bind: {create_host_path: false}}]", "Mounts",
            R"([{"Source":"/x","Target":"/y","Type":"bind"}])"},
           {"volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1k}}]", "Mounts",
            R"([{"Target":"/t","TmpfsOptions":{"SizeBytes":1024},"Type":"tmpfs"}])"},
       })
    EXPECT_EQ(host(make(service(test.written)), test.field), test.expected) << test.written;
  EXPECT_EQ(host(make(service("volumes: ['d:/d:nocopy']", "volumes: {d: {name: real}}")), "Mounts"),
            R"([{"Source":"real","Target":"/d","Type":"volume","VolumeOptions":{"NoCopy":true}}])");
}

TEST(ContainerRequest, Config) {
  for (
      const Case& test : {
          Case{"command: a b", "Cmd", R"(["a","b"])"},
          {"entrypoint: [x]", "Entrypoint", R"(["x"])"},
          {"environment: {A: 1, B: }", "Env", R"(["A=1"])"},
          {"expose: ['80-81', '53/udp']", "ExposedPorts", R"({"53/udp":{},"80/tcp":{},"81/tcp":{}})"},
          {"stop_grace_period: 1m500ms", "StopTimeout", "61"},
          {"stop_signal: SIGINT", "StopSignal", R"("SIGINT")"},
          {"tty: true, stdin_open: true", "OpenStdin", "true"},
          {"user: '1000'", "User", R"("1000")"},
          {"working_dir: /x", "WorkingDir", R"("/x")"},
          {"healthcheck: {test: x, interval: 1s, timeout: 500ms, retries: 2, start_period: 1m}", "Healthcheck",
           R"({"Interval":1000000000,"Retries":2,"StartPeriod":60000000000,"Test":["CMD-SHELL","x"],"Timeout":500000000})"},
          {"healthcheck: {disable: true}", "Healthcheck", R"({"Test":["NONE"]})"},
      })
    EXPECT_EQ(config(make(service(test.written)), test.field), test.expected) << test.written;
}

TEST(ContainerRequest, Labels) {
  ContainerPlan plan;
  plan.number = 2;
  plan.image_id = "sha256:x";
  plan.version = "1";
  Made made = make("services: {a: {image: i, labels: {own: l}, depends_on: [b]}, b: {image: i}}", plan);
  const json::Value* labels = json::find(made.body, "Labels");
  ASSERT_NE(labels, nullptr) << made.error;
  auto label = [&](std::string_view name) { return json::string_or(*labels, name); };
  EXPECT_EQ(label("own"), "l");
  EXPECT_EQ(label(kProjectLabel), "p");
  EXPECT_EQ(label(kServiceLabel), "a");
  EXPECT_EQ(label(kNumberLabel), "2");
  EXPECT_EQ(label(kOneOffLabel), "False");
  EXPECT_EQ(label(kHashLabel).size(), 64U);
  EXPECT_EQ(label(kImageLabel), "sha256:x");
  EXPECT_EQ(label("com.docker.compose.depends_on"), "b:service_started:false");
  EXPECT_EQ(label("com.docker.compose.project.working_dir"), "DIR");
  EXPECT_EQ(label("com.docker.compose.project.config_files"), "DIR/compose.yaml");
}

TEST(ContainerRequest, Networks) {
  Made made = make(
      "services: {a: {image: i, networks: {x: {aliases: [al], ipv4_address: 10.0.0.5}, y: {priority: 10}, z: }}}\n"
      "networks: {x: , y: {name: real}, z: {external: true}}");
  EXPECT_EQ(host(made, "NetworkMode"), R"("real")");
  EXPECT_EQ(config(made, "NetworkingConfig"), R"({"EndpointsConfig":{"real":{"Aliases":["p-a-1","a"]}}})");
  ASSERT_EQ(made.request.networks.size(), 2U);
  EXPECT_EQ(made.request.networks[0].first, "p_x");
  EXPECT_EQ(json::print(made.request.networks[0].second),
            R"({"Aliases":["p-a-1","a","al"],"IPAMConfig":{"IPv4Address":"10.0.0.5"}})");
  EXPECT_EQ(made.request.networks[1].first, "z");

  ContainerPlan plan;
  plan.shared["b"] = "id-of-b";
  made = make("services: {a: {image: i, network_mode: 'service:b', volumes_from: ['b:ro']}, b: {image: i}}", plan);
  EXPECT_EQ(host(made, "NetworkMode"), R"("container:id-of-b")");
  EXPECT_EQ(host(made, "VolumesFrom"), R"(["id-of-b:ro"])");
  EXPECT_EQ(make("services: {a: {image: i, network_mode: 'service:b'}, b: {image: i}}").error,
            "cannot share namespace with service b: container missing");
  plan.linked["b"] = {"p-b-1", "p-b-2"};
  made = make("services: {a: {image: i, links: ['b:data']}, b: {image: i}}", plan);
  EXPECT_TRUE(config(made, "NetworkingConfig").contains(R"("Links":["p-b-1:data","p-b-2:data"])"));
}

TEST(ContainerRequest, ConfigsAndSecrets) {
  Made made = make(
      "services: {a: {image: i, secrets: [s, {source: e, target: /x/e, uid: '5', mode: 0400}], configs: [c]}}\n"
      "secrets: {s: {file: s.txt}, e: {environment: SECRET}}\nconfigs: {c: {content: text}}");
  EXPECT_EQ(host(made, "Binds"), R"(["DIR/s.txt:/run/secrets/s:ro"])");
  ASSERT_EQ(made.request.files.size(), 2U);
  EXPECT_EQ(made.request.files[0].path, "/c");
  EXPECT_EQ(made.request.files[0].content, "text");
  EXPECT_EQ(made.request.files[0].mode, 0444U);
  EXPECT_EQ(made.request.files[1].path, "/x/e");
  EXPECT_EQ(made.request.files[1].content, "hidden");
  EXPECT_EQ(made.request.files[1].mode, 0400U);
  EXPECT_EQ(made.request.files[1].uid, 5U);
}

TEST(ContainerRequest, AnonymousVolumesAreKept) {
  ContainerPlan plan;
  plan.inherited_volumes = {{"/declared", "v1"}, {"/of-image", "v2"}};
  EXPECT_EQ(
      host(make(service("volumes: [/declared]"), plan), "Mounts"),
      R"([{"Source":"v1","Target":"/declared","Type":"volume"},{"Source":"v2","Target":"/of-image","Type":"volume"}])");
}

TEST(ContainerRequest, OneOffHasNoRestart) {
  ContainerPlan plan;
  plan.one_off = true;
  plan.use_aliases = false;
  Made made = make(service("restart: always"), plan);
  EXPECT_EQ(host(made, "RestartPolicy"), "none");
  EXPECT_EQ(config(made, "NetworkingConfig"), R"({"EndpointsConfig":{"p_default":{}}})");
}

TEST(ContainerRequest, NetworksAndVolumes) {
  Directory directory{
      {"compose.yaml",
       "services: {}\nnetworks: {n: {internal: true, driver_opts: {a: 1}, labels: [l=x], ipam: {config: "
       "[{subnet: 10.1.0.0/16, gateway: 10.1.0.1}]}}}\nvolumes: {v: {driver: local, driver_opts: {o: "
       "bind}}}"}};
  auto project = load_project(directory.options());
  ASSERT_TRUE(project) << project.error().text();
  EXPECT_EQ(
      json::print(sorted(network_request(*project, project->networks.find("n")->second, "1"))),
      R"({"CheckDuplicate":true,"Driver":"bridge","IPAM":{"Config":[{"Gateway":"10.1.0.1","Subnet":"10.1.0.0/16"}],"Driver":"default"},"Internal":true,"Labels":{"com.docker.compose.network":"n","com.docker.compose.project":"p","com.docker.compose.version":"1","l":"x"},"Name":"p_n","Options":{"a":"1"}})");
  EXPECT_EQ(
      json::print(sorted(volume_request(*project, project->volumes.find("v")->second, "1"))),
      R"({"Driver":"local","DriverOpts":{"o":"bind"},"Labels":{"com.docker.compose.project":"p","com.docker.compose.version":"1","com.docker.compose.volume":"v"},"Name":"p_v"})");
}

}  // namespace
}  // namespace berth::compose
