#include "engine/layered_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/tree.h"
#include "sys/file.h"

namespace berth::engine {
namespace {

class LayeredFile : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: whiteouts are device nodes";
    char pattern[] = "/tmp/berth-layered-XXXXXX";
    root_ = ::mkdtemp(pattern);
    for (const char* name : {"/base/etc", "/top/etc", "/upper/diff", "/upper/work"})
      ASSERT_TRUE(sys::ensure_directories(root_ + name, 0755));
    write("/base/etc/passwd", "base");
  }
  void TearDown() override {
    if (!root_.empty()) EXPECT_TRUE(fs::remove_tree(root_));
  }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(sys::replace_file(root_ + path, text, 0644));
  }
  std::string read() {
    auto text = read_layered_file({root_ + "/base", root_ + "/top"}, root_ + "/upper", "etc", "passwd");
    return text ? *text : "error: " + text.error().text();
  }
  std::string root_;
};

TEST_F(LayeredFile, ComesFromTheHighestLayerThatHasIt) {
  EXPECT_EQ(read(), "base");
  write("/top/etc/passwd", "top");
  EXPECT_EQ(read(), "top");
  ASSERT_TRUE(sys::make_directory(root_ + "/upper/diff/etc", 0755));
  write("/upper/diff/etc/passwd", "upper");
  EXPECT_EQ(read(), "upper");
}

TEST_F(LayeredFile, AWhiteoutHidesIt) {
  ASSERT_EQ(::mknod((root_ + "/top/etc/passwd").c_str(), S_IFCHR | 0600, makedev(0, 0)), 0);
  EXPECT_EQ(read(), "");
}

TEST_F(LayeredFile, AnOpaqueDirectoryHidesIt) {
  ASSERT_EQ(::setxattr((root_ + "/top/etc").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  EXPECT_EQ(read(), "");
}

TEST_F(LayeredFile, ASymlinkIsFollowedInsideTheRootOnly) {
  write("/base/etc/real", "linked");
  ASSERT_EQ(::symlink("/etc/real", (root_ + "/top/etc/passwd").c_str()), 0);
  EXPECT_EQ(read(), "linked");
  ASSERT_EQ(::unlink((root_ + "/top/etc/passwd").c_str()), 0);
  ASSERT_EQ(::symlink("../../../../../../../../etc/hostname", (root_ + "/top/etc/passwd").c_str()), 0);
  EXPECT_EQ(read(), "");
}

}  // namespace
}  // namespace berth::engine
