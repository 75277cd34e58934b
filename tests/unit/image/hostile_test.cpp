// Hostile archives (security gate 10) against berth-unpack as the store runs it: nothing is made outside the layer,
// nothing hangs, and what is refused leaves nothing behind.
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "base/text.h"
#include "fs/root_dir.h"
#include "fs/untar.h"
#include "image/detail/compression.h"
#include "image/detail/jail.h"
#include "image/detail/layers.h"
#include "store_fixture.h"

namespace berth::image {
namespace {

using fs::tar::Type;

class HostileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    // As the engine does: berth-unpack may end before it has read everything.
    ::signal(SIGPIPE, SIG_IGN);
    char name[] = "/tmp/berth-hostile-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    ASSERT_TRUE(sys::make_directory(directory_ + "/outside", 0755));
    ASSERT_TRUE(sys::replace_file(directory_ + "/outside/secret", "secret", 0600));
  }
  void TearDown() override {
    if (directory_.empty()) return;
    EXPECT_EQ(*sys::read_file(directory_ + "/outside/secret"), "secret");
    EXPECT_EQ(sys::list_directory(directory_ + "/outside")->size(), 1u);
    EXPECT_TRUE(fs::remove_tree(directory_));
  }

  Result<StagedLayer> unpack(const std::string& tar, UnpackLimits limits = {1 << 20, 1000}) {
    std::string stage = directory_ + fmt::format("/stage{}", count_++);
    root_ = stage + "/root";
    TRY(Unpacking unpacking, Unpacking::start({BERTH_TEST_BIN "/berth-unpack", limits}, stage));
    auto written = unpacking.write(tar);
    if (!written && !unpacking.has_given_up()) return std::unexpected(std::move(written).error());
    return unpacking.finish();
  }
  bool is_there(const std::string& path) const { return sys::exists(root_ + "/" + path); }
  std::string text(const std::string& path) const { return sys::read_file(root_ + "/" + path).value_or("(none)"); }
  struct stat status(const std::string& path) const {
    struct stat status{};
    EXPECT_EQ(::lstat((root_ + "/" + path).c_str(), &status), 0) << path;
    return status;
  }

  std::string directory_;
  std::string root_;
  int count_ = 0;
};

fs::tar::Entry symlink_entry(const std::string& path, const std::string& target) {
  return entry_of(Type::symlink, path, target);
}

TEST_F(HostileTest, PathsThatLeadOutStayInside) {
  std::string outside = directory_ + "/outside";
  ASSERT_TRUE(unpack(Tar()
                         .file(outside + "/absolute", "1")
                         .file("../../../../" + outside + "/dotdot", "2")
                         .file("a/../../b", "3")
                         .file("./././c", "4")
                         .finish()));
  EXPECT_EQ(text(outside.substr(1) + "/absolute"), "1");
  EXPECT_EQ(text(outside.substr(1) + "/dotdot"), "2");
  EXPECT_EQ(text("b"), "3");
  EXPECT_EQ(text("c"), "4");
}

TEST_F(HostileTest, SymlinksLeadNowhereElse) {
  std::string outside = directory_ + "/outside";
  ASSERT_TRUE(unpack(Tar()
                         .add(symlink_entry("link", outside))
                         .file("link/through", "1")
                         .add(symlink_entry("up", "../../../../../../../../../" + outside))
                         .file("up/through", "2")
                         .add(symlink_entry("file", outside + "/secret"))
                         .file("file", "3")
                         .finish()));
  EXPECT_EQ(text("file"), "3");
  EXPECT_TRUE(S_ISREG(status("file").st_mode)) << "the symlink was replaced, not followed";
  EXPECT_EQ(text(outside.substr(1) + "/through"), "2") << "it resolves inside the layer";
}

TEST_F(HostileTest, AncestorsSwappedForSymlinksLeadNowhereElse) {
  std::string outside = directory_ + "/outside";
  ASSERT_TRUE(unpack(
      Tar().directory("d/").file("d/first", "1").add(symlink_entry("d", outside)).file("d/second", "2").finish()));
  EXPECT_TRUE(S_ISLNK(status("d").st_mode));
}

