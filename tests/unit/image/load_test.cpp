#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>

#include "store_fixture.h"

namespace berth::image {
namespace {

std::string base_layer() {
  return Tar()
      .directory("etc/")
      .file("etc/hostname", "base\n")
      .file("etc/gone", "x")
      .directory("opt/")
      .file("opt/old", "y")
      .finish();
}

std::string upper_layer() {
  return Tar().file("etc/.wh.gone", "").directory("opt/").file("opt/.wh..wh..opq", "").file("opt/new", "z").finish();
}

using LoadTest = StoreTest;

TEST_F(LoadTest, MakesAnImageWithItsLayers) {
  std::vector<std::string> layers{base_layer(), upper_layer()};
  std::string config = config_for(layers);
  auto loaded = load(docker_archive(layers, R"(["demo:1","example.org/demo:two"])", config));
  ASSERT_TRUE(loaded) << loaded.error().text();
  ASSERT_EQ(loaded->size(), 1u);
  EXPECT_EQ(log_.substr(log_.find("Loaded")), "Loaded image: demo:1\nLoaded image: example.org/demo:two\n");
  auto image = store_->find("demo:1");
  ASSERT_TRUE(image);
  EXPECT_EQ((*image)->id.hex(), fs::sha256_hex(config));
  EXPECT_EQ((*image)->repo_tags, (std::vector<std::string>{"demo:1", "example.org/demo:two"}));
  EXPECT_EQ((*image)->size, 8u);
  ASSERT_EQ((*image)->layers.size(), 2u);
  EXPECT_EQ(*sys::read_file((*image)->layers[0] + "/etc/hostname"), "base\n");
  struct stat status{};
  ASSERT_EQ(::lstat(((*image)->layers[1] + "/etc/gone").c_str(), &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode) && status.st_rdev == 0);
  char value = 0;
  EXPECT_EQ(::getxattr(((*image)->layers[1] + "/opt").c_str(), "trusted.overlay.opaque", &value, 1), 1);
  EXPECT_EQ(value, 'y');
  EXPECT_EQ(count("tmp"), 0u);
}

TEST_F(LoadTest, KeepsImagesOverARestart) {
  std::vector<std::string> layers{base_layer()};
  ASSERT_TRUE(load(docker_archive(layers, R"(["demo:1"])", config_for(layers))));
  close();
  open();
  auto image = store_->find("demo:1");
  ASSERT_TRUE(image);
  EXPECT_EQ(*sys::read_file((*image)->layers[0] + "/etc/hostname"), "base\n");
}

TEST_F(LoadTest, RefusesALayerThatIsNotTheConfigs) {
  std::string config = config_for({upper_layer()});
  auto loaded = load(docker_archive({base_layer()}, R"(["demo:1"])", config));
  ASSERT_FALSE(loaded);
  EXPECT_TRUE(loaded.error().text().starts_with("invalid diffID for layer 0: expected ")) << loaded.error().text();
  EXPECT_FALSE(store_->find("demo:1"));
  EXPECT_EQ(count("tmp") + count("layers"), 0u);
}

TEST_F(LoadTest, RefusesWhatIsNoArchiveOfImages) {
  auto loaded = load(Tar().file("hello", "world").finish());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().text(), "invalid archive: does not contain a manifest.json");
  loaded = load("not a tar file at all");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().text(), "unexpected EOF");
}

TEST_F(LoadTest, RefusesACutArchiveAtEveryBlock) {
  std::vector<std::string> layers{upper_layer()};
  std::string archive = docker_archive(layers, R"(["demo:1"])", config_for(layers));
  // Up to the block before the end mark: from there on the archive is whole.
  for (std::size_t cut = 0; cut + 1024 < archive.size(); cut += 512) {
    EXPECT_FALSE(load(archive.substr(0, cut))) << cut;
    EXPECT_FALSE(store_->find("demo:1")) << cut;
    ASSERT_EQ(count("tmp") + count("layers"), 0u) << cut;
  }
  EXPECT_TRUE(load(archive));
}

