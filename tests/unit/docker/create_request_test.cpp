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

INSTANTIATE_TEST_SUITE_P(
    Table, BadBodies,
    ::testing::Values(
        BadBody{"null", "invalid JSON: got EOF while reading request body"},
        BadBody{"[]", "invalid JSON: body: want object"}, BadBody{R"({"Image":5})", "invalid JSON: Image: want string"},
        BadBody{R"({"Env":"A=b"})", "invalid JSON: Env: want array"},
        BadBody{R"({"HostConfig":{"NoSuchField":true}})", "HostConfig.NoSuchField is not supported by this engine"},
        BadBody{R"({"HostConfig":{"Memory":"512m"}})", "invalid JSON: HostConfig.Memory: want integer"},
        BadBody{R"({"HostConfig":{"CpuRealtimePeriod":5}})",
                "HostConfig.CpuRealtimePeriod is not supported by this engine"},
        BadBody{R"({"HostConfig":{"Links":["a:b"]}})", "HostConfig.Links is not supported by this engine"},
        BadBody{R"({"HostConfig":{"VolumesFrom":["a"]}})", "HostConfig.VolumesFrom is not supported by this engine"},
        BadBody{R"({"HostConfig":{"NetworkMode":"container:a"}})",
                "HostConfig.NetworkMode container:a is not supported by this engine"},
        BadBody{R"({"HostConfig":{"MaskedPaths":[]}})", "HostConfig.MaskedPaths is not supported by this engine"},
        BadBody{R"({"HostConfig":{"SecurityOpt":["seccomp={}"]}})",
                "invalid --security-opt: \"seccomp={}\" is not supported by this engine"},
        BadBody{R"({"HostConfig":{"LogConfig":{"Config":{"tag":"x"}}}})",
                "unknown log opt 'tag' for json-file log driver"},
        BadBody{R"({"HostConfig":{"DeviceRequests":[{"Driver":"","Count":-1,"Capabilities":[["gpu"]]}]}})",
                "could not select device driver \"\" with capabilities: [[gpu]]"},
        BadBody{R"({"HostConfig":{"Devices":[{"PathOnHost":"/dev/no-such"}]}})",
                "error gathering device information while adding custom device \"/dev/no-such\": no such file or "
                "directory"},
        BadBody{R"({"HostConfig":{"Devices":[{"PathOnHost":"/dev/null"}]}})",
                "HostConfig.Devices is not supported by this engine"},
        BadBody{R"({"HostConfig":{"PublishAllPorts":true}})",
                "HostConfig.PublishAllPorts is not supported by this engine"},
        BadBody{R"({"MacAddress":"02:42:ac:11:00:09"})", "MacAddress is not supported by this engine"},
        BadBody{R"({"HostConfig":{"Binds":["/a:/b:bad"]}})", "invalid mode: bad"},
        BadBody{
            R"({"HostConfig":{"Binds":["rel/path:/b"]}})",
            "create rel/path: \"rel/path\" includes invalid characters for a local volume name, only "
            "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"},
        BadBody{R"({"HostConfig":{"Binds":["/a:/b:ro:x"]}})", "invalid volume specification: '/a:/b:ro:x'"},
        BadBody{R"({"HostConfig":{"Mounts":[{"Type":"bind","Source":"/no/such/place","Target":"/x"}]}})",
                "invalid mount config for type \"bind\": bind source path does not exist: /no/such/place"},
        BadBody{R"({"HostConfig":{"Mounts":[{"Type":"cluster","Target":"/x"}]}})", "mount type unknown: \"cluster\""},
        BadBody{R"({"HostConfig":{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"Subpath":"a"}}]}})",
                "HostConfig.Mounts.VolumeOptions.Subpath is not supported by this engine"},
        BadBody{R"({"HostConfig":{"PortBindings":{"80/sctp":[]}}})", "invalid port specification: \"80/sctp\""},
        BadBody{R"({"HostConfig":{"PortBindings":{"80":[{"HostPort":"8000-8010"}]}}})",
                "invalid port specification: \"8000-8010\""},
        BadBody{R"({"Healthcheck":{"Test":["CMD","true"]}})", "Healthcheck is not supported by this engine"},
        BadBody{R"({"NetworkingConfig":{"EndpointsConfig":{"other":{}}}})",
                "NetworkingConfig.EndpointsConfig: a second network (other) is not supported"},
        BadBody{R"({"NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}}})",
                "NetworkingConfig.EndpointsConfig.bridge.IPAMConfig is not supported by this engine"},
        BadBody{R"({"Berth":{"Activations":[{"Name":"ssh"}]}})",
                "Berth.Activations[0] needs Name, Listen and Exec.Cmd"},
        BadBody{R"({"Berth":{"IdleTimeout":-1}})", "Berth.IdleTimeout must not be negative"}));

}  // namespace
}  // namespace berth::docker
