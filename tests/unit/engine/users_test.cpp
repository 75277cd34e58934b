#include "engine/users.h"

#include <gtest/gtest.h>

namespace berth::engine {
namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/sh\n12:x:77:78::/home/twelve:/bin/sh\nbroken\n";
constexpr std::string_view kGroup = "root:x:0:\naudio:x:29:user,other\nuser:x:1000:\nvideo:x:44:user\n";

TEST(Users, EmptyIsRoot) {
  auto user = resolve_user("", {}, kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 0u);
  EXPECT_EQ(user->home, "/root");
}

TEST(Users, RootOfAnImageWithoutPasswd) {
  auto user = resolve_user("0", {}, "", "");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->home, "/root");
}

TEST(Users, NameBringsGroupHomeAndSupplementaryGroups) {
  auto user = resolve_user("user", {}, kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 1000u);
  EXPECT_EQ(user->gid, 1000u);
  EXPECT_EQ(user->home, "/home/user");
  EXPECT_EQ(user->groups, (std::vector<std::uint32_t>{29, 44}));
}

TEST(Users, AnExplicitGroupReplacesThem) {
  auto user = resolve_user("user:audio", {}, kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->gid, 29u);
  EXPECT_TRUE(user->groups.empty());
}

TEST(Users, ANameThatIsANumberIsANameFirst) {
  auto user = resolve_user("12", {}, kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 77u);
}

TEST(Users, AnUnknownNumberIsTaken) {
  auto user = resolve_user("4711:4712", {"audio", "99"}, kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 4711u);
  EXPECT_EQ(user->gid, 4712u);
  EXPECT_EQ(user->home, "/");
  EXPECT_EQ(user->groups, (std::vector<std::uint32_t>{29, 99}));
}

TEST(Users, UnknownNamesAreToldInDockersWords) {
  auto user = resolve_user("nobody-here", {}, kPasswd, kGroup);
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error().text(), "unable to find user nobody-here: no matching entries in passwd file");
  auto group = resolve_user("user:nope", {}, kPasswd, kGroup);
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().text(), "unable to find group nope: no matching entries in group file");
}

TEST(Users, NumbersOutOfRangeAreNames) {
  EXPECT_FALSE(resolve_user("4294967296", {}, kPasswd, kGroup));
  EXPECT_FALSE(resolve_user("-1", {}, kPasswd, kGroup));
}

}  // namespace
}  // namespace berth::engine