TEST_F(HostileTest, HardLinksReachNothingOutside) {
  std::string secret = directory_ + "/outside/secret";
  EXPECT_FALSE(unpack(Tar().add(entry_of(Type::hard_link, "stolen", secret)).finish()));
  EXPECT_FALSE(unpack(Tar().add(entry_of(Type::hard_link, "stolen", "../../outside/secret")).finish()));
  EXPECT_FALSE(unpack(Tar().add(entry_of(Type::hard_link, "stolen", "/")).finish()));
  // Through a symlink: the link is to the symlink itself, or to what it means inside.
  ASSERT_TRUE(
      unpack(Tar().add(symlink_entry("link", secret)).add(entry_of(Type::hard_link, "stolen", "link")).finish()));
  EXPECT_TRUE(S_ISLNK(status("stolen").st_mode));
}

TEST_F(HostileTest, AWriteDoesNotGoThroughAHardLink) {
  ASSERT_TRUE(unpack(Tar().file("a", "1").add(entry_of(Type::hard_link, "b", "a")).file("b", "2").finish()));
  EXPECT_EQ(text("a"), "1");
  EXPECT_EQ(text("b"), "2");
}

TEST_F(HostileTest, DevicesAreLeftOut) {
  fs::tar::Entry disk = entry_of(Type::block_device, "disk");
  disk.device_major = 8;
  fs::tar::Entry fake = entry_of(Type::character_device, "whiteout");  // 0:0, overlay's own mark
  fs::tar::Entry kmem = entry_of(Type::character_device, "kmem");
  kmem.device_major = 1;
  kmem.device_minor = 2;
  ASSERT_TRUE(unpack(Tar().add(disk).add(fake).add(kmem).add(entry_of(Type::fifo, "fifo")).finish()));
  EXPECT_FALSE(is_there("disk") || is_there("kmem") || is_there("whiteout"));
  EXPECT_TRUE(S_ISFIFO(status("fifo").st_mode));
}

TEST_F(HostileTest, SetuidAndCapabilitiesAreKept) {
  fs::tar::Entry ping = file_entry("ping", 06755);
  ping.uid = 70000;
  ping.gid = 70001;
  // A version 2 capability set: cap_net_raw, permitted and effective (linux/capability.h).
  const std::uint32_t words[5] = {0x02000001, 1u << 13, 0, 0, 0};
  std::string capability(sizeof words, '\0');
  std::memcpy(capability.data(), words, sizeof words);
  ping.xattrs["security.capability"] = capability;
  ping.xattrs["user.note"] = std::string("a\0b", 3);
  ping.xattrs["trusted.overlay.opaque"] = "y";
  ping.xattrs["user.overlay.opaque"] = "y";
  ping.xattrs["security.selinux"] = "label";
  ASSERT_TRUE(unpack(Tar().add(ping, "x").finish()));
  EXPECT_EQ(status("ping").st_mode & 07777, 06755u);
  EXPECT_EQ(status("ping").st_uid, 70000u);
  char value[64];
  std::string path = root_ + "/ping";
  EXPECT_EQ(::getxattr(path.c_str(), "security.capability", value, sizeof value), 20) << "as this host sees it";
  EXPECT_EQ(std::memcmp(value + 4, capability.data() + 4, 16), 0);
  EXPECT_EQ(::getxattr(path.c_str(), "user.note", value, sizeof value), 3);
  for (const char* name : {"trusted.overlay.opaque", "user.overlay.opaque", "security.selinux"})
    EXPECT_EQ(::getxattr(path.c_str(), name, value, sizeof value), -1) << name;
}

TEST_F(HostileTest, WhiteoutsAndOpaqueMarksStayInside) {
  std::string outside = directory_ + "/outside";
  EXPECT_FALSE(unpack(Tar().file(".wh...", "").finish()));
  EXPECT_FALSE(unpack(Tar().file(".wh..", "").finish()));
  EXPECT_FALSE(unpack(Tar().file(".wh.", "").finish()));
  // An opaque mark below a symlink that leads out is refused: marks are set from outside the jail.
  EXPECT_FALSE(unpack(Tar().add(symlink_entry("link", outside)).file("link/.wh..wh..opq", "").finish()));
  char value = 0;
  EXPECT_EQ(::getxattr(outside.c_str(), "trusted.overlay.opaque", &value, 1), -1);
  ASSERT_TRUE(unpack(Tar().file(".wh..wh.plnk", "").file("d/.wh.x", "").finish()));
  EXPECT_TRUE(S_ISCHR(status("d/x").st_mode));
  EXPECT_FALSE(is_there(".wh..wh.plnk"));
}

