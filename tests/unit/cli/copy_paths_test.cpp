#include "cli/copy_paths.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

TEST(CopyPlace, TellsContainersFromPaths) {
  EXPECT_EQ(parse_place("web:/etc").container, "web");
  EXPECT_EQ(parse_place("web:/etc").path, "/etc");
  EXPECT_EQ(parse_place("web:/a:b").path, "/a:b");
  for (const char* local : {"/a:b", "./a:b", "../a:b", "a", "-", ":x", ""}) {
    EXPECT_EQ(parse_place(local).container, "") << local;
    EXPECT_EQ(parse_place(local).path, local);
  }
}

Landing landing(bool directory, const std::string& source, const std::string& target,
                std::optional<bool> target_is_directory) {
  auto planned = plan_landing(directory, source, target, target_is_directory);
  EXPECT_TRUE(planned) << planned.error().text();
  return planned ? *planned : Landing{};
}

TEST(Landing, OfAFile) {
  EXPECT_EQ(landing(false, "/a/f", "/x/new", {}), (Landing{"/x", "new"}));
  EXPECT_EQ(landing(false, "/a/f", "/x/old", false), (Landing{"/x", "old"}));
  EXPECT_EQ(landing(false, "/a/f", "/x/", true), (Landing{"/x/", "f"}));
  EXPECT_EQ(landing(false, "f", "name", {}), (Landing{".", "name"}));
  EXPECT_FALSE(plan_landing(false, "/a/f", "/x/missing/", {}));
}

TEST(Landing, OfADirectory) {
  EXPECT_EQ(landing(true, "/a/d", "/x/new", {}), (Landing{"/x", "new"}));
  EXPECT_EQ(landing(true, "/a/d/", "/x", true), (Landing{"/x", "d"}));
  EXPECT_EQ(landing(true, "/a/d/.", "/x", true), (Landing{"/x", "."}));
  EXPECT_EQ(landing(true, ".", "/x", true), (Landing{"/x", "."}));
  EXPECT_EQ(landing(true, "/a/d/.", "/x/new/", {}), (Landing{"/x", "new"}));
  auto over_file = plan_landing(true, "/a/d", "/x/file", false);
  ASSERT_FALSE(over_file);
  EXPECT_EQ(over_file.error().text(), "cannot copy directory");
}

TEST(Landing, HereNeedsItsDirectory) {
  auto planned = check_local("/nonexistent/x/y");
  ASSERT_FALSE(planned);
  EXPECT_TRUE(check_local("/tmp/not-there-yet"));
  EXPECT_EQ(planned.error().text(), "invalid output path: directory \"/nonexistent/x\" does not exist");
}

TEST(RenameFirst, ReplacesTheFirstComponent) {
  EXPECT_EQ(rename_first("etc/a/b", "new"), "new/a/b");
  EXPECT_EQ(rename_first("etc/", "new"), "new/");
  EXPECT_EQ(rename_first("file", "new"), "new");
  EXPECT_EQ(rename_first("./a", "new"), "new/a");
  EXPECT_EQ(rename_first("etc/a", "."), "./a");
}

}  // namespace
}  // namespace berth::cli
