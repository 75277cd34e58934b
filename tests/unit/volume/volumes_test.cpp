#include "volume/volumes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "sys/unique_fd.h"

namespace berth::volume {
namespace {

namespace files = std::filesystem;

template <class T>
T run(async::Loop& loop, async::Task<T> task) {
  std::optional<T> result;
  boost::asio::co_spawn(loop.context(), std::move(task), [&](const std::exception_ptr& thrown, T value) {
    EXPECT_FALSE(thrown);
    result.emplace(std::move(value));
    loop.stop();
  });
  loop.run();
  loop.context().restart();
  return std::move(*result);
}

class VolumesTest : public testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/berth-volume-XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    base_ = directory;
    state_ = base_ / "volumes";
    open();
  }
  void TearDown() override {
    volumes.reset();
    files::remove_all(base_);
  }
  void open() {
    volumes.reset();
    auto opened = Volumes::open(loop, state_, [this](std::string_view name) {
      return users.contains(std::string(name)) ? users[std::string(name)] : std::vector<std::string>{};
    });
    ASSERT_TRUE(opened) << opened.error().text();
    volumes = *std::move(opened);
  }
  Volume create(const std::string& name, std::map<std::string, std::string> labels = {}) {
    auto volume = volumes->create({.name = name, .labels = std::move(labels)});
    EXPECT_TRUE(volume) << volume.error().text();
    return volume.value_or(Volume{});
  }
  Error remove_error(const std::string& name) {
    auto removed = run(loop, volumes->remove(name));
    EXPECT_FALSE(removed);
    return removed ? Error(ErrorCode::internal, "removed") : removed.error();
  }
  std::vector<std::string> left_in_state() {
    std::vector<std::string> names;
    for (const auto& entry : files::directory_iterator(state_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  static void write(const files::path& path, std::string_view text) { std::ofstream(path) << text; }
  static std::string read(const files::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  Result<bool> copy_up(const std::string& name, const files::path& source) {
    sys::UniqueFd fd(::open(source.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return run(loop, volumes->copy_up(name, fd.get()));
  }

  async::Loop loop;
  std::map<std::string, std::vector<std::string>> users;
  std::unique_ptr<Volumes> volumes;
  files::path base_;
  files::path state_;
};

TEST(VolumeName, FollowsDockersRuleAndTexts) {
  for (const char* good : {"ab", "a1", "1_", "web.data", "a-b", "A0"}) EXPECT_TRUE(check_name(good)) << good;
  EXPECT_EQ(check_name("a").error().text(),
            "create a: volume name is too short, names should be at least two alphanumeric characters");
  EXPECT_EQ(check_name("rel/path").error().text(),
            "create rel/path: \"rel/path\" includes invalid characters for a local volume name, only "
            "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path");
  for (const std::string& wrong :
       {std::string("-x"), std::string(".."), std::string(".new-1"), std::string("a b"), std::string("a\0b", 3),
        std::string("\xc3\xa9\xc3\xa9"), std::string(), std::string("../../etc"), std::string(256, 'a')}) {
    ASSERT_FALSE(check_name(wrong)) << wrong;
    EXPECT_EQ(http_status(check_name(wrong).error().code()), 400);
  }
  EXPECT_TRUE(check_name(std::string(255, 'a')));
}

TEST_F(VolumesTest, CreateIsIdempotentAndSurvives) {
  Volume first = create("data", {{"k", "v"}});
  EXPECT_EQ(first.mountpoint, state_ / "data/_data");
  EXPECT_EQ(files::status(first.mountpoint).permissions(), files::perms(0755));
  Volume again = create("data", {{"other", "label"}});
  EXPECT_EQ(again.created, first.created);
  EXPECT_EQ(again.labels, first.labels);
  open();
  Volume after = *volumes->find("data");
  EXPECT_EQ(after.created, first.created);
  EXPECT_EQ(after.labels, first.labels);
  EXPECT_EQ(after.mountpoint, first.mountpoint);
  EXPECT_EQ(volumes->list().size(), 1u);
}

TEST_F(VolumesTest, AnonymousOnesGetAName) {
  Volume volume = create("");
  EXPECT_EQ(volume.name.size(), 64u);
  EXPECT_TRUE(volume.anonymous);
  EXPECT_NE(create("").name, volume.name);
  open();
  EXPECT_TRUE(volumes->find(volume.name)->anonymous);
}

TEST_F(VolumesTest, ADirectoryOfTheHostIsAVolume) {
  VolumeSpec spec{.name = "vv", .options = {{"type", "none"}, {"o", "bind,ro"}, {"device", "/srv"}}};
  auto made = volumes->create(spec);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->options, spec.options);
}

TEST_F(VolumesTest, WhatCannotBeDoneIsSaid) {
  auto error = [&](VolumeSpec spec) { return volumes->create(std::move(spec)).error().text(); };
  EXPECT_EQ(error({.name = "vv", .driver = "foo"}),
            "create vv: error looking up volume plugin foo: plugin \"foo\" not found");
  EXPECT_EQ(error({.name = "vv", .options = {{"foo", "bar"}}}), "create vv: invalid option: \"foo\"");
  using Options = std::map<std::string, std::string>;
  auto refused = [&](Options options) { return error({.name = "vv", .options = std::move(options)}); };
  EXPECT_EQ(refused({{"type", "nfs"}}), "create vv: missing required option: \"device\"");
  EXPECT_NE(refused({{"type", "nfs"}, {"o", "addr=10.0.0.1"}, {"device", ":/x"}}).find("type \"nfs\""),
            std::string::npos);
  EXPECT_NE(refused({{"type", "none"}, {"device", "/x"}}).find("o=bind"), std::string::npos);
  EXPECT_NE(refused({{"type", "none"}, {"o", "bind"}, {"device", "x"}}).find("absolute"), std::string::npos);
  EXPECT_NE(refused({{"type", "none"}, {"o", "bind,suid"}, {"device", "/x"}}).find("\"suid\""), std::string::npos);
  EXPECT_EQ(volumes->find("vv").error().text(), "get vv: no such volume");
  EXPECT_EQ(http_status(remove_error("vv").code()), 404);
  EXPECT_TRUE(left_in_state().empty());
}

TEST_F(VolumesTest, RemoveRefusesWhatIsInUse) {
  create("data");
  users["data"] = {std::string(64, 'a'), std::string(64, 'b')};
  Error error = remove_error("data");
  EXPECT_EQ(error.text(),
            "remove data: volume is in use - [" + std::string(64, 'a') + ", " + std::string(64, 'b') + "]");
  EXPECT_EQ(http_status(error.code()), 409);
  users.clear();
  ASSERT_TRUE(run(loop, volumes->remove("data")));
  EXPECT_TRUE(left_in_state().empty());
  EXPECT_FALSE(volumes->find("data"));
}

TEST_F(VolumesTest, HalfMadeAndHalfRemovedOnesAreCleared) {
  create("data");
  write(state_ / "data/_data/file", "kept");
  files::create_directories(state_ / ".new-1/_data");
  files::create_directories(state_ / ".old-1/_data/deep");
  write(state_ / ".old-1/_data/deep/file", "x");
  open();
  EXPECT_EQ(left_in_state(), std::vector<std::string>{"data"});
  EXPECT_EQ(read(state_ / "data/_data/file"), "kept");
}

TEST_F(VolumesTest, WhatItDoesNotUnderstandIsLeftAlone) {
  files::create_directories(state_ / "foreign/_data");
  files::create_directories(state_ / "broken/_data");
  write(state_ / "broken/volume.json", "{");
  files::create_directories(state_ / "other/_data");
  write(state_ / "other/volume.json", R"({"name": "another"})");
  write(state_ / "plainfile", "x");
  open();
  EXPECT_TRUE(volumes->list().empty());
  EXPECT_EQ(left_in_state(), (std::vector<std::string>{"broken", "foreign", "other", "plainfile"}));
  // Nor is it overwritten by a volume of that name.
  EXPECT_FALSE(volumes->create({.name = "foreign", .labels = {{"k", "v"}}}));
}

TEST_F(VolumesTest, PruneTakesTheUnusedThatWereChosen) {
  create("used", {{"take", "1"}});
  create("free", {{"take", "1"}});
  create("kept");
  users["used"] = {"c"};
  write(state_ / "free/_data/file", std::string(1000, 'x'));
  auto pruned = run(loop, volumes->prune([](const Volume& volume) { return volume.labels.contains("take"); }));
  ASSERT_TRUE(pruned);
  EXPECT_EQ(pruned->names, std::vector<std::string>{"free"});
  EXPECT_EQ(pruned->bytes, 1000u);
  EXPECT_EQ(left_in_state(), (std::vector<std::string>{"kept", "used"}));
}

class CopyUp : public VolumesTest {
 protected:
  void SetUp() override {
    VolumesTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, for owners and attributes";
    source = base_ / "image";
    files::create_directories(source / "sub");
    write(source / "file", "content");
    write(source / "sub/other", "other");
    files::create_hard_link(source / "file", source / "sub/linked");
    files::create_symlink("/etc/passwd", source / "link");
    ASSERT_EQ(::mkfifo((source / "fifo").c_str(), 0640), 0);
    ASSERT_EQ(::mknod((source / "device").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
    std::ofstream(source / "sparse").seekp(8 << 20).write("end", 3);
    ASSERT_EQ(::lchown((source / "file").c_str(), 1000, 1001), 0);
    ASSERT_EQ(::lchown((source / "link").c_str(), 1000, 1001), 0);
    ASSERT_EQ(::chmod((source / "file").c_str(), 04755), 0);
    ASSERT_EQ(::setxattr((source / "sub").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
    ASSERT_EQ(::setxattr((source / "sub").c_str(), "trusted.kept", "z", 1, 0), 0);
    ASSERT_EQ(::lchown(source.c_str(), 33, 44), 0);
    ASSERT_EQ(::chmod(source.c_str(), 01777), 0);
    timespec times[] = {{1'000'000, 5}, {2'000'000, 7}};
    for (const char* name : {"file", "sub", "link", "."})
      ASSERT_EQ(::utimensat(AT_FDCWD, (source / name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  using Status = struct ::stat;
  static Status status(const files::path& path) {
    Status value{};
    EXPECT_EQ(::lstat(path.c_str(), &value), 0) << path;
    return value;
  }

  files::path source;
};

TEST_F(CopyUp, KeepsAllThatFilesCarry) {
  create("data");
  auto copied = copy_up("data", source);
  ASSERT_TRUE(copied) << copied.error().text();
  EXPECT_TRUE(*copied);
  files::path data = state_ / "data/_data";
  EXPECT_EQ(read(data / "file"), "content");
  EXPECT_EQ(files::read_symlink(data / "link"), "/etc/passwd");
  for (const char* name : {"file", "sub", "link", "fifo", ".", "sub/other"}) {
    Status was = status(source / name), is = status(data / name);
    EXPECT_EQ(is.st_mode, was.st_mode) << name;
    EXPECT_EQ(is.st_uid, was.st_uid) << name;
    EXPECT_EQ(is.st_gid, was.st_gid) << name;
    EXPECT_EQ(is.st_mtim.tv_sec, was.st_mtim.tv_sec) << name;
    EXPECT_EQ(is.st_mtim.tv_nsec, was.st_mtim.tv_nsec) << name;
  }
  EXPECT_EQ(status(data / "file").st_ino, status(data / "sub/linked").st_ino);
  EXPECT_FALSE(files::exists(data / "device"));
  EXPECT_EQ(status(data / "sparse").st_size, (8 << 20) + 3);
  EXPECT_LT(status(data / "sparse").st_blocks * 512, 1 << 20);
  char value[8];
  EXPECT_EQ(::getxattr((data / "sub").c_str(), "trusted.kept", value, sizeof value), 1);
  EXPECT_EQ(::getxattr((data / "sub").c_str(), "trusted.overlay.opaque", value, sizeof value), -1);
  // Nothing but the volume is left, and a second copy does nothing.
  EXPECT_EQ(std::distance(files::directory_iterator(state_ / "data"), {}), 2);
  files::remove(data / "file");
  EXPECT_FALSE(*copy_up("data", source));
  EXPECT_FALSE(files::exists(data / "file"));
}

TEST_F(CopyUp, AnInterruptedCopyIsRepaired) {
  create("cut");
  create("late");
  // Killed while copying: the volume is still empty and gets its content at the next start of a container.
  files::create_directories(state_ / "cut/_filling");
  write(state_ / "cut/_filling/half", "x");
  // Killed while the complete copy was moved to its place.
  files::create_directories(state_ / "late/_filled");
  write(state_ / "late/_data/first", "1");
  write(state_ / "late/_filled/second", "2");
  ASSERT_EQ(::chmod((state_ / "late/_filled").c_str(), 0700), 0);
  open();
  EXPECT_TRUE(files::is_empty(state_ / "cut/_data"));
  EXPECT_FALSE(files::exists(state_ / "cut/_filling"));
  EXPECT_TRUE(*copy_up("cut", source));
  EXPECT_EQ(read(state_ / "late/_data/first") + read(state_ / "late/_data/second"), "12");
  EXPECT_FALSE(files::exists(state_ / "late/_filled"));
  EXPECT_EQ(files::status(state_ / "late/_data").permissions(), files::perms(0700));
}

TEST_F(CopyUp, AFailureLeavesAnEmptyVolume) {
  create("data");
  write(base_ / "plain", "x");
  sys::UniqueFd no_directory(::open((base_ / "plain").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(run(loop, volumes->copy_up("data", no_directory.get())));
  EXPECT_TRUE(files::is_empty(state_ / "data/_data"));
  EXPECT_EQ(std::distance(files::directory_iterator(state_ / "data"), {}), 2);
  EXPECT_FALSE(copy_up("missing", source));
}

}  // namespace
}  // namespace berth::volume
