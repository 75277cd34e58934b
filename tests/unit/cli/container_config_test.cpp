#include "cli/container_config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace berth::cli {
namespace {

json::Value parsed(std::string_view text) { return *json::parse(text); }

// The body of the words of a `run` command line.
Result<json::Value> body_of(std::vector<std::string> arguments) {
  ContainerOptions options;
  Flags flags;
  declare_container_flags(flags, options);
  flags.stop_at_first_word();
  TRY(auto words, flags.parse(arguments));
  return make_create_body(options, words, attached_streams(options, false));
}

json::Value host_config(std::vector<std::string> arguments, std::string_view key) {
  arguments.emplace_back("image");
  auto body = body_of(arguments);
  if (!body) return json::Value(body.error().text());
  const json::Value* value = json::find(*json::find(*body, "HostConfig"), key);
  return value == nullptr ? json::Value() : *value;
}

TEST(CreateBody, SaysOnlyWhatWasGiven) {
  auto body = body_of({"image", "echo", "a b"});
  ASSERT_TRUE(body) << body.error().text();
  EXPECT_EQ(*body, parsed(R"({"Image": "image", "AttachStdin": false, "AttachStdout": true, "AttachStderr": true,
      "Tty": false, "OpenStdin": false, "StdinOnce": false, "Cmd": ["echo", "a b"],
      "HostConfig": {"NetworkMode": "default"}})"));
}

TEST(CreateBody, CarriesEveryFlagOfTheProcess) {
  ::setenv("BERTH_TEST_PASSED", "on", 1);
  auto body = body_of({"-i",
                       "-u",
                       "5:6",
                       "-w",
                       "/w",
                       "-h",
                       "host",
                       "-e",
                       "A=1",
                       "-e",
                       "BERTH_TEST_PASSED",
                       "-e",
                       "BERTH_TEST_ABSENT",
                       "-l",
                       "k=v",
                       "-l",
                       "bare",
                       "--entrypoint",
                       "sh",
                       "--stop-signal",
                       "INT",
                       "--stop-timeout",
                       "3",
                       "image"});
  ASSERT_TRUE(body) << body.error().text();
  EXPECT_EQ(json::string_or(*body, "User"), "5:6");
  EXPECT_EQ(json::string_or(*body, "WorkingDir"), "/w");
  EXPECT_EQ(json::string_or(*body, "Hostname"), "host");
  EXPECT_EQ(body->at("Env"), parsed(R"(["A=1", "BERTH_TEST_PASSED=on"])"));
  EXPECT_EQ(body->at("Labels"), parsed(R"({"k": "v", "bare": ""})"));
  EXPECT_EQ(body->at("Entrypoint"), parsed(R"(["sh"])"));
  EXPECT_EQ(json::string_or(*body, "StopSignal"), "INT");
  EXPECT_EQ(json::int_or(*body, "StopTimeout"), 3);
  EXPECT_TRUE(json::bool_or(*body, "StdinOnce"));
}

TEST(CreateBody, AnEmptyEntryPointIsSent) {
  auto body = body_of({"--entrypoint", "", "image"});
  ASSERT_TRUE(body);
  EXPECT_EQ(body->at("Entrypoint"), parsed(R"([""])"));
}

TEST(CreateBody, CarriesEveryFlagOfTheHost) {
  struct Case {
    std::vector<std::string> arguments;
    std::string_view key, value;
  };
  for (const Case& c : std::vector<Case>{
           {{"--rm"}, "AutoRemove", "true"},
           {{"-m", "512m"}, "Memory", "536870912"},
           {{"--memory-swap", "-1"}, "MemorySwap", "-1"},
           {{"--cpus", "1.5"}, "NanoCpus", "1500000000"},
           {{"--pids-limit", "-1"}, "PidsLimit", "-1"},
           {{"--init"}, "Init", "true"},
           {{"--read-only"}, "ReadonlyRootfs", "true"},
           {{"--tmpfs", "/run:size=1m", "--tmpfs", "/tmp"}, "Tmpfs", R"({"/run": "size=1m", "/tmp": ""})"},
           {{"--cap-add", "NET_ADMIN"}, "CapAdd", R"(["NET_ADMIN"])"},
           {{"--cap-drop", "all"}, "CapDrop", R"(["all"])"},
           {{"--userns", "host"}, "UsernsMode", R"("host")"},
           {{"--runtime", "runc"}, "Runtime", R"("runc")"},
           {{"--privileged"}, "Privileged", "true"},
           {{"--network", "none"}, "NetworkMode", R"("none")"},
           {{"--net", "host"}, "NetworkMode", R"("host")"},
           {{"--add-host", "a:1.2.3.4"}, "ExtraHosts", R"(["a:1.2.3.4"])"},
           {{"--dns", "1.1.1.1"}, "Dns", R"(["1.1.1.1"])"},
           {{"-P"}, "PublishAllPorts", "true"},
           {{"--shm-size", "1g"}, "ShmSize", "1073741824"},
           {{"--group-add", "5"}, "GroupAdd", R"(["5"])"},
           {{"--security-opt", "no-new-privileges"}, "SecurityOpt", R"(["no-new-privileges"])"},
           {{"--restart", "on-failure:3"}, "RestartPolicy", R"({"Name": "on-failure", "MaximumRetryCount": 3})"},
           {{"--restart", "no"}, "RestartPolicy", R"({"Name": "no", "MaximumRetryCount": 0})"},
           {{"--ulimit", "nofile=1:2"}, "Ulimits", R"([{"Name": "nofile", "Soft": 1, "Hard": 2}])"},
           {{"--device", "/dev/a:/dev/b:r"},
            "Devices",
            R"([{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}])"},
           {{"--device", "/dev/a"},
            "Devices",
            R"([{"PathOnHost": "/dev/a", "PathInContainer": "/dev/a", "CgroupPermissions": "rwm"}])"},
           {{"-v", "/a:/b:ro", "-v", "name:/c"}, "Binds", R"(["/a:/b:ro", "name:/c"])"},
           {{"--sysctl", "a.b=1"}, "Sysctls", R"({"a.b": "1"})"},
           {{"--log-driver", "none", "--log-opt", "x=y"}, "LogConfig", R"({"Type": "none", "Config": {"x": "y"}})"},
       }) {
    EXPECT_EQ(host_config(c.arguments, c.key), parsed(c.value)) << c.key;
  }
}

TEST(CreateBody, UnnamedVolumesBelongToTheContainer) {
  auto body = body_of({"-v", "/data", "image"});
  ASSERT_TRUE(body);
  EXPECT_EQ(body->at("Volumes"), parsed(R"({"/data": {}})"));
}

TEST(CreateBody, TakesSeveralNetworksEachWithItsSettings) {
  auto body =
      body_of({"--network", "name=team,alias=db,alias=store,ip=10.0.0.5,gw-priority=2", "--network", "other", "image"});
  ASSERT_TRUE(body);
  EXPECT_EQ(body->at("HostConfig").at("NetworkMode"), "team");
  EXPECT_EQ(body->at("NetworkingConfig").at("EndpointsConfig"),
            parsed(R"({"team": {"GwPriority": 2, "IPAMConfig": {"IPv4Address": "10.0.0.5"}, "Aliases": ["db", "store"]},
                       "other": {}})"));
  for (const char* wrong : {"alias=x", "name=n,alias", "name=n,nosuch=1", "name=n,gw-priority=x"})
    EXPECT_FALSE(body_of({"--network", wrong, "image"})) << wrong;
  EXPECT_FALSE(body_of({"--network", "a", "--network", "a", "image"}));
  EXPECT_FALSE(body_of({"--network", "name=a,ip=10.0.0.5", "--ip", "10.0.0.6", "image"}));
}

TEST(CreateBody, PutsAddressesIntoTheNetwork) {
  auto body = body_of({"--network", "team", "--network-alias", "db", "--ip", "10.0.0.5", "image"});
  ASSERT_TRUE(body);
  EXPECT_EQ(body->at("NetworkingConfig"),
            parsed(R"({"EndpointsConfig": {"team": {"IPAMConfig": {"IPv4Address": "10.0.0.5"}, "Aliases": ["db"]}}})"));
}

TEST(CreateBody, RefusesInDockersWords) {
  struct Case {
    std::vector<std::string> arguments;
    std::string_view text;
  };
  for (const Case& c : std::vector<Case>{
           {{"-p", "x", "i"}, "invalid containerPort: x"},
           {{"-p", "80:a:b", "i"}, "invalid IP address: 80"},
           {{"-p", "x:80", "i"}, "invalid hostPort: x"},
           {{"-p", "1-2:80-85", "i"}, "invalid ranges specified for container and host Ports: 80-85 and 1-2"},
           {{"-p", "80/foo", "i"}, "invalid proto: foo"},
           {{"--cpus", "a", "i"}, "invalid argument \"a\" for \"--cpus\" flag: failed to parse a as a rational number"},
           {{"--ulimit", "x", "i"}, "invalid argument \"x\" for \"--ulimit\" flag: invalid ulimit argument: x"},
           {{"--mount", "foo", "i"},
            "invalid argument \"foo\" for \"--mount\" flag: invalid field 'foo' must be a key=value pair"},
           {{"-a", "foo", "i"},
            "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and STDERR"},
           {{"--env-file", "/nonexistent", "i"}, "open /nonexistent: no such file or directory"},
           {{"--restart", "on-failure:x", "i"},
            "invalid restart policy format: maximum retry count must be an integer"},
           {{"--security-opt", "foo", "i"}, "invalid --security-opt: \"foo\""},
           {{"--no-healthcheck", "--health-cmd", "x", "i"}, "--no-healthcheck conflicts with --health-* options"},
       }) {
    auto body = body_of(c.arguments);
    ASSERT_FALSE(body) << c.text;
    EXPECT_EQ(body.error().text(), c.text);
  }
}

TEST(Publish, ReadsAddressesAndRanges) {
  json::Object bindings, exposed;
  for (std::string_view text :
       {"80", "8080:80", "127.0.0.1::81/udp", "[::1]:9090:90", "7000-7001:700-701", "6000-6010:600"})
    ASSERT_TRUE(parse_publish(text, bindings, exposed)) << text;
  EXPECT_EQ(json::Value(bindings), parsed(R"({
      "80/tcp": [{"HostIp": "", "HostPort": ""}, {"HostIp": "", "HostPort": "8080"}],
      "81/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}], "90/tcp": [{"HostIp": "::1", "HostPort": "9090"}],
      "700/tcp": [{"HostIp": "", "HostPort": "7000"}], "701/tcp": [{"HostIp": "", "HostPort": "7001"}],
      "600/tcp": [{"HostIp": "", "HostPort": "6000-6010"}]})"));
  EXPECT_EQ(exposed.size(), 6u);
  for (std::string_view bad : {"", ":", "1:2:3:4", "80-70", "70000", "-80", "80-", "a:b:c"})
    EXPECT_FALSE(parse_publish(bad, bindings, exposed)) << bad;
}

TEST(Mount, ReadsItsKeys) {
  EXPECT_EQ(*parse_mount("type=bind,source=/a,target=/b,readonly,bind-propagation=rslave"),
            parsed(R"({"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": true,
                       "BindOptions": {"Propagation": "rslave"}})"));
  EXPECT_EQ(*parse_mount("src=data,dst=/d,volume-nocopy,volume-label=a=b"),
            parsed(R"({"Type": "volume", "Source": "data", "Target": "/d",
                       "VolumeOptions": {"NoCopy": true, "Labels": {"a": "b"}}})"));
  EXPECT_EQ(*parse_mount("type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1770"),
            parsed(R"({"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 1016}})"));
  EXPECT_EQ(parse_mount("type=bind,source=/x").error().text(), "target is required");
  EXPECT_EQ(parse_mount("type=bind,target=/x,foo=bar").error().text(), "unexpected key 'foo' in 'foo=bar'");
  EXPECT_FALSE(parse_mount("type=bind,target=/x,readonly=maybe"));
  EXPECT_FALSE(parse_mount("type=bind,source=/a,target=/x,tmpfs-size=1m"));
}

