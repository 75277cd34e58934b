// The rules of names and of removal, without a disk.
#include "image/detail/catalog.h"

#include <gtest/gtest.h>

namespace berth::image {
namespace {

const std::string kA = "aa" + std::string(62, '1'), kB = "ab" + std::string(62, '2');
const std::string kDemo = "docker.io/library/demo";

Catalog catalog() {
  Catalog catalog;
  catalog.images[kA].layers = {"l1", "l2"};
  catalog.images[kB].layers = {"l1"};
  for (const char* layer : {"l1", "l2", "l3"}) catalog.layers[layer] = {};
  catalog.set_tag(kA, kDemo + ":1");
  catalog.set_tag(kA, kDemo + ":2");
  catalog.set_tag(kB, "example.org/x:latest");
  catalog.add_digest(kB, "example.org/x@sha256:" + std::string(64, 'd'));
  return catalog;
}

std::string lines(const Result<std::vector<Removal>>& removals) {
  if (!removals) return removals.error().text();
  std::string text;
  for (const Removal& removal : *removals)
    text += removal.untagged.empty() ? "Deleted: " + removal.deleted + "\n" : "Untagged: " + removal.untagged + "\n";
  return text;
}

TEST(Catalog, FindsByNameDigestIdAndPrefix) {
  Catalog c = catalog();
  for (const std::string& name :
       {std::string("demo:1"), kDemo + ":2", kA, "sha256:" + kA, std::string("aa"), std::string("sha256:aa1")})
    EXPECT_EQ(c.find(name).value_or("none"), kA) << name;
  EXPECT_EQ(c.find("example.org/x").value_or("none"), kB);
  EXPECT_EQ(c.find("example.org/x@sha256:" + std::string(64, 'd')).value_or("none"), kB);
  const std::pair<std::string, std::string> missing[] = {
      {"a", "No such image: a:latest"},  // a prefix of two
      {"demo", "No such image: demo:latest"},
      {"demo:3", "No such image: demo:3"},
      {std::string(64, 'f'), "No such image: sha256:" + std::string(64, 'f')},
      {"bad name", "invalid reference format"}};
  for (const auto& [name, text] : missing) EXPECT_EQ(c.find(name).error().text(), text) << name;
}

TEST(Catalog, ATagMovesFromImageToImage) {
  Catalog c = catalog();
  c.set_tag(kB, kDemo + ":1");
  EXPECT_EQ(*c.find("demo:1"), kB);
  EXPECT_EQ(c.images[kA].tags, std::vector<std::string>{kDemo + ":2"});
}

TEST(Catalog, RemovesAsDockerDoes) {
  Catalog c = catalog();
  EXPECT_EQ(lines(c.remove("demo:1", false, {})), "Untagged: demo:1\n");
  EXPECT_EQ(lines(c.remove("demo:2", false, {})), "Untagged: demo:2\nDeleted: sha256:" + kA + "\n");
  EXPECT_EQ(c.unused_layers(), (std::vector<std::string>{"l2", "l3"}));
  EXPECT_EQ(lines(c.remove("example.org/x", false, {})),
            "Untagged: example.org/x:latest\nUntagged: example.org/x@sha256:" + std::string(64, 'd') +
                "\nDeleted: sha256:" + kB + "\n");
}

TEST(Catalog, AnImageWithSeveralNamesIsRemovedByIdOnlyByForce) {
  Catalog c = catalog();
  EXPECT_EQ(lines(c.remove(kA, false, {})), "conflict: unable to delete " + kA.substr(0, 12) +
                                                " (must be forced) - image is referenced in multiple repositories");
  EXPECT_EQ(lines(c.remove(kA, true, {})), "Untagged: demo:1\nUntagged: demo:2\nDeleted: sha256:" + kA + "\n");
}

TEST(Catalog, AnImageInUseIsKept) {
  Catalog c = catalog();
  std::string container(64, 'c');
  std::string user = container.substr(0, 12);
  EXPECT_EQ(lines(c.remove("example.org/x", false, {{container, false}})),
            "conflict: unable to remove repository reference \"example.org/x\" (must force) - container " + user +
                " is using its referenced image " + kB.substr(0, 12));
  EXPECT_EQ(lines(c.remove(kB, true, {{container, true}})),
            "conflict: unable to delete " + kB.substr(0, 12) +
                " (cannot be forced) - image is being used by running container " + user);
  EXPECT_EQ(lines(c.remove(kB, false, {{container, false}})),
            "conflict: unable to delete " + kB.substr(0, 12) +
                " (must be forced) - image is being used by stopped container " + user);
  EXPECT_TRUE(c.remove(kB, true, {{container, false}}));
  EXPECT_FALSE(c.find(kB)) << "gone for everybody";
  EXPECT_EQ(c.unused_layers(), std::vector<std::string>{"l3"}) << "but its layers stay for the container";
}

}  // namespace
}  // namespace berth::image
