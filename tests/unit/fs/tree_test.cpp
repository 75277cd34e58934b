// RootDir, trees and archives on a real directory; nothing here needs root except where it says so.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fs/digest.h"
#include "fs/pack.h"
#include "fs/root_dir.h"
#include "fs/tar.h"
#include "fs/tree.h"
#include "fs/untar.h"
#include "sys/file.h"

namespace berth::fs {
namespace {

class TreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/berth-tree-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    ASSERT_TRUE(sys::make_directory(path("root"), 0755));
    ASSERT_TRUE(sys::replace_file(path("secret"), "outside", 0600));
    root_.emplace(RootDir::open_host(path("root")).value());
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(directory_)); }

  std::string path(const std::string& below) const { return directory_ + "/" + below; }
  void put(const std::string& below, std::string_view text) {
    ASSERT_TRUE(sys::replace_file(path("root/" + below), text, 0640));
  }
  void link(const std::string& target, const std::string& below) {
    ASSERT_EQ(::symlink(target.c_str(), path("root/" + below).c_str()), 0);
  }

  std::string directory_;
  std::optional<RootDir> root_;
};

TEST_F(TreeTest, PathsNeverLeaveTheRoot) {
  put("secret", "inside");
  link("/secret", "absolute");
  link("../../../../secret", "dotdot");
  link(path("secret"), "host");
  for (const char* name : {"secret", "/secret", "../secret", "/../../secret", "absolute", "dotdot"})
    EXPECT_EQ(root_->read_file(name).value_or("(none)"), "inside") << name;
  EXPECT_FALSE(root_->read_file("host"));
  EXPECT_FALSE(root_->read_file(std::string_view("secret\0x", 8)));
  EXPECT_FALSE(root_->open("/proc/self/root", O_PATH));
}

TEST_F(TreeTest, BeneathFollowsNothing) {
  put("file", "x");
  link("file", "link");
  EXPECT_TRUE(root_->open_beneath("file", O_RDONLY));
  EXPECT_EQ(root_->open_beneath("link", O_RDONLY).error().errno_value(), ELOOP);
  EXPECT_EQ(root_->open_beneath("../secret", O_RDONLY).error().errno_value(), EXDEV);
}

TEST_F(TreeTest, ResolvesAsAPersonInsideWould) {
  ASSERT_TRUE(root_->ensure_directories("/usr/lib/deep", 0755));
  link("usr/lib", "lib");
  link("/lib/deep/../deep", "way");
  link("loop", "loop");
  EXPECT_EQ(*root_->resolve("/way"), "/usr/lib/deep");
  EXPECT_EQ(*root_->resolve("way/new/file"), "/usr/lib/deep/new/file");
  EXPECT_EQ(*root_->resolve("../../.."), "/");
  EXPECT_EQ(root_->resolve("loop").error().errno_value(), ELOOP);
}

TEST_F(TreeTest, ReplacingAFileKeepsItsModeAndGoesThroughLinksInside) {
  put("passwd", "old");
  ASSERT_EQ(::chmod(path("root/passwd").c_str(), 0604), 0);
  link("/passwd", "alias");
  ASSERT_TRUE(root_->replace_file("alias", "new", 0600));
  EXPECT_EQ(*root_->read_file("passwd"), "new");
  EXPECT_EQ(root_->stat("passwd")->st_mode & 07777, 0604u);
  EXPECT_TRUE(S_ISLNK(root_->lstat("alias")->st_mode));
  ASSERT_TRUE(root_->replace_file("fresh", "x", 0640));
  EXPECT_EQ(root_->stat("fresh")->st_mode & 07777, 0640u);
  EXPECT_FALSE(root_->replace_file("/", "x", 0644));
  EXPECT_EQ(sys::list_directory(path("root"))->size(), 3u) << "no temporary file stays";
}

TEST_F(TreeTest, CleansPathsAsText) {
  const std::pair<const char*, const char*> cases[] = {
      {"/../a//./b/", "a/b"},  {"/", ""},     {"", ""}, {"a/..", ""}, {"../../x", "x"},
      {"a/b/../../../c", "c"}, {"...", "..."}};
  for (const auto& [text, clean] : cases) EXPECT_EQ(clean_path(text), clean) << text;
}

TEST_F(TreeTest, RemovalFollowsNothingAndGoesAllTheWayDown) {
  std::string tree = path("root/tree");
  ASSERT_TRUE(sys::make_directory(tree, 0755));
  ASSERT_EQ(::symlink(path("secret").c_str(), (tree + "/link").c_str()), 0);
  ASSERT_EQ(::symlink(directory_.c_str(), (tree + "/dir").c_str()), 0);
  // Deeper than any path, and than there are descriptors.
  sys::UniqueFd at = sys::open_file(tree, O_RDONLY | O_DIRECTORY).value();
  for (int i = 0; i < 1100; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    at = sys::open_at(at.get(), "d", O_RDONLY | O_DIRECTORY).value();
  }
  at.reset();
  auto removed = remove_tree(tree);
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_FALSE(sys::exists(tree));
  EXPECT_EQ(*sys::read_file(path("secret")), "outside");
  EXPECT_TRUE(remove_tree(tree)) << "absent is fine";
  EXPECT_TRUE(remove_tree(path("no/such/parent")));
  EXPECT_FALSE(remove_tree("/"));
}