TEST_F(HostileTest, TheLaterOfTwoEntriesCounts) {
  auto layer =
      unpack(Tar().file("a", "old").file("a", "new").directory("d/").file("d/x", "1").file("d", "file").finish());
  ASSERT_TRUE(layer) << layer.error().text();
  EXPECT_TRUE(layer->overlapping);
  EXPECT_EQ(text("a"), "new");
  EXPECT_EQ(text("d"), "file");
  layer = unpack(Tar().directory("d/").file("d/x", "1").directory("d/").finish());
  ASSERT_TRUE(layer);
  EXPECT_FALSE(layer->overlapping) << "a directory that is said twice loses nothing";
  EXPECT_EQ(text("d/x"), "1");
}

TEST_F(HostileTest, LimitsHold) {
  EXPECT_EQ(unpack(Tar().file("a", std::string(5000, 'x')).finish(), {4000, 1000}).error().code(),
            ErrorCode::exhausted);
  Tar many;
  for (int i = 0; i < 100; ++i) many.file(fmt::format("f{}", i), "");
  EXPECT_EQ(unpack(many.finish(), {4000, 10}).error().code(), ErrorCode::exhausted);
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "d/";
  EXPECT_EQ(unpack(Tar().file(deep + "x", "").finish(), {4000, 10}).error().code(), ErrorCode::exhausted)
      << "directories that are only implied count too";
}

// A header by hand, for what the writer refuses to write.
std::string header(char type, std::string_view name, std::string_view size,
                   std::string_view magic = {"ustar\0"
                                             "00",
                                             8}) {
  std::string block(512, '\0');
  auto put = [&](std::size_t at, std::string_view bytes) {
    std::memcpy(block.data() + at, bytes.data(), bytes.size());
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size);
  put(136, "00000000000");
  put(148, "        ");
  block[156] = type;
  put(257, magic);
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512, '\0');
  return text;
}

