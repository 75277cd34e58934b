// kill -9 while containers are attached and detached, at any instruction: the next manager clears up.
#include <sys/prctl.h>
#include <sys/wait.h>

#include <chrono>
#include <random>

#include "sandbox.h"
#include "sys/process.h"

namespace berth::network::test {
namespace {

constexpr char kStateVariable[] = "BERTH_TEST_NETWORK_STATE";
constexpr int kReadyFd = 3;
constexpr int kNetnsFd = 4;

class Crash : public Sandbox {
 protected:
  void SetUp() override {
    // The victim works in its parent's namespace and state directory.
    if (const char* state = ::getenv(kStateVariable)) {
      loop = std::make_unique<async::Loop>();
      config = {.state_dir = state, .prefix = "nt", .table = "nt"};
      open_manager();
      config.state_dir.clear();
      return;
    }
    Sandbox::SetUp();
  }

  sys::Process spawn_victim(const sys::UniqueFd& netns, int ready) {
    sys::SpawnOptions options{
        .argv = {"/proc/self/exe", "--gtest_also_run_disabled_tests", "--gtest_filter=Crash.DISABLED_Victim"},
        .env = std::vector<std::string>{std::string(kStateVariable) + "=" + config.state_dir},
        .fds = {{ready, kReadyFd}, {netns.get(), kNetnsFd}}};
    auto victim = sys::spawn(options);
    EXPECT_TRUE(victim) << victim.error().text();
    return victim ? *std::move(victim) : sys::Process();
  }
};

// Not a test by itself: what AtAnyMomentLeavesNothing kills.
TEST_F(Crash, DISABLED_Victim) {
  if (::getenv(kStateVariable) == nullptr) GTEST_SKIP() << "runs within Crash.AtAnyMomentLeavesNothing";
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sys::UniqueFd netns(kNetnsFd);
  ASSERT_EQ(::write(kReadyFd, "!", 1), 1);
  while (true) {
    attach("a", netns, "workspaces", {{"tcp", Ip(), 18099, 22}});
    auto network = run(*loop, manager->create({.name = "n"}));
    ASSERT_TRUE(network);
    ASSERT_TRUE(run(*loop, manager->detach_one(id("a"), "workspaces", netns.get())));
    ASSERT_TRUE(run(*loop, manager->remove("n")));
  }
}

TEST_F(Crash, AtAnyMomentLeavesNothing) {
  auto before = links();
  std::string rules = output_of("nft list table inet nt; nft list table bridge nt");
  std::mt19937 random(5);
  for (int round = 0; round < 12; ++round) {
    auto netns = make_netns();
    int ready[2];
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    sys::UniqueFd read_end(ready[0]), write_end(ready[1]);
    manager.reset();
    sys::Process victim = spawn_victim(netns, write_end.get());
    write_end.reset();
    char byte;
    ASSERT_EQ(::read(read_end.get(), &byte, 1), 1) << "the victim did not start";
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    ASSERT_TRUE(victim.signal(SIGKILL));
    ASSERT_EQ(*victim.wait(), SIGKILL) << "the victim ended by itself";
    open_manager();
    auto swept = run(*loop, manager->sweep({}));
    ASSERT_TRUE(swept) << swept.error().text();
    if (manager->find("n")) ASSERT_TRUE(run(*loop, manager->remove("n")));
    EXPECT_EQ(links(), before) << round;
    EXPECT_EQ(output_of("nft list table inet nt; nft list table bridge nt"), rules) << round;
    EXPECT_TRUE(std::filesystem::is_empty(config.state_dir + "/endpoints"));
    // And all that it held can be had again.
    attach("b", netns, "workspaces", {{"tcp", Ip(), 18099, 22}});
    detach("b");
    ASSERT_TRUE(run(*loop, manager->sweep({})));
  }
}

}  // namespace
}  // namespace berth::network::test