TEST_F(TreeTest, RemovalClearsImmutableFlags) {
  put("file", "x");
  sys::UniqueFd file = sys::open_file(path("root/file"), O_RDONLY).value();
  int flags = FS_IMMUTABLE_FL;
  if (::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) < 0) GTEST_SKIP() << "no immutable flag here (not root, or tmpfs)";
  sys::UniqueFd parent = sys::open_file(path("root"), O_RDONLY | O_DIRECTORY).value();
  flags = FS_APPEND_FL;
  ASSERT_EQ(::ioctl(parent.get(), FS_IOC_SETFLAGS, &flags), 0);
  auto removed = remove_tree(path("root"));
  EXPECT_TRUE(removed) << removed.error().text();
}

TEST_F(TreeTest, MeasuresEachFileOnce) {
  put("a", "12345");
  ASSERT_EQ(::link(path("root/a").c_str(), path("root/b").c_str()), 0);
  ASSERT_TRUE(root_->ensure_directories("d/e", 0755));
  put("d/e/f", "123");
  auto size = measure_tree(path("root"));
  ASSERT_TRUE(size);
  EXPECT_EQ(size->bytes, 8u);
  EXPECT_EQ(size->entries, 5u);
}

std::string packed(const RootDir& root, const std::string& what, const PackOptions& options) {
  StringSink sink;
  auto done = pack(root, what, sink, options);
  EXPECT_TRUE(done) << done.error().text();
  return sink.take();
}

std::vector<std::string> names_in(const std::string& tar) {
  StringSource source(tar);
  tar::Reader reader(source);
  std::vector<std::string> names;
  while (auto entry = reader.next().value()) names.push_back(entry->path);
  return names;
}

TEST_F(TreeTest, PacksAndUnpacksTheSameTree) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: files get owners";
  ASSERT_TRUE(root_->ensure_directories("d/empty", 0751));
  put("d/file", std::string(100'000, 'x'));
  ASSERT_EQ(::chown(path("root/d/file").c_str(), 3'000'000, 7), 0);
  ASSERT_EQ(::chmod(path("root/d/file").c_str(), 04711), 0);
  timespec times[2] = {{1700000000, 0}, {1700000000, 123456789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("root/d/file").c_str(), times, 0), 0);
  ASSERT_EQ(::link(path("root/d/file").c_str(), path("root/d/hard").c_str()), 0);
  link("file", "d/soft");
  std::string longest(230, 'n');
  put("d/" + longest, "long");
  ASSERT_EQ(::mkfifo(path("root/d/fifo").c_str(), 0600), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path("root/d/socket").copy(address.sun_path, sizeof address.sun_path - 1);
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  std::string tar = packed(*root_, "/d", {.name = "moved"});
  EXPECT_EQ(names_in(tar), (std::vector<std::string>{"moved/", "moved/empty/", "moved/fifo", "moved/file", "moved/hard",
                                                     "moved/" + longest, "moved/soft"}));
  StringSource source(tar);
  auto report = untar(source, *root_, {});
  ASSERT_TRUE(report) << report.error().text();
  auto before = root_->lstat("d/file").value(), after = root_->lstat("moved/file").value();
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_mtim.tv_nsec, 123456789);
  EXPECT_EQ(after.st_nlink, 2u);
  EXPECT_EQ(*root_->read_link("moved/soft"), "file");
  EXPECT_EQ(packed(*root_, "moved", {.name = "d"}), packed(*root_, "d", {.name = "d"}));
}

TEST_F(TreeTest, PacksASymlinkOrAFileAlone) {
  put("file", "x");
  link("/nowhere", "link");
  EXPECT_EQ(names_in(packed(*root_, "file", {.name = "renamed"})), std::vector<std::string>{"renamed"});
  EXPECT_EQ(names_in(packed(*root_, "link", {.name = "link"})), std::vector<std::string>{"link"});
  put("other", "y");
  auto skip = [](std::string_view name) { return name == "file"; };
  EXPECT_EQ(names_in(packed(*root_, "/", {.skip = skip})), (std::vector<std::string>{"link", "other"}));
}

TEST_F(TreeTest, KeepsKindsWhenAsked) {
  ASSERT_TRUE(root_->ensure_directories("name", 0755));
  StringSink sink;
  tar::Writer writer(sink);
  tar::Entry entry;
  entry.path = "name";
  ASSERT_TRUE(writer.add(entry, "file"));
  ASSERT_TRUE(writer.finish());
  std::string tar = sink.take();
  StringSource source(tar);
  std::pair<std::uint32_t, std::uint32_t> owner(::geteuid(), ::getegid());
  auto refused = untar(source, *root_, {.keep_kinds = true, .owner = owner});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("cannot overwrite directory with non-directory"), std::string::npos);
  StringSource again(tar);
  ASSERT_TRUE(untar(again, *root_, {.owner = owner}));
  EXPECT_EQ(*root_->read_file("name"), "file");
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.update("a");
  std::string early = hash.hex();
  hash.update("bc");
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
  EXPECT_EQ(early, sha256_hex("a"));
}

}  // namespace
}  // namespace berth::fs
