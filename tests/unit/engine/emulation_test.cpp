#include "engine/emulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace berth::engine {
namespace {

class Emulation : public testing::Test {
 protected:
  Emulation() {
    char name[] = "/tmp/berth-binfmt-XXXXXX";
    directory_ = ::mkdtemp(name);
    write("register", "");
    write("status", "enabled\n");
  }
  ~Emulation() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(directory_ / name) << text; }
  std::set<std::string> found() const { return emulated_architectures(directory_); }

  std::filesystem::path directory_;
};

constexpr const char* kArm64 =
    "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n"
    "magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

TEST_F(Emulation, NoneWithoutHandlers) { EXPECT_TRUE(found().empty()); }

TEST_F(Emulation, TellsArchitecturesByTheMachineInTheMagic) {
  write("anything", kArm64);
  write("qemu-s390x",
        "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c4602020100000000000000000000020016\nmask ff\n");
  EXPECT_EQ(found(), (std::set<std::string>{"arm64", "s390x"}));
}

TEST_F(Emulation, AHandlerCountsOnlyEnabledAndFixed) {
  std::string text = kArm64;
  write("disabled", "disabled" + text.substr(7));
  text.replace(text.find("OCF"), 3, "OC");
  write("by-path", text);
  EXPECT_TRUE(found().empty());
}

TEST_F(Emulation, OtherKindsOfHandlersAreLeftAlone) {
  write("jar", "enabled\ninterpreter /usr/bin/jexec\nflags: F\nextension .jar\n");
  write("short", "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f45\n");
  write("script", "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 00000000000000000000000000000000000000000000\n");
  EXPECT_TRUE(found().empty());
}

TEST_F(Emulation, TheHostsOwnNeedsNothing) {
#if defined(__x86_64__)
  EXPECT_TRUE(runs_natively("amd64"));
  EXPECT_TRUE(runs_natively("386"));
  EXPECT_FALSE(runs_natively("arm64"));
  EXPECT_EQ(emulation_advice("amd64"), "");
#endif
}

TEST_F(Emulation, AdviceNamesThePackage) {
  EXPECT_NE(emulation_advice("no-such").find("apt-get install qemu-user-static"), std::string::npos);
}

}  // namespace
}  // namespace berth::engine
