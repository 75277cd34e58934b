#include "oci/manifest.h"

#include <gtest/gtest.h>

namespace berth::oci {
namespace {

const std::string kHex(64, 'a');
const std::string kDescriptor = R"({"mediaType":"m","digest":"sha256:)" + kHex + R"(","size":7})";

Index index_of(const std::vector<Platform>& platforms) {
  Index index;
  for (std::size_t i = 0; i < platforms.size(); ++i)
    index.manifests.push_back({"", Digest::sha256(fmt::format("{:064x}", i)), i, platforms[i]});
  return index;
}

TEST(Manifest, ReadsWhatItPrints) {
  Manifest manifest{
      std::string(kOciManifest), {"c", Digest::sha256(kHex), 1, {}}, {{"l", Digest::sha256(kHex), 2, {}}}};
  auto parsed = parse_manifest(print_manifest(manifest), "");
  ASSERT_TRUE(parsed) << parsed.error().text();
  const auto& again = std::get<Manifest>(*parsed);
  EXPECT_EQ(again.media_type, kOciManifest);
  ASSERT_EQ(again.layers.size(), 1u);
  EXPECT_EQ(again.layers[0].size, 2u);
  EXPECT_EQ(print_manifest(again), print_manifest(manifest));
}

TEST(Manifest, TakesItsKindFromDocumentOrResponse) {
  std::string manifest = R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[]})";
  EXPECT_TRUE(std::holds_alternative<Manifest>(*parse_manifest(manifest, "application/json")));
  EXPECT_EQ(std::get<Manifest>(*parse_manifest(manifest, std::string(kDockerManifest) + "; charset=utf-8")).media_type,
            kDockerManifest);
  std::string index = R"({"schemaVersion":2,"manifests":[)" + kDescriptor + "]}";
  EXPECT_TRUE(std::holds_alternative<Index>(*parse_manifest(index, "")));
}

TEST(Manifest, RefusesWhatIsUnclear) {
  std::string both = R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[],"manifests":[]})";
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"[]", ""},
      {"{}", ""},
      {R"({"schemaVersion":1})", ""},
      {R"({"schemaVersion":2})", ""},
      {both, ""},
      {R"({"schemaVersion":2,"mediaType":")" + std::string(kOciIndex) + R"(","manifests":[]})",
       std::string(kOciManifest)},
      {R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[{"digest":"sha256:1","size":1}]})", ""},
      {R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[{"digest":"sha256:)" + kHex + R"("}]})", ""},
      {R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[{"digest":"sha256:)" + kHex +
           R"(","size":-1}]})",
       ""},
      {R"({"schemaVersion":2,"mediaType":"text/plain","config":)" + kDescriptor + R"(,"layers":[]})", ""},
  };
  for (const auto& [text, type] : cases) EXPECT_FALSE(parse_manifest(text, type)) << text;
}

TEST(Manifest, ChoosesThePlatform) {
  Platform amd64{"linux", "amd64", ""}, arm64{"linux", "arm64", "v8"}, arm{"linux", "arm", "v7"};
  EXPECT_EQ(choose(index_of({arm64, amd64}), amd64)->size, 1u);
  EXPECT_EQ(choose(index_of({{"windows", "amd64", ""}, amd64}), amd64)->size, 1u);
  EXPECT_EQ(choose(index_of({{"linux", "arm64", ""}}), arm64)->size, 0u);
  EXPECT_EQ(choose(index_of({{"linux", "arm", "v5"}, {"linux", "arm", "v6"}, {"linux", "arm", "v8"}}), arm)->size, 1u);
  EXPECT_EQ(choose(index_of({{"linux", "arm", "v6"}, arm}), arm)->size, 1u);
  auto none = choose(index_of({arm64}), amd64);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().text(), "no matching manifest for linux/amd64 in the manifest list entries");
}

TEST(ImageConfig, ReadsWhatItPrints) {
  std::string text =
      R"({"created":"2026-01-02T03:04:05.6Z","architecture":"amd64","os":"linux","author":"a",)"
      R"("config":{"User":"u","Env":["A=1"],"Entrypoint":[],"Cmd":["sh"],"WorkingDir":"/w",)"
      R"("ExposedPorts":{"80/tcp":{},"53/udp":{}},"Volumes":{"/v":{}},"Labels":{"k":"v"},"StopSignal":"SIGINT",)"
      R"("Healthcheck":{"Test":["CMD","x"],"Interval":5}},)"
      R"("rootfs":{"type":"layers","diff_ids":["sha256:)" +
      kHex +
      R"("]},)"
      R"("history":[{"created":"2026-01-02T03:04:05Z","created_by":"x","empty_layer":true}]})";
  auto config = parse_image_config(text);
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->config.exposed_ports, (std::vector<std::string>{"53/udp", "80/tcp"}));
  EXPECT_TRUE(config->config.entrypoint && config->config.entrypoint->empty());
  EXPECT_FALSE(config->config.shell);
  ASSERT_TRUE(config->config.healthcheck);
  EXPECT_TRUE(config->history.at(0).empty_layer);
  std::string printed = print_image_config(*config);
  auto again = parse_image_config(printed);
  ASSERT_TRUE(again);
  EXPECT_EQ(print_image_config(*again), printed);
  EXPECT_NE(printed.find(R"("Entrypoint":[])"), std::string::npos);
  EXPECT_NE(printed.find(R"("Interval":5)"), std::string::npos);
}

TEST(ImageConfig, TakesNullsAndRefusesWrongTypes) {
  std::string roots = R"("rootfs":{"type":"layers","diff_ids":[]})";
  EXPECT_TRUE(parse_image_config("{" + roots + R"(,"config":{"Env":null,"Cmd":null,"Labels":null,"Volumes":null}})"));
  for (const char* member : {R"("config":{"Env":"x"})", R"("config":{"Env":[1]})", R"("config":{"Labels":[]})",
                             R"("config":[])", R"("created":"yesterday")", R"("created":5)", R"("history":{})",
                             R"("config":{"ExposedPorts":[]})", R"("config":{"Healthcheck":1})"})
    EXPECT_FALSE(parse_image_config("{" + roots + "," + member + "}")) << member;
  EXPECT_FALSE(parse_image_config("{}"));
  EXPECT_FALSE(parse_image_config(R"({"rootfs":{"diff_ids":["md5:x"]}})"));
}

TEST(Platform, Parses) {
  EXPECT_EQ(*parse_platform("linux/arm64/v8"), (Platform{"linux", "arm64", "v8"}));
  for (const char* text : {"linux", "", "linux/", "a/b/c/d", "linux/a b"}) EXPECT_FALSE(parse_platform(text)) << text;
  EXPECT_EQ(print_platform({"linux", "arm", "v7"}), "linux/arm/v7");
}

}  // namespace
}  // namespace berth::oci