// "LENGTH KEY=VALUE\n" with the right length.
std::string record(std::string_view key, std::string_view value) {
  std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + (rest + 1 < 10 ? 1 : rest + 2 < 100 ? 2 : 3);
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string sparse_records(std::string_view size) {
  return record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.realsize", size);
}

std::string pax(const std::string& records) {
  return header('x', "pax", fmt::format("{:011o}", records.size())) + padded(records);
}

TEST_F(HostileTest, SizesBeyondReasonAreRefused) {
  std::string huge = std::string("\x80", 1) + std::string(3, '\0') + std::string("\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
  std::string negative(12, '\xff');
  for (const std::string& size : {huge, negative, std::string("77777777777"), std::string("9"), std::string("0x10")})
    EXPECT_FALSE(unpack(header('0', "a", size) + std::string(1024, '\0'))) << to_hex(size);
  for (const char* size : {"9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "", "1e3"})
    EXPECT_FALSE(unpack(pax(record("size", size)) + header('0', "a", "00000001000") + std::string(100, 'x'))) << size;
}

TEST_F(HostileTest, PaxRecordsAreChecked) {
  for (const char* records : {"5 a=b\n", "999 path=a\n", "0 path=a\n", "-9 path=a\n", "path=a\n", "11 path=abc",
                              "99999999999999999999 a=b\n"})
    EXPECT_FALSE(unpack(pax(records) + header('0', "a", "00000000000"))) << records;
  // A path within the records overrides the header's, and is judged like it.
  ASSERT_TRUE(unpack(pax("21 path=../../escape\n") + header('0', "harmless", "00000000000")));
  EXPECT_TRUE(is_there("escape"));
  EXPECT_FALSE(is_there("harmless"));
  EXPECT_FALSE(unpack(header('x', "pax", "00777777777") + std::string(1024, 'x')));
  EXPECT_FALSE(unpack(header('L', "long", "00777777777") + std::string(1024, 'x')));
}

TEST_F(HostileTest, SparseBombsAreBounded) {
  auto bomb = unpack(pax(sparse_records("999999999999")) + header('0', "bomb", "00000001000") + padded("1\n0\n0\n"));
  ASSERT_FALSE(bomb);
  EXPECT_EQ(bomb.error().code(), ErrorCode::exhausted);
  // Extents out of order, beyond the end, and more of them than the file has bytes for.
  for (const char* map : {"2\n5\n1\n0\n1\n", "1\n0\n99\n", "1\n9\n2\n", "1\n3\n1\n", "1000000000\n0\n1\n", "x\n",
                          "1\n18446744073709551615\n2\n"})
    EXPECT_FALSE(unpack(pax(sparse_records("10")) + header('0', "bad", "00000001002") + padded(map) + padded("ab")))
        << map;
  auto good = unpack(pax(sparse_records("10") + record("GNU.sparse.name", "named")) +
                     header('0', "bad", "00000001002") + padded("1\n3\n2\n") + padded("ab"));
  ASSERT_TRUE(good) << good.error().text();
  EXPECT_EQ(text("named"), std::string("\0\0\0ab\0\0\0\0\0", 10));
  auto older = unpack(pax(record("GNU.sparse.size", "6") + record("GNU.sparse.map", "1,1,4,1")) +
                      header('0', "older", "00000000002") + padded("ab"));
  ASSERT_TRUE(older) << older.error().text();
  EXPECT_EQ(text("older"), std::string("\0a\0\0b\0", 6));
}

TEST_F(HostileTest, NamesAreBytes) {
  ASSERT_TRUE(unpack(Tar().file("caf\xe9", "1").file("new\nline", "2").file(std::string(200, 'n'), "3").finish()));
  EXPECT_EQ(text("caf\xe9"), "1");
  EXPECT_EQ(text("new\nline"), "2");
  EXPECT_EQ(text(std::string(200, 'n')), "3");
  auto refused = unpack(Tar().file(std::string(300, 'n'), "").finish());
  ASSERT_FALSE(refused);
  // An opaque directory with such a name is still marked.
  ASSERT_TRUE(unpack(Tar().directory("caf\xe9/").file("caf\xe9/.wh..wh..opq", "").finish()));
  char value = 0;
  EXPECT_EQ(::getxattr((root_ + "/caf\xe9").c_str(), "trusted.overlay.opaque", &value, 1), 1);
}

TEST_F(HostileTest, DeepTreesNeitherEscapeNorStay) {
  Tar tar;
  std::string path;
  for (int i = 0; i < 1100; ++i) path += "d/";
  tar.directory(path);
  auto layer = unpack(tar.finish(), {1 << 20, 10000});
  ASSERT_TRUE(layer) << layer.error().text();
  EXPECT_TRUE(fs::remove_tree(root_));
}

TEST_F(HostileTest, AnArchiveCutAnywhereIsRefusedOrWhole) {
  fs::tar::Entry entry = file_entry("caf\xc3\xa9", 0644);
  entry.xattrs["user.x"] = "y";
  std::string whole = Tar().directory("d/").add(entry, std::string(700, 'x')).add(symlink_entry("l", "d")).finish();
  constexpr std::size_t kPadding = 1024 - 700;
  const std::size_t after_file = whole.size() - 3 * 512;  // the link and the end are left
  for (std::size_t cut = 1; cut < whole.size() - 1024; ++cut) {
    // Between two entries a tar stream may end, and within the padding after a file; an extension belongs to the entry
    // after it.
    if (cut == 512 || (cut >= after_file - kPadding && cut <= after_file)) continue;
    if (cut % 512 > 2 && cut % 64 != 0) continue;  // each block's edges, and some between
    EXPECT_FALSE(unpack(whole.substr(0, cut))) << cut;
  }
}

TEST_F(HostileTest, CompressedStreamsThatAreCutOrBombsAreRefused) {
  EXPECT_FALSE(unpack(std::string("\x1f\x8b\x08\x00", 4)));
  EXPECT_FALSE(unpack("\x28\xb5\x2f\xfd"));
  EXPECT_FALSE(unpack(std::string("\x1f\x8b") + std::string(1000, 'x')));
  EXPECT_FALSE(unpack("BZh91AY&SY"));
  EXPECT_FALSE(
      unpack(std::string("\xfd"
                         "7zXZ\0\0\4",
                         8)));
}

std::string gzipped(std::string_view plain) {
  fs::StringSink sink;
  GzipSink gzip(sink);
  EXPECT_TRUE(gzip.write(plain));
  EXPECT_TRUE(gzip.finish());
  return sink.take();
}

// The same piece again and again: each time a gzip member of its own, so that it is compressed only once.
Result<StagedLayer> unpack_endless(const std::string& directory, std::string_view piece, std::uint64_t times,
                                   UnpackLimits limits) {
  std::string member = gzipped(piece);
  TRY(Unpacking unpacking, Unpacking::start({BERTH_TEST_BIN "/berth-unpack", limits}, directory + "/endless"));
  for (std::uint64_t i = 0; i < times; ++i) {
    if (unpacking.write(member)) continue;
    if (unpacking.has_given_up()) break;
    return fail(ErrorCode::internal, "berth-unpack neither reads nor gives up");
  }
  return unpacking.finish();
}

// Of the largest process that has ended so far.
long children_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss;
}

#if !defined(__has_feature) || !__has_feature(address_sanitizer)
constexpr long kMaxKilobytes = 128 << 10;
#else
constexpr long kMaxKilobytes = 2 << 20;  // the sanitizer's shadow and quarantine come on top
#endif

TEST_F(HostileTest, TenMillionEntriesAreRefusedInLittleMemory) {
  std::string entry = header('3', "device", "00000000000");
  std::string piece;
  for (int i = 0; i < 10'000; ++i) piece += entry;
  auto layer = unpack_endless(directory_, piece, 1000, {64ull << 30, 100'000});
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code(), ErrorCode::exhausted);
  EXPECT_NE(layer.error().text().find("more than 100000 entries"), std::string::npos) << layer.error().text();
  EXPECT_LT(children_kilobytes(), kMaxKilobytes);
}

TEST_F(HostileTest, ExtensionsWithoutAnEntryAreCountedToo) {
  std::string records = record("comment", "x");
  std::string block = header('g', "global", fmt::format("{:011o}", records.size())) + padded(records);
  std::string piece;
  for (int i = 0; i < 1000; ++i) piece += block;
  auto layer = unpack_endless(directory_, piece, 1000, {1 << 20, 100'000});
  ASSERT_FALSE(layer);
  EXPECT_EQ(layer.error().code(), ErrorCode::exhausted);
}

TEST_F(HostileTest, WhatIsRememberedOfDirectoriesIsBounded) {
  std::string path;
  for (int i = 0; i < 100; ++i) path += "dddddddddd/";
  Tar tar;
  for (int i = 0; i < 100; ++i) tar.directory(path);
  std::string bytes = tar.finish();
  fs::StringSource source(bytes);
  fs::UntarOptions options;
  options.max_held_bytes = 64 << 10;
  auto report = fs::untar(source, *fs::RootDir::open_host(directory_), options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::exhausted);
  EXPECT_NE(report.error().text().find("names of the archive's directories"), std::string::npos);
}

TEST_F(HostileTest, DecompressionBombsAreRefused) {
  std::string piece(8 << 20, '\0');
  // Zeros after the archive's end, and zeros that are a file.
  auto padding = unpack_endless(directory_, piece, 100, {1 << 20, 1000});
  ASSERT_FALSE(padding);
  EXPECT_EQ(padding.error().code(), ErrorCode::exhausted);
  ASSERT_TRUE(fs::remove_tree(directory_ + "/endless"));
  auto file = unpack_endless(directory_, header('0', "zeros", "77777777777") + piece, 100, {1 << 20, 1000});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::exhausted);
  EXPECT_LT(children_kilobytes(), kMaxKilobytes + (300 << 10));
}

#if !defined(__has_feature) || !__has_feature(address_sanitizer)

// What the jailed code may not do ends it; the caller is told.
TEST_F(HostileTest, TheJailKnowsOnlyFiles) {
  const std::pair<const char*, void (*)()> kForbidden[] = {
      {"socket", [] { (void)::socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"execve", [] { (void)::execl("/x", "x", nullptr); }},
      {"fork", [] { (void)::fork(); }},
      {"mount", [] { (void)::syscall(SYS_mount, "a", "/", "tmpfs", 0, nullptr); }},
      {"unshare", [] { (void)::syscall(SYS_unshare, 0); }},
      {"io_uring", [] { (void)::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"executable memory",
       [] { (void)::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
  };
  for (const auto& [name, call] : kForbidden) {
    auto answer = run_in_jail(directory_ + "/outside", {}, [call] { return call(), std::string("went on"); });
    ASSERT_FALSE(answer) << name << ": " << *answer;
    EXPECT_NE(answer.error().text().find("a system call that it may not make"), std::string::npos) << name;
  }
  EXPECT_EQ(*run_in_jail(directory_ + "/outside", {}, [] { return sys::read_file("/secret").value_or("none"); }),
            "secret");
}

TEST_F(HostileTest, TheJailHasLittleMemory) {
  auto greedy = [] { return std::string(2ull << 30, 'x').substr(0, 1); };
  auto answer = run_in_jail(directory_ + "/outside", {}, greedy);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().text().find("more memory than it may have"), std::string::npos) << answer.error().text();
}

#endif

}  // namespace
}  // namespace berth::image
