#include "engine/runtime_config.h"

#include <gtest/gtest.h>

#include "engine/runtime_errors.h"
#include "engine/seccomp.h"
#include "engine/seccomp_filter.h"

namespace berth::engine {
namespace {

ContainerSpec minimal() {
  ContainerSpec spec;
  spec.id = std::string(64, 'a');
  spec.hostname = "box";
  spec.process.args = {"true"};
  spec.userns_base = 2'000'000;
  spec.userns_size = 65536;
  return spec;
}

json::Value config_of(const ContainerSpec& spec, RuntimeInputs inputs = {}) {
  inputs.args = spec.process.args;
  auto config = runtime_config(spec, inputs);
  EXPECT_TRUE(config);
  return config ? *config : json::Value();
}

std::set<std::string> namespaces(const json::Value& config) {
  std::set<std::string> types;
  for (const auto& entry : config.at("linux").at("namespaces").as_array()) types.insert(json::string_or(entry, "type"));
  return types;
}

const json::Value* mount_at(const json::Value& config, std::string_view target) {
  for (const auto& mount : config.at("mounts").as_array())
    if (json::string_or(mount, "destination") == target) return &mount;
  return nullptr;
}

TEST(RuntimeConfig, EveryNamespaceIsItsOwnByDefault) {
  EXPECT_EQ(namespaces(config_of(minimal())),
            (std::set<std::string>{"mount", "pid", "ipc", "uts", "cgroup", "network", "user"}));
}

TEST(RuntimeConfig, HostModesLeaveNamespacesOut) {
  ContainerSpec spec = minimal();
  spec.pid_mode = spec.ipc_mode = spec.uts_mode = spec.cgroupns_mode = "host";
  spec.network = "host";
  spec.userns_size = 0;
  EXPECT_EQ(namespaces(config_of(spec)), (std::set<std::string>{"mount"}));
}

TEST(RuntimeConfig, AMemoryLimitBringsAsMuchSwap) {
  ContainerSpec spec = minimal();
  spec.resources.memory = 64 << 20;
  auto memory = config_of(spec).at("linux").at("resources").at("memory");
  EXPECT_EQ(json::int_or(memory, "limit"), 64 << 20);
  EXPECT_EQ(json::int_or(memory, "swap"), 128 << 20);
}

TEST(RuntimeConfig, HalfAProcessorIsAQuota) {
  ContainerSpec spec = minimal();
  spec.resources.nano_cpus = 500'000'000;
  auto cpu = config_of(spec).at("linux").at("resources").at("cpu");
  EXPECT_EQ(json::int_or(cpu, "quota"), 50'000);
  EXPECT_EQ(json::int_or(cpu, "period"), 100'000);
}

TEST(RuntimeConfig, ParentsAreMountedBeforeTheirChildren) {
  ContainerSpec spec = minimal();
  spec.tmpfs["/data"] = "size=1m";
  RuntimeInputs inputs;
  inputs.binds = {{"/b/0", "/data/deep/er", true, ""}, {"/b/1", "/data/deep", false, ""}};
  auto config = config_of(spec, inputs);
  std::vector<std::string> order;
  for (const auto& mount : config.at("mounts").as_array())
    if (auto target = json::string_or(mount, "destination"); target.starts_with("/data")) order.push_back(target);
  EXPECT_EQ(order, (std::vector<std::string>{"/data", "/data/deep", "/data/deep/er"}));
}

TEST(RuntimeConfig, TmpfsIsNoexecUnlessAsked) {
  ContainerSpec spec = minimal();
  spec.tmpfs["/a"] = "";
  spec.tmpfs["/b"] = "exec,size=1m";
  auto config = config_of(spec);
  auto options = [&](std::string_view target) { return json::print(mount_at(config, target)->at("options")); };
  EXPECT_NE(options("/a").find("\"noexec\""), std::string::npos);
  EXPECT_EQ(options("/b").find("\"noexec\""), std::string::npos);
  EXPECT_NE(options("/b").find("\"size=1m\""), std::string::npos);
}

TEST(Capabilities, DefaultsAreDockers) {
  auto capabilities = capabilities_of(minimal());
  ASSERT_TRUE(capabilities);
  EXPECT_EQ(capabilities->size(), 14u);
  EXPECT_FALSE(capabilities->contains("CAP_SYS_ADMIN"));
}

TEST(Capabilities, AddDropAndAll) {
  ContainerSpec spec = minimal();
  spec.cap_drop = {"ALL"};
  spec.cap_add = {"net_bind_service", "CAP_CHOWN"};
  EXPECT_EQ(*capabilities_of(spec), (std::set<std::string>{"CAP_CHOWN", "CAP_NET_BIND_SERVICE"}));
  spec.cap_add = {"ALL"};
  spec.cap_drop = {"SYS_ADMIN"};
  EXPECT_TRUE(capabilities_of(spec)->contains("CAP_BPF"));
  EXPECT_FALSE(capabilities_of(spec)->contains("CAP_SYS_ADMIN"));
  spec.cap_add = {"NOSUCH"};
  ASSERT_FALSE(capabilities_of(spec));
  EXPECT_EQ(capabilities_of(spec).error().text(), "invalid CapAdd: unknown capability: \"CAP_NOSUCH\"");
}

TEST(Seccomp, TheWholeProfileCompiles) {
  for (bool admin : {false, true}) {
    ContainerSpec spec = minimal();
    if (admin) spec.cap_add = {"SYS_ADMIN"};
    auto program = compile_seccomp(seccomp_profile(*capabilities_of(spec)));
    ASSERT_TRUE(program) << program.error().text();
    // struct sock_filter is 8 bytes; a filter of a few hundred calls has some hundred instructions.
    EXPECT_EQ(program->size() % 8, 0u);
    EXPECT_GT(program->size(), 100u * 8);
  }
}

TEST(Seccomp, AProgramReplacesTheProfile) {
  RuntimeInputs inputs;
  inputs.seccomp_program = "AAAA";
  auto config = config_of(minimal(), inputs);
  EXPECT_EQ(json::find(config.at("linux"), "seccomp"), nullptr);
  EXPECT_EQ(json::string_or(config.at("annotations"), "run.oci.seccomp_bpf_data"), "AAAA");
  ContainerSpec unconfined = minimal();
  unconfined.seccomp_unconfined = true;
  EXPECT_EQ(json::find(config_of(unconfined, inputs), "annotations"), nullptr);
}

bool allows(const json::Value& profile, std::string_view call) {
  for (const auto& rule : profile.at("syscalls").as_array()) {
    if (json::string_or(rule, "action") != "SCMP_ACT_ALLOW" || json::find(rule, "args") != nullptr) continue;
    for (const auto& name : rule.at("names").as_array())
      if (name.as_string() == call) return true;
  }
  return false;
}

TEST(Seccomp, WhatBrokeContainersIsClosed) {
  auto profile = seccomp_profile(*capabilities_of(minimal()));
  for (const char* call : {"mount", "unshare", "setns", "bpf", "perf_event_open", "keyctl", "add_key", "userfaultfd",
                           "init_module", "kexec_load", "io_uring_setup", "open_by_handle_at", "clone3", "reboot"})
    EXPECT_FALSE(allows(profile, call)) << call;
  for (const char* call : {"read", "openat", "execve", "chroot", "futex", "ptrace", "getrandom"})
    EXPECT_TRUE(allows(profile, call)) << call;
}

TEST(Seccomp, ACapabilityOpensItsCalls) {
  ContainerSpec spec = minimal();
  spec.cap_add = {"SYS_ADMIN"};
  auto profile = seccomp_profile(*capabilities_of(spec));
  EXPECT_TRUE(allows(profile, "mount"));
  EXPECT_TRUE(allows(profile, "clone3"));
}

TEST(RuntimeErrors, BothRuntimesSpeakDockersWords) {
  ContainerSpec spec = minimal();
  spec.process.args = {"nope"};
  for (const char* raw : {"executable file `nope` not found in $PATH: No such file or directory",
                          "exec: \"nope\": executable file not found in $PATH"}) {
    Error error = start_error(spec, Error(ErrorCode::internal, raw));
    EXPECT_TRUE(error.text().ends_with(
        "unable to start container process: exec: \"nope\": executable file not found in $PATH: unknown"))
        << error.text();
    EXPECT_EQ(start_failure_exit_code(error.text()), 127);
  }
  spec.process.args = {"/etc/passwd"};
  Error denied = start_error(spec, Error(ErrorCode::internal, "open executable: Permission denied"));
  EXPECT_TRUE(denied.text().ends_with("exec: \"/etc/passwd\": permission denied: unknown")) << denied.text();
  EXPECT_EQ(start_failure_exit_code(denied.text()), 126);
}

TEST(Spec, SurvivesTheDiskWhole) {
  ContainerSpec spec = minimal();
  spec.ports = {{"127.0.0.1", 8080, 80, "tcp"}};
  spec.activations = {{"ssh", "0.0.0.0:2010", {{"/bin/sshd", "-i"}, {"A=B"}, "/", "0:0", {}, false, false}, 7}};
  spec.stop_timeout = 3;
  spec.resources.pids_limit = 17;
  auto back = json::decode<ContainerSpec>(json::encode(spec));
  ASSERT_TRUE(back);
  EXPECT_EQ(json::print(json::encode(*back)), json::print(json::encode(spec)));
  EXPECT_EQ(back->activations.at(0).exec.args.at(1), "-i");
  EXPECT_EQ(back->stop_timeout, 3);
}

TEST(Spec, HostileJsonIsAnErrorNotACrash) {
  for (const char* text : {"{\"name\":7}", "{\"mounts\":{}}", "{\"mounts\":[1]}", "{\"userns_base\":-1}",
                           "{\"userns_base\":1e300}", "{\"process\":{\"args\":[{}]}}", "[]", "null"})
    EXPECT_FALSE(json::decode<ContainerSpec>(*json::parse(text))) << text;
}

}  // namespace
}  // namespace berth::engine
