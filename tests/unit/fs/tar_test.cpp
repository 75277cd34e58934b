// Tar streams as values: what the writer writes the reader reads, and what GNU tar writes too.
#include "fs/tar.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/tree.h"
#include "sys/file.h"
#include "sys/process.h"

namespace berth::fs::tar {
namespace {

std::string content_of(Reader& reader, std::uint64_t size) {
  std::string content(size, '\0');
  for (std::size_t at = 0; at < content.size();) {
    std::size_t got = reader.read(std::span<char>(content).subspan(at)).value();
    if (got == 0) break;
    at += got;
  }
  return content;
}

TEST(Tar, ReadsWhatItWrites) {
  std::vector<Entry> entries(9);
  entries[0].path = "plain";
  entries[1].path = std::string(90, 'p') + "/" + std::string(90, 'q');
  entries[2].path = std::string(300, 'l');
  entries[3].path = "caf\xc3\xa9";
  entries[4].path = "owner";
  entries[4].uid = 4'000'000'000;
  entries[4].gid = 3'000'000;
  entries[5].path = "time";
  entries[5].modified = {1700000000, 500};
  entries[6].path = "link";
  entries[6].type = Type::symlink;
  entries[6].link = std::string(200, 't');
  entries[7].path = "xattr";
  entries[7].xattrs["user.x"] = std::string("a\0=\n", 4);
  entries[8].path = "device";
  entries[8].type = Type::character_device;
  entries[8].device_major = 5;
  entries[8].device_minor = 1;
  StringSink sink;
  Writer writer(sink);
  for (const Entry& entry : entries) ASSERT_TRUE(writer.add(entry, entry.type == Type::file ? "content" : ""));
  ASSERT_TRUE(writer.finish());
  std::string bytes = sink.take();
  StringSource source(bytes);
  Reader reader(source);
  for (const Entry& wanted : entries) {
    auto entry = reader.next();
    ASSERT_TRUE(entry && *entry) << wanted.path;
    EXPECT_EQ((*entry)->path, wanted.path);
    EXPECT_EQ((*entry)->type, wanted.type);
    EXPECT_EQ((*entry)->link, wanted.link);
    EXPECT_EQ((*entry)->uid, wanted.uid);
    EXPECT_EQ((*entry)->gid, wanted.gid);
    EXPECT_EQ((*entry)->modified.tv_sec, wanted.modified.tv_sec);
    EXPECT_EQ((*entry)->modified.tv_nsec, wanted.modified.tv_nsec);
    EXPECT_EQ((*entry)->xattrs, wanted.xattrs);
    EXPECT_EQ((*entry)->device_major, wanted.device_major);
    if (wanted.type == Type::file) EXPECT_EQ(content_of(reader, (*entry)->size), "content");
  }
  EXPECT_FALSE(reader.next().value());
}

TEST(Tar, TheWriterHoldsItsCallerToTheSize) {
  StringSink sink;
  Writer writer(sink);
  Entry entry;
  entry.path = "a";
  entry.size = 3;
  ASSERT_TRUE(writer.begin(entry));
  ASSERT_TRUE(writer.write("ab"));
  EXPECT_FALSE(writer.write("cd"));
  EXPECT_FALSE(writer.finish());
  EXPECT_FALSE(writer.begin(entry));
}

TEST(Tar, AnOutlineAndTheContentsMakeTheStreamAgain) {
  StringSink sink;
  Writer writer(sink);
  Entry entry;
  entry.path = std::string(150, 'x');
  ASSERT_TRUE(writer.add(entry, "content"));
  ASSERT_TRUE(writer.finish());
  std::string whole = sink.take() + std::string(9000, '\0');
  StringSink outline;
  StringSource source(whole);
  Reader reader(source, {.raw = &outline});
  while (reader.next().value()) continue;
  std::string bytes = outline.take();
  EXPECT_EQ(bytes.size(), whole.size() - 7);
  StringSource again(bytes);
  StringSink rebuilt;
  Reader second(again, {.raw = &rebuilt, .without_payload = true});
  while (auto next = second.next().value())
    if (next->type == Type::file) ASSERT_TRUE(rebuilt.write("content"));
  EXPECT_EQ(rebuilt.take(), whole);
}

// What GNU tar makes of one tree in each of its formats.
TEST(Tar, ReadsTheFormatsOfGnuTar) {
  char name[] = "/tmp/berth-tar-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  std::string directory = name;
  std::string tree = directory + "/tree";
  ASSERT_TRUE(sys::make_directory(tree, 0755));
  ASSERT_TRUE(sys::replace_file(tree + "/" + std::string(120, 'f'), "long", 0644));
  {
    sys::UniqueFd sparse = sys::open_file(tree + "/sparse", O_WRONLY | O_CREAT, 0644).value();
    ASSERT_EQ(::ftruncate(sparse.get(), 1 << 20), 0);
    ASSERT_EQ(::pwrite(sparse.get(), "data", 4, 500'000), 4);
  }
  for (std::string format : {"--format=gnu", "--format=pax --sparse-version=0.0", "--format=pax --sparse-version=0.1",
                             "--format=pax --sparse-version=1.0"}) {
    std::string archive = directory + "/archive.tar";
    std::string command = "tar " + format + " --sparse -C " + tree + " -cf " + archive + " .";
    auto child = sys::spawn({.argv = {"/bin/sh", "-c", command}});
    ASSERT_TRUE(child);
    ASSERT_EQ(*child->wait(), 0);
    std::string bytes = *sys::read_file(archive);
    StringSource source(bytes);
    Reader reader(source);
    int seen = 0;
    while (true) {
      auto entry = reader.next();
      ASSERT_TRUE(entry) << format << ": " << entry.error().text();
      if (!*entry) break;
      if ((*entry)->path == "./" + std::string(120, 'f')) {
        ++seen;
        EXPECT_EQ(content_of(reader, (*entry)->size), "long");
      }
      if ((*entry)->path != "./sparse") continue;
      ++seen;
      EXPECT_TRUE((*entry)->sparse) << format;
      EXPECT_EQ((*entry)->size, 1u << 20) << format;
      std::uint64_t stored = 0;
      for (const Extent& extent : (*entry)->extents) stored += extent.length;
      EXPECT_LT(stored, 100'000u) << format;
      EXPECT_NE(content_of(reader, stored).find("data"), std::string::npos) << format;
    }
    EXPECT_EQ(seen, 2) << format;
  }
  EXPECT_TRUE(remove_tree(directory));
}

}  // namespace
}  // namespace berth::fs::tar
