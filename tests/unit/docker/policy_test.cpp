#include "docker/policy.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>

namespace berth::docker {
namespace {

engine::ContainerSpec workspace() {
  engine::ContainerSpec spec;
  spec.network = "workspaces";
  return spec;
}

class PolicyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/berth-policy-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    auto none = [](std::string_view) { return std::vector<std::string>(); };
    volumes_ = *volume::Volumes::open(loop_, directory_, none);
    ASSERT_TRUE(volumes_->create({.name = "theirs"}));
    ASSERT_TRUE(volumes_->create({.name = "ours", .labels = {{std::string(kPortalVolumeLabel), "portal"}}}));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Result<void> check(Access access, const std::function<void(engine::ContainerSpec&)>& change) {
    engine::ContainerSpec spec = workspace();
    change(spec);
    return check_create(access, spec, *volumes_);
  }

  async::Loop loop_{1};
  std::string directory_;
  std::unique_ptr<volume::Volumes> volumes_;
};

TEST_F(PolicyTest, MarksWhatThePortalMakes) {
  engine::ContainerSpec spec = workspace();
  ASSERT_TRUE(check_create(Access::portal, spec, *volumes_));
  EXPECT_TRUE(spec.owned_by_portal);
  engine::ContainerSpec other = workspace();
  ASSERT_TRUE(check_create(Access::full, other, *volumes_));
  EXPECT_FALSE(other.owned_by_portal);
}

TEST_F(PolicyTest, RefusesEveryWayToTheHostButNotForRoot) {
  using engine::ContainerSpec;
  const std::vector<std::pair<const char*, std::function<void(ContainerSpec&)>>> kWays = {
      {"privileged", [](ContainerSpec& s) { s.privileged = true; }},
      {"privileged process", [](ContainerSpec& s) { s.process.privileged = true; }},
      {"userns", [](ContainerSpec& s) { s.userns_mode = "host"; }},
      {"pid", [](ContainerSpec& s) { s.pid_mode = "host"; }},
      {"ipc", [](ContainerSpec& s) { s.ipc_mode = "host"; }},
      {"uts", [](ContainerSpec& s) { s.uts_mode = "host"; }},
      {"cgroupns", [](ContainerSpec& s) { s.cgroupns_mode = "host"; }},
      {"host network", [](ContainerSpec& s) { s.network = "host"; }},
      {"bridge network", [](ContainerSpec& s) { s.network = "bridge"; }},
      {"second network", [](ContainerSpec& s) { s.networks = {{.network = "bridge"}}; }},
      {"address", [](ContainerSpec& s) { s.networks = {{.network = s.network, .ipv4 = "10.0.0.9"}}; }},
      {"name", [](ContainerSpec& s) { s.networks = {{.network = s.network, .aliases = {"db"}}}; }},
      {"link", [](ContainerSpec& s) { s.links = {"a:b"}; }},
      {"mac", [](ContainerSpec& s) { s.mac_address = "02:00:00:00:00:01"; }},
      {"capability", [](ContainerSpec& s) { s.cap_add = {"SYS_ADMIN"}; }},
      {"device", [](ContainerSpec& s) { s.devices = {{"/dev/sda", "/dev/sda", "rwm"}}; }},
      {"seccomp", [](ContainerSpec& s) { s.seccomp_unconfined = true; }},
      {"sysctl", [](ContainerSpec& s) { s.sysctls = {{"kernel.msgmax", "1"}}; }},
      {"oom", [](ContainerSpec& s) { s.oom_score_adj = -500; }},
      {"runtime", [](ContainerSpec& s) { s.runtime = "other"; }},
      {"bind", [](ContainerSpec& s) { s.mounts = {{.type = "bind", .source = "/etc", .target = "/x"}}; }},
      {"their volume", [](ContainerSpec& s) { s.mounts = {{.type = "volume", .source = "theirs", .target = "/x"}}; }},
      {"no volume", [](ContainerSpec& s) { s.mounts = {{.type = "volume", .source = "none", .target = "/x"}}; }},
      {"low port", [](ContainerSpec& s) { s.ports = {{"", 80, 80, "tcp"}}; }},
      {"low address", [](ContainerSpec& s) { s.activations = {{.name = "a", .listen = "0.0.0.0:22"}}; }},
      {"no address", [](ContainerSpec& s) { s.activations = {{.name = "a", .listen = "nonsense"}}; }},
      {"privileged activation",
       [](ContainerSpec& s) {
         s.activations = {{.name = "a", .listen = "0.0.0.0:2022"}};
         s.activations[0].exec.privileged = true;
       }},
  };
  for (const auto& [name, change] : kWays) {
    EXPECT_FALSE(check(Access::portal, change)) << name;
    EXPECT_TRUE(check(Access::full, change)) << name;
  }
}

TEST_F(PolicyTest, AllowsWhatAWorkspaceNeeds) {
  EXPECT_TRUE(check(Access::portal, [](engine::ContainerSpec& s) {
    s.mounts = {{.type = "volume", .source = "ours", .target = "/home"}, {.type = "volume", .target = "/anonymous"}};
    s.activations = {{.name = "ssh", .listen = "0.0.0.0:2010"}};
    s.cap_drop = {"ALL"};
    s.resources.memory = 512 << 20;
  }));
}

TEST(Policy, DeniesRoutesByDefault) {
  EXPECT_TRUE(check_route(Access::portal, "POST /containers/create"));
  for (const char* route :
       {"POST /images/create", "POST /images/load", "DELETE /images/{name...}", "POST /build", "POST /networks/create",
        "POST /networks/{id}/connect", "POST /containers/prune", "POST /volumes/prune", "GET /new"}) {
    EXPECT_FALSE(check_route(Access::portal, route)) << route;
    EXPECT_TRUE(check_route(Access::full, route)) << route;
  }
}

TEST(Policy, OnlyPlainExecs) {
  engine::ProcessSpec process;
  EXPECT_TRUE(check_exec(Access::portal, process));
  process.privileged = true;
  EXPECT_FALSE(check_exec(Access::portal, process));
  EXPECT_TRUE(check_exec(Access::full, process));
}

}  // namespace
}  // namespace berth::docker