TEST_F(LoadTest, SavesWhatItLoadedByteForByte) {
  std::vector<std::string> layers{base_layer(), upper_layer()};
  std::string config = config_for(layers);
  ASSERT_TRUE(load(docker_archive(layers, R"(["demo:1","demo:2"])", config)));
  sys::UniqueFd file = readable("");
  auto saved = run(store_->save({"demo:1"}, sys::UniqueFd(::dup(file.get()))));
  ASSERT_TRUE(saved) << saved.error().text();
  ::lseek(file.get(), 0, SEEK_SET);
  fs::FdSource source(file.get());
  fs::tar::Reader reader(source);
  std::map<std::string, std::string> contents;
  while (auto entry = reader.next().value()) {
    std::string content(entry->size, '\0');
    for (std::size_t at = 0; at < content.size();) at += reader.read(std::span<char>(content).subspan(at)).value();
    contents[entry->path] = content;
  }
  for (const std::string& layer : layers) EXPECT_EQ(contents["blobs/sha256/" + fs::sha256_hex(layer)], layer);
  EXPECT_EQ(contents["blobs/sha256/" + fs::sha256_hex(config)], config);
  EXPECT_NE(contents["manifest.json"].find(R"("RepoTags":["demo:1"])"), std::string::npos);

  ::lseek(file.get(), 0, SEEK_SET);
  ASSERT_TRUE(run(store_->remove("demo:1", {})));
  ASSERT_TRUE(run(store_->remove("demo:2", {})));
  EXPECT_EQ(count("layers"), 0u);
  auto again = run(store_->load(std::move(file), progress()));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ((*store_->find("demo:1"))->id.hex(), fs::sha256_hex(config));
}

TEST_F(LoadTest, ImportsARootFileSystem) {
  ImportRequest request;
  request.reference = *oci::Reference::parse("root:1");
  request.config.config.cmd = {"bash"};
  request.comment = "Imported from -";
  auto image = run(store_->import(request, readable(base_layer()), progress()));
  ASSERT_TRUE(image) << image.error().text();
  EXPECT_EQ((*image)->config.config.cmd, (std::vector<std::string>{"bash"}));
  EXPECT_EQ((*image)->config.history.at(0).comment, "Imported from -");
  EXPECT_EQ(log_, "Importing\n" + (*image)->id.text() + "\n");
  EXPECT_EQ((*store_->find("root:1"))->id, (*image)->id);
}

TEST_F(LoadTest, ImportsADirectoryWithHardLinksAndOwners) {
  std::string from = directory_ + "/from";
  ASSERT_TRUE(sys::ensure_directories(from + "/sub", 0755));
  ASSERT_TRUE(sys::replace_file(from + "/sub/a", "content", 04755));
  ASSERT_EQ(::chown((from + "/sub/a").c_str(), 1234, 5678), 0);
  ASSERT_EQ(::chmod((from + "/sub/a").c_str(), 04755), 0);
  ASSERT_EQ(::link((from + "/sub/a").c_str(), (from + "/b").c_str()), 0);
  ASSERT_EQ(::symlink("sub/a", (from + "/c").c_str()), 0);
  auto image = run(store_->import_directory({}, from, progress()));
  ASSERT_TRUE(image) << image.error().text();
  struct stat a{}, b{};
  ASSERT_EQ(::lstat(((*image)->layers[0] + "/sub/a").c_str(), &a), 0);
  ASSERT_EQ(::lstat(((*image)->layers[0] + "/b").c_str(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(a.st_uid, 1234u);
  EXPECT_EQ(a.st_gid, 5678u);
  EXPECT_EQ(a.st_mode & 07777, 04755u);
  EXPECT_TRUE((*image)->repo_tags.empty());
}

}  // namespace
}  // namespace berth::image