TEST(Cpus, AreBillionths) {
  EXPECT_EQ(*parse_cpus("0.01"), 10'000'000);
  EXPECT_EQ(*parse_cpus("2"), 2'000'000'000);
  for (std::string_view bad : {"", "a", "1.0000000001", "nan", "inf", "1e300"}) EXPECT_FALSE(parse_cpus(bad)) << bad;
}

TEST(EnvFile, SkipsCommentsAndCompletesNames) {
  std::string path = testing::TempDir() + "/env_file_test";
  std::ofstream(path) << "\xEF\xBB\xBF# note\n\n  A=1 # kept\nBERTH_TEST_FROM\r\nEMPTY=\n";
  ::setenv("BERTH_TEST_FROM", "outside", 1);
  EXPECT_EQ(*read_env_file(path, true), (Strings{"A=1 # kept", "BERTH_TEST_FROM=outside", "EMPTY="}));
  EXPECT_EQ(*read_env_file(path, false), (Strings{"A=1 # kept", "BERTH_TEST_FROM", "EMPTY="}));
  std::ofstream(path) << "a b=1\n";
  EXPECT_EQ(read_env_file(path, true).error().text(), "variable 'a b' contains whitespaces");
  std::ofstream(path) << "=1\n";
  EXPECT_EQ(read_env_file(path, true).error().text(), "no variable name on line '=1'");
}

TEST(Attached, FollowsDockersRules) {
  ContainerOptions options;
  EXPECT_TRUE(attached_streams(options, false).out);
  EXPECT_FALSE(attached_streams(options, false).in);
  EXPECT_FALSE(attached_streams(options, true).out);
  options.interactive = true;
  EXPECT_TRUE(attached_streams(options, false).in);
  options.attach = {"stderr"};
  EXPECT_FALSE(attached_streams(options, false).in);
  EXPECT_TRUE(attached_streams(options, false).err);
}

}  // namespace
}  // namespace berth::cli
