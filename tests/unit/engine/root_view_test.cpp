// The root of a container that does not run, in both forms in which kernels are told of its layers.
#include "engine/root_view.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/root_dir.h"
#include "fs/tree.h"
#include "sys/file.h"

namespace berth::engine {
namespace {

class RootViewTest : public ::testing::TestWithParam<LowerForm> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/berth-root-view-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    for (const char* part : {"/upper", "/upper/diff", "/upper/work"})
      ASSERT_TRUE(sys::make_directory(directory_ + part, 0755));
  }
  void TearDown() override {
    if (!directory_.empty()) EXPECT_TRUE(fs::remove_tree(directory_));
  }

  // Layer n has a file n, and a file "top" that says n.
  std::vector<std::string> make_layers(int count) {
    std::vector<std::string> layers;
    for (int i = 0; i < count; ++i) {
      // As long as the image store's names.
      layers.push_back(fmt::format("{}/{:064d}", directory_, i));
      EXPECT_TRUE(sys::make_directory(layers.back(), 0755));
      EXPECT_TRUE(sys::replace_file(fmt::format("{}/{}", layers.back(), i), "", 0644));
      EXPECT_TRUE(sys::replace_file(layers.back() + "/top", std::to_string(i), 0644));
    }
    return layers;
  }
  std::string upper() const { return directory_ + "/upper"; }

  std::string directory_;
};

TEST_P(RootViewTest, ShowsManyLayersUnderTheUpperOne) {
  auto view = open_root_view(make_layers(40), upper(), false, GetParam());
  ASSERT_TRUE(view) << view.error().text();
  std::string root = fmt::format("/proc/self/fd/{}/", view->get());
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(sys::exists(root + std::to_string(i))) << i;
  EXPECT_EQ(*sys::read_file(root + "top"), "39");
}

TEST_P(RootViewTest, WritesToTheUpperLayerAgainAndAgain) {
  std::vector<std::string> layers = make_layers(3);
  for (const char* text : {"first", "second"}) {
    auto view = open_root_view(layers, upper(), true, GetParam());
    ASSERT_TRUE(view) << view.error().text();
    ASSERT_TRUE(sys::replace_file(fmt::format("/proc/self/fd/{}/top", view->get()), text, 0644));
  }
  EXPECT_EQ(*sys::read_file(upper() + "/diff/top"), "second");
  EXPECT_EQ(*sys::read_file(layers.back() + "/top"), "2");
}

TEST_P(RootViewTest, LeavesTheWorkingDirectoryAlone) {
  char before[4096], after[4096];
  ASSERT_NE(::getcwd(before, sizeof before), nullptr);
  ASSERT_TRUE(open_root_view(make_layers(2), upper(), false, GetParam()));
  ASSERT_NE(::getcwd(after, sizeof after), nullptr);
  EXPECT_STREQ(before, after);
}

INSTANTIATE_TEST_SUITE_P(Forms, RootViewTest, ::testing::Values(LowerForm::each, LowerForm::joined));

}  // namespace
}  // namespace berth::engine
