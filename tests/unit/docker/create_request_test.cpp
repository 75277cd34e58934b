#include "docker/create_request.h"

#include <gtest/gtest.h>

namespace berth::docker {
namespace {

Result<engine::CreateRequest> decode(const std::string& body) {
  auto value = json::parse(body);
  EXPECT_TRUE(value) << body;
  return decode_create_request(*value, "web");
}

std::string refusal(const std::string& body) {
  auto request = decode(body);
  if (request) return "accepted";
  EXPECT_EQ(request.error().code(), ErrorCode::invalid);
  return request.error().text();
}

// What docker 28 sends for `docker run -it -e A=b -p 8080:80 -v /srv:/data:ro busybox sh`.
constexpr const char* kDockerRun = R"({
  "Hostname":"","Domainname":"","User":"","AttachStdin":true,"AttachStdout":true,"AttachStderr":true,
  "ExposedPorts":{"80/tcp":{}},"Tty":true,"OpenStdin":true,"StdinOnce":true,"Env":["A=b"],"Cmd":["sh"],
  "Image":"busybox","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},
  "HostConfig":{"Binds":["/srv:/data:ro"],"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},
    "NetworkMode":"default","PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},
    "RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,
    "ConsoleSize":[24,80],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],
    "ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"",
    "Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"",
    "ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,
    "BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"BlkioDeviceWriteBps":[],"BlkioDeviceReadIOps":[],
    "BlkioDeviceWriteIOps":[],"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"",
    "CpusetMems":"","Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,
    "MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":null,"CpuCount":0,"CpuPercent":0,
    "IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null},
  "NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"",
    "DriverOpts":null,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"",
    "GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}})";

TEST(CreateRequest, TakesWhatTheClientSends) {
  auto request = decode(kDockerRun);
  ASSERT_TRUE(request) << request.error().text();
  const engine::ContainerSpec& spec = request->spec;
  EXPECT_EQ(spec.name, "web");
  EXPECT_EQ(spec.image, "busybox");
  EXPECT_TRUE(spec.process.tty && spec.open_stdin && spec.stdin_once);
  EXPECT_EQ(request->cmd, std::vector<std::string>{"sh"});
  EXPECT_FALSE(request->entrypoint);
  EXPECT_EQ(spec.network, "bridge");
  ASSERT_EQ(spec.mounts.size(), 1U);
  EXPECT_EQ(spec.mounts[0].type, "bind");
  EXPECT_TRUE(spec.mounts[0].read_only && spec.mounts[0].create_source);
  ASSERT_EQ(spec.ports.size(), 1U);
  EXPECT_EQ(spec.ports[0].host_port, 8080);
  EXPECT_EQ(spec.ports[0].container_port, 80);
  EXPECT_EQ(spec.log.driver, "json-file");
}

TEST(CreateRequest, OneStringIsAListOfOne) {
  auto request = decode(R"({"Image":"x","Cmd":"sh","Entrypoint":""})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->cmd, std::vector<std::string>{"sh"});
  EXPECT_EQ(request->entrypoint, std::vector<std::string>{""});
}

TEST(CreateRequest, ReadsResourcesAndOptions) {
  auto request = decode(R"({"Image":"x","StopSignal":"TERM","StopTimeout":3,"HostConfig":{"Memory":536870912,
      "NanoCpus":1500000000,"PidsLimit":-1,"Init":true,"LogConfig":{"Type":"json-file","Config":{"max-size":"1m",
      "max-file":"2"}},"SecurityOpt":["no-new-privileges","seccomp=unconfined"],"Tmpfs":{"/run":"size=1m"},
      "Ulimits":[{"Name":"nofile","Soft":10,"Hard":20}],"CapAdd":["NET_ADMIN"],"Sysctls":{"net.a":"1"}}})");
  ASSERT_TRUE(request) << request.error().text();
  const engine::ContainerSpec& spec = request->spec;
  EXPECT_EQ(spec.resources.memory, 536870912);
  EXPECT_EQ(spec.resources.nano_cpus, 1500000000);
  EXPECT_EQ(spec.resources.pids_limit, 0);
  EXPECT_EQ(spec.stop_timeout, 3);
  EXPECT_EQ(spec.log.max_size, 1 << 20);
  EXPECT_EQ(spec.log.max_files, 2);
  EXPECT_TRUE(spec.no_new_privileges && spec.seccomp_unconfined && spec.init);
  ASSERT_EQ(spec.resources.ulimits.size(), 1U);
  EXPECT_EQ(spec.resources.ulimits[0].hard, 20);
}

TEST(CreateRequest, ReadsMounts) {
  auto request = decode(R"({"Image":"x","HostConfig":{"Binds":["data:/a","data:/b:nocopy,ro"],"Mounts":[
      {"Type":"volume","Source":"vol","Target":"/c","ReadOnly":true,"VolumeOptions":{"NoCopy":true}},
      {"Type":"tmpfs","Target":"/d","TmpfsOptions":{"SizeBytes":1048576,"Mode":448}},
      {"Type":"bind","Source":"/","Target":"/e","BindOptions":{"Propagation":"rslave"}}]}})");
  ASSERT_TRUE(request) << request.error().text();
  const auto& mounts = request->spec.mounts;
  ASSERT_EQ(mounts.size(), 5U);
  EXPECT_TRUE(mounts[0].type == "volume" && mounts[0].copy_up);
  EXPECT_TRUE(mounts[1].read_only && !mounts[1].copy_up);
  EXPECT_TRUE(mounts[2].read_only && !mounts[2].copy_up);
  EXPECT_EQ(mounts[3].options, "size=1048576,mode=700");
  EXPECT_EQ(mounts[4].propagation, "rslave");
}

