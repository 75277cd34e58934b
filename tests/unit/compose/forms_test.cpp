// Every form that a key may have, as it stands after normalising; and what is refused.
#include "support.h"

namespace berth::compose {
namespace {

struct Case {
  const char* written;   // below the service
  const char* expected;  // of the canonical service
};

std::string load(const std::string& service, const std::string& rest = "") {
  std::string indented;
  for (std::size_t start = 0; start < service.size();) {
    std::size_t end = std::min(service.find('\n', start), service.size());
    indented += "    " + service.substr(start, end - start) + "\n";
    start = end + 1;
  }
  Directory directory{{"compose.yaml", "services:\n  a:\n    image: i\n    network_mode: none\n" + indented + rest}};
  return service_of(directory, directory.options({{"HOME", "/home/me"}, {"FROM_ENV", "e"}}));
}

// With what every case has.
std::string expected(const std::string& yaml) { return canonical("{image: i, network_mode: none}", yaml); }

TEST(Forms, ShortAndLong) {
  for (const Case& test : {
           Case{"command: sh -c 'a b'", "command: [sh, -c, a b]"},
           {"command: [a, 1]", "command: [a, '1']"},
           {"entrypoint: ''", "entrypoint: []"},
           {"environment: [A=b, C=, FROM_ENV, UNSET]", "environment: {A: b, C: '', FROM_ENV: e}"},
           {"environment: {A: 1, B: true, C: 1.10, FROM_ENV: }",
            "environment: {A: '1', B: 'true', C: '1.10', FROM_ENV: e}"},
           {"labels: [a=b, c]", "labels: {a: b, c: ''}"},
           {"dns: 1.1.1.1", "dns: [1.1.1.1]"},
           {"tmpfs: /run:size=1m", "tmpfs: ['/run:size=1m']"},
           {"extra_hosts: ['a:1.2.3.4', 'b=::1', 'c:[::2]']", "extra_hosts: ['a=1.2.3.4', 'b=::1', 'c=::2']"},
           {"extra_hosts: {a: 1.2.3.4, b: [1.1.1.1, 2.2.2.2]}", "extra_hosts: [a=1.2.3.4, b=1.1.1.1, b=2.2.2.2]"},
           {"healthcheck: {test: curl x, interval: 1m30s, retries: '3'}",
            "healthcheck: {interval: 1m30s, retries: 3, test: [CMD-SHELL, curl x]}"},
           {"healthcheck: {disable: true}", "healthcheck: {disable: true}"},
           {"ulimits: {nproc: 65535, nofile: {soft: 1, hard: 2}}",
            "ulimits: {nofile: {hard: 2, soft: 1}, nproc: {hard: 65535, soft: 65535}}"},
           {"devices: [/dev/a, '/dev/a:/dev/b:r']",
            "devices: [{permissions: rwm, source: /dev/a, target: /dev/a}, "
            "{permissions: r, source: /dev/a, target: /dev/b}]"},
           {"mem_limit: 512m", "mem_limit: 536870912"},
           {"mem_limit: 1000", "mem_limit: 1000"},
           {"memswap_limit: -1", "memswap_limit: -1"},
           {"cpus: '0.5'", "cpus: 0.5"},
           {"init: yes", "init: true"},
           {"stop_grace_period: 1m", "stop_grace_period: 1m"},
           {"sysctls: [net.core.somaxconn=1024]", "sysctls: {net.core.somaxconn: '1024'}"},
           {"group_add: [1000, video]", "group_add: ['1000', video]"},
           {"deploy: {replicas: 2, resources: {limits: {cpus: '0.5', memory: 50M, pids: 10}}}",
            "deploy: {replicas: 2, resources: {limits: {cpus: 0.5, memory: 52428800, pids: 10}}}"},
           {"gpus: all", "gpus: [{count: -1}]"},
           {"x-mine: {any: [thing]}", "x-mine: {any: [thing]}"},
           {"restart: on-failure:3", "restart: on-failure:3"},
           {"profiles: []", "profiles: []"},
       })
    EXPECT_EQ(load(test.written), expected(test.expected)) << test.written;
}

TEST(Forms, Ports) {
  auto port = [](const std::string& more) { return "{mode: ingress, protocol: tcp, " + more + "}"; };
  for (const auto& [written, wanted] : std::initializer_list<std::pair<std::string, std::string>>{
           {"80", port("target: 80")},
           {"'8080:80'", port("published: '8080', target: 80")},
           {"'127.0.0.1:8080:80'", port("host_ip: 127.0.0.1, published: '8080', target: 80")},
           {"'127.0.0.1::80'", port("host_ip: 127.0.0.1, target: 80")},
           {"'[::1]:8080:80'", port("host_ip: '::1', published: '8080', target: 80")},
           {"'8000-9000:80'", port("published: 8000-9000, target: 80")},
           {"'53:53/udp'", "{mode: ingress, protocol: udp, published: '53', target: 53}"},
           {"'7000-7001:8000-8001'",
            port("published: '7000', target: 8000") + ", " + port("published: '7001', target: 8001")},
           {"{target: 80, published: 8080}", port("published: '8080', target: 80")},
       })
    EXPECT_EQ(load("ports: [" + written + "]"), expected("ports: [" + wanted + "]")) << written;
  for (const char* wrong : {"x", "'80:'", "'a:80'", "70000", "'1-3:1-2'", "'80/foo'", "{published: 1}"})
    EXPECT_TRUE(load(std::string("ports: [") + wrong + "]").starts_with("DIR/compose.yaml:5: services.a.ports"))
        << wrong << ": " << load(std::string("ports: [") + wrong + "]");
}

TEST(Forms, RangesOfPortsAreBounded) {
  EXPECT_EQ(load("ports: ['1-60000:1-60000']"), "DIR/compose.yaml:5: services.a.ports: too many ports");
  EXPECT_EQ(load("expose: [1-9000, 1-9000]"), "DIR/compose.yaml:5: services.a.expose: too many ports");
  EXPECT_EQ(load("expose: [x]"), "DIR/compose.yaml:5: services.a.expose: invalid port \"x\"");
}

TEST(Forms, Volumes) {
  std::string rest = "volumes: {data: }\n";
  for (const auto& [written, wanted] : std::initializer_list<std::pair<std::string, std::string>>{
           {"/anonymous", "{target: /anonymous, type: volume}"},
           {"'data:/d:ro'", "{read_only: true, source: data, target: /d, type: volume}"},
           {"'data:/d:nocopy'", "{source: data, target: /d, type: volume, volume: {nocopy: true}}"},
           {"'./x:/x'", "{bind: {create_host_path: true}, source: DIR/x, target: /x, type: bind}"},
           {"'../x/:/x:z,rslave'", ""},
           {"'/etc:/x:rw'", "{bind: {create_host_path: true}, source: /etc, target: /x, type: bind}"},
           {"{type: bind, source: x, target: /x}", "{source: DIR/x, target: /x, type: bind}"},
           {"{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}",
            "{target: /t, tmpfs: {mode: 448, size: 1048576}, type: tmpfs}"},
       }) {
    std::string loaded = load("volumes: [" + written + "]", rest);
    if (!wanted.empty())
      EXPECT_EQ(loaded, expected("volumes: [" + wanted + "]")) << written;
    else
      EXPECT_TRUE(loaded.contains("selinux: z") && loaded.contains("propagation: rslave")) << loaded;
  }
  EXPECT_EQ(load("volumes: ['nope:/d']"), "service \"a\" refers to undefined volume nope: invalid compose project");
  EXPECT_EQ(load("volumes: ['data:d']", rest),
            "service \"a\": the volume target \"d\" is not an absolute path: invalid compose project");
  EXPECT_EQ(load("volumes: ['/a:/b:odd']"), "DIR/compose.yaml:5: services.a.volumes[0]: unknown volume option \"odd\"");
}

TEST(Forms, WhatIsNotDoneIsRefusedByNameFileAndLine) {
  for (const auto& [written, message] : std::initializer_list<std::pair<std::string, std::string>>{
           {"enviroment: {}", "services.a: additional properties 'enviroment' not allowed; did you mean environment?"},
           {"nonsense: 1", "services.a: additional properties 'nonsense' not allowed"},
           {"cpu_count: 2", "services.a.cpu_count is not supported: it is for Windows containers"},
           {"develop: {}", "services.a.develop is not supported: there is no `watch`"},
           {"deploy: {placement: {}}",
            "services.a.deploy.placement is not supported: it is for swarm services, which the engine does not have"},
           {"build: {context: ., ssh: [default]}",
            "services.a.build.ssh is not supported: it needs BuildKit, and the engine has Docker's classic builder"},
           {"container_name: 1", "services.a.container_name must be a string"},
           {"command: {a: b}", "services.a.command must be a list"},
           {"privileged: maybe", "services.a.privileged must be a boolean"},
           {"mem_limit: lots", "services.a.mem_limit must be a size such as 512m"},
           {"stop_grace_period: soon", "services.a.stop_grace_period must be a duration such as 1m30s"},
           {"pids_limit: 1.5", "services.a.pids_limit must be an integer"},
           {"restart: sometimes",
            "services.a.restart: \"sometimes\" is not one of: no always unless-stopped on-failure on-failure:*"},
           {"command: \"a 'b\"", "services.a.command: invalid command line string: ' is not closed"},
           {"healthcheck: {test: [curl]}",
            "services.a.healthcheck.test: the first word of a list must be NONE, CMD or CMD-SHELL"},
           {"hostname: ${X:?set it}",
            "error while interpolating services.a.hostname: required variable X is missing a value: set it"},
       })
    EXPECT_EQ(load(written), "DIR/compose.yaml:5: " + message) << written;
}

}  // namespace
}  // namespace berth::compose