TEST(CreateRequest, ReadsBerthsOwn) {
  auto request = decode(R"({"Image":"x","Berth":{"IdleTimeout":600,"GuestTools":true,"Activations":[
      {"Name":"ssh","Listen":"0.0.0.0:2010","MaxConnections":3,"Exec":{"Cmd":["/x"],"User":"0:0"}}]}})");
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(request->spec.idle_timeout, 600);
  EXPECT_TRUE(request->spec.guest_tools);
  ASSERT_EQ(request->spec.activations.size(), 1U);
  EXPECT_EQ(request->spec.activations[0].exec.args, std::vector<std::string>{"/x"});
  EXPECT_EQ(request->spec.activations[0].max_connections, 3);
}

struct BadBody {
  const char* body;
  const char* text;
};

class BadBodies : public ::testing::TestWithParam<BadBody> {};

TEST_P(BadBodies, AreRefusedInOneClearLine) { EXPECT_EQ(refusal(GetParam().body), GetParam().text); }

TEST(CreateRequestTest, NetworksAndPorts) {
  auto body = json::parse(R"({"HostConfig":{"NetworkMode":"team","PublishAllPorts":true,"Links":["db:store"],
      "PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"8000-8010"}]}},
    "NetworkingConfig":{"EndpointsConfig":{"team":{"Aliases":["web"],"Links":["a:b"],"GwPriority":7,
      "IPAMConfig":{"IPv4Address":"10.0.0.9","IPv6Address":"fd00::9","LinkLocalIPs":["169.254.1.1"]},
      "MacAddress":"02:00:00:00:00:01","DriverOpts":{"x":"y"}},"other":null}}})");
  ASSERT_TRUE(body);
  auto request = decode_create_request(*body, "");
  ASSERT_TRUE(request) << request.error().text();
  const engine::ContainerSpec& spec = request->spec;
  EXPECT_EQ(spec.network, "team");
  EXPECT_TRUE(spec.publish_all);
  EXPECT_EQ(spec.links, std::vector<std::string>{"db:store"});
  ASSERT_EQ(spec.networks.size(), 2u);
  const engine::AttachmentSpec& team = spec.networks[0];
  EXPECT_EQ(team.network, "team");
  EXPECT_EQ(team.aliases, std::vector<std::string>{"web"});
  EXPECT_EQ(team.links, std::vector<std::string>{"a:b"});
  EXPECT_EQ(team.ipv4 + " " + team.ipv6 + " " + team.mac, "10.0.0.9 fd00::9 02:00:00:00:00:01");
  EXPECT_EQ(team.link_local, std::vector<std::string>{"169.254.1.1"});
  EXPECT_EQ(team.gateway_priority, 7);
  EXPECT_EQ(spec.networks[1].network, "other");
  ASSERT_EQ(spec.ports.size(), 1u);
  EXPECT_EQ(spec.ports[0].host_port, 8000);
  EXPECT_EQ(spec.ports[0].host_port_last, 8010);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadBodies,
    ::testing::Values(
        BadBody{"null", "invalid JSON: got EOF while reading request body"},
        BadBody{"[]", "invalid JSON: body: want object"}, BadBody{R"({"Image":5})", "invalid JSON: Image: want string"},
        BadBody{R"({"Env":"A=b"})", "invalid JSON: Env: want array"},
        BadBody{R"({"HostConfig":{"NoSuchField":true}})", "HostConfig.NoSuchField is not supported by this engine"},
        BadBody{R"({"HostConfig":{"Memory":"512m"}})", "invalid JSON: HostConfig.Memory: want integer"},
        BadBody{R"({"Healthcheck":{"Test":"true"}})", "Healthcheck: invalid JSON: Test: want array"},
        BadBody{R"({"HostConfig":{"SecurityOpt":["seccomp={}"]}})",
                "Decoding seccomp profile failed: it has no defaultAction"},
        BadBody{R"({"HostConfig":{"SecurityOpt":["nonsense"]}})", "invalid --security-opt 1: \"nonsense\""},
        BadBody{R"({"HostConfig":{"SecurityOpt":["a=b"]}})", "invalid --security-opt 2: \"a=b\""},
        BadBody{R"({"HostConfig":{"DeviceCgroupRules":["c 1 rwm"]}})", "invalid device cgroup rule format: 'c 1 rwm'"},
        BadBody{R"({"HostConfig":{"LogConfig":{"Config":{"nonsense":"x"}}}})",
                "unknown log opt 'nonsense' for json-file log driver"},
        BadBody{R"({"HostConfig":{"LogConfig":{"Config":{"max-file":"0"}}}})", "max-file cannot be less than 1"},
        BadBody{R"({"HostConfig":{"ShmSize":-1}})", "SHM size can not be less than 0"},
        BadBody{R"({"HostConfig":{"OomScoreAdj":1001}})",
                "Invalid value 1001, range for oom score adj is [-1000, 1000]"},
        BadBody{R"({"HostConfig":{"VolumeDriver":"x"}})", "error looking up volume plugin x: plugin \"x\" not found"},
        BadBody{R"({"HostConfig":{"StorageOpt":{"size":"1G"}}})",
                "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"},
        BadBody{R"({"HostConfig":{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"Subpath":"../a"}}]}})",
                "invalid mount config for type \"volume\": invalid subpath: ../a: subpath must be a relative path "
                "within the volume"},
        BadBody{R"({"HostConfig":{"ExtraHosts":["nothing"]}})", "bad format for add-host: \"nothing\""},
        BadBody{R"({"HostConfig":{"ExtraHosts":["a:1.2.3"]}})", "bad format for add-host: \"a:1.2.3\""},
        BadBody{R"({"HostConfig":{"Binds":["/a:/b:bad"]}})", "invalid mode: bad"},
        BadBody{
            R"({"HostConfig":{"Binds":["rel/path:/b"]}})",
            "create rel/path: \"rel/path\" includes invalid characters for a local volume name, only "
            "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"},
        BadBody{R"({"HostConfig":{"Binds":["/a:/b:ro:x"]}})", "invalid volume specification: '/a:/b:ro:x'"},
        BadBody{R"({"HostConfig":{"Mounts":[{"Type":"bind","Source":"/no/such/place","Target":"/x"}]}})",
                "invalid mount config for type \"bind\": bind source path does not exist: /no/such/place"},
        BadBody{R"({"HostConfig":{"Mounts":[{"Type":"cluster","Target":"/x"}]}})", "mount type unknown: \"cluster\""},
        BadBody{R"({"HostConfig":{"PortBindings":{"80/sctp":[]}}})",
                "the protocol sctp is not supported by this engine: 80/sctp"},
        BadBody{R"({"HostConfig":{"PortBindings":{"80":[{"HostPort":"8010-8000"}]}}})",
                "invalid port specification: \"8010-8000\""},
        BadBody{R"({"HostConfig":{"PortBindings":{"80":[{"HostIp":"localhost"}]}}})",
                "invalid port specification: \"localhost\""},
        BadBody{R"({"NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":{"Subnet":"10.0.0.0/8"}}}}})",
                "NetworkingConfig.EndpointsConfig.bridge.IPAMConfig.Subnet is not supported by this engine"},
        BadBody{R"({"NetworkingConfig":{"EndpointsConfig":{"bridge":{"Aliases":"one"}}}})",
                "invalid JSON: NetworkingConfig.EndpointsConfig.bridge.Aliases: want array"},
        BadBody{R"({"Berth":{"Activations":[{"Name":"ssh"}]}})",
                "Berth.Activations[0] needs Name, Listen and Exec.Cmd"},
        BadBody{R"({"Berth":{"IdleTimeout":-1}})", "Berth.IdleTimeout must not be negative"}));

}  // namespace
}  // namespace berth::docker
