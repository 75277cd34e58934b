#include <atomic>

#include "image/detail/compression.h"
#include "store_fixture.h"
#include "stub_registry.h"

namespace berth::image {
namespace {

constexpr std::string_view kGzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr std::string_view kZstdLayer = "application/vnd.oci.image.layer.v1.tar+zstd";

template <class Sink>
std::string compressed(const std::string& text) {
  fs::StringSink out;
  Sink sink(out);
  EXPECT_TRUE(sink.write(text));
  EXPECT_TRUE(sink.finish());
  return out.take();
}

// Bytes that do not compress, so that a cut falls where it is meant.
std::string noise(std::size_t size, std::uint32_t seed) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>((seed = seed * 1664525u + 1013904223u) >> 24);
  return text;
}

class PullTest : public StoreTest {
 protected:
  PullRequest request(const std::string& name, Credentials credentials = {}) {
    return {*oci::Reference::parse(registry_.host() + "/" + name), std::move(credentials), std::nullopt};
  }
  Result<PullResult> pull(const std::string& name, Credentials credentials = {}) {
    log_.clear();
    return run(store_->pull(request(name, std::move(credentials)), progress()));
  }
  // Two layers, gzip, as demo:1.
  void put_demo() {
    std::string config = config_for(layers_);
    manifest_ = registry_.put_image("demo", "1", config,
                                    {compressed<GzipSink>(layers_[0]), compressed<GzipSink>(layers_[1])}, kGzipLayer);
    id_ = fs::sha256_hex(config);
  }

  StubRegistry registry_;
  std::vector<std::string> layers_{Tar().file("a", noise(300'000, 1)).finish(),
                                   Tar().file("b", noise(200'000, 2)).finish()};
  std::string manifest_, id_;
};

TEST_F(PullTest, FetchesAnImageOnceAndThenIsUpToDate) {
  put_demo();
  auto pulled = pull("demo:1");
  ASSERT_TRUE(pulled) << pulled.error().text();
  std::string name = registry_.host() + "/demo";
  EXPECT_EQ((*pulled).image->id.hex(), id_);
  EXPECT_EQ(pulled->image->repo_tags, (std::vector<std::string>{name + ":1"}));
  EXPECT_EQ(pulled->image->repo_digests, (std::vector<std::string>{name + "@" + manifest_}));
  EXPECT_FALSE(pulled->up_to_date);
  EXPECT_TRUE(log_.starts_with("1: Pulling from demo\n")) << log_;
  EXPECT_TRUE(log_.ends_with("Digest: " + manifest_ + "\nStatus: Downloaded newer image for " + name + ":1\n")) << log_;
  EXPECT_EQ(count("layers"), 2u);
  EXPECT_EQ(count("downloads") + count("tmp"), 0u);
  EXPECT_EQ(sys::read_file(pulled->image->layers[1] + "/b")->size(), 200'000u);

  pulled = pull("demo:1");
  ASSERT_TRUE(pulled);
  EXPECT_TRUE(pulled->up_to_date);
  EXPECT_TRUE(log_.ends_with("Status: Image is up to date for " + name + ":1\n")) << log_;
  EXPECT_EQ(registry_.count("GET /v2/demo/blobs/"), 4) << "two layers once, the configuration each time";
}

TEST_F(PullTest, TakesZstdAndPlainLayersAndIndexes) {
  std::string config = config_for(layers_);
  std::string manifest =
      registry_.put_image("demo", "one", config, {compressed<ZstdSink>(layers_[0]), layers_[1]}, kZstdLayer);
  std::string index = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"sha256:{:064}","size":9,)"
      R"("platform":{{"os":"linux","architecture":"none"}}}},{{"mediaType":"{}","digest":"{}","size":9,)"
      R"("platform":{{"os":"linux","architecture":"{}"}}}}]}})",
      oci::kOciIndex, oci::kOciManifest, 0, oci::kOciManifest, manifest, oci::host_platform().architecture);
  std::string top = registry_.put_manifest("demo", "many", index, std::string(oci::kOciIndex));
  auto pulled = pull("demo:many");
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_EQ(pulled->manifest.text(), top);
  EXPECT_EQ(pulled->image->id.hex(), fs::sha256_hex(config));
  auto by_digest = pull("demo@" + top);
  ASSERT_TRUE(by_digest) << by_digest.error().text();
  EXPECT_TRUE(by_digest->up_to_date);
}

TEST_F(PullTest, GoesOnWhereTheConnectionWasCut) {
  put_demo();
  std::atomic<int> cuts = 0;
  registry_.set_filter([&](const StubRequest& asked, StubResponse& response) {
    std::string blob = "/v2/demo/blobs/sha256:" + fs::sha256_hex(compressed<GzipSink>(layers_[0]));
    if (asked.path != blob || !asked.range.empty() || cuts++ > 0) return false;
    response.body = compressed<GzipSink>(layers_[0]);
    response.cut = 100'000;
    return true;
  });
  auto pulled = pull("demo:1");
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_EQ(registry_.count("bytes=100000-"), 1);
}

TEST_F(PullTest, KeepsWhatCameForTheNextPullButShowsNothing) {
  put_demo();
  std::atomic<bool> broken = true;
  std::string bytes = compressed<GzipSink>(layers_[0]);
  std::string blob = "/v2/demo/blobs/sha256:" + fs::sha256_hex(bytes);
  registry_.set_filter([&](const StubRequest& asked, StubResponse& response) {
    if (asked.path != blob || !broken) return false;
    response = asked.range.empty() ? StubResponse{200, "", bytes, 150'000} : StubResponse{404, "", ""};
    return true;
  });
  auto pulled = pull("demo:1");
  ASSERT_FALSE(pulled);
  EXPECT_EQ(store_->list().size(), 0u);
  EXPECT_EQ(count("layers") + count("tmp") + count("outlines"), 0u);
  EXPECT_GE(count("downloads"), 1u);
  close();
  open();
  broken = false;
  pulled = pull("demo:1");
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_GE(registry_.count("bytes=150000-"), 2) << "asked by the failed pull and by the next one";
  EXPECT_EQ(count("downloads"), 0u);
}

TEST_F(PullTest, StartsAnewAfterADamagedPartialDownload) {
  put_demo();
  std::string name = fs::sha256_hex(compressed<GzipSink>(layers_[0]));
  ASSERT_TRUE(sys::replace_file(directory_ + "/images/downloads/" + name, noise(50'000, 9), 0600));
  auto pulled = pull("demo:1");
  ASSERT_TRUE(pulled) << pulled.error().text();
}

TEST_F(PullTest, WorksWithAServerWithoutRanges) {
  put_demo();
  registry_.ranges = false;
  std::string bytes = compressed<GzipSink>(layers_[0]);
  ASSERT_TRUE(
      sys::replace_file(directory_ + "/images/downloads/" + fs::sha256_hex(bytes), bytes.substr(0, 70'000), 0600));
  auto pulled = pull("demo:1");
  ASSERT_TRUE(pulled) << pulled.error().text();
}

TEST_F(PullTest, RefusesBlobsThatAreNotWhatTheirNameSays) {
  put_demo();
  std::string other = compressed<GzipSink>(Tar().file("evil", noise(300'000, 3)).finish());
  std::string digest = "sha256:" + fs::sha256_hex(compressed<GzipSink>(layers_[0]));
  StubResponse& blob = registry_.response("/v2/demo/blobs/" + digest);
  other.resize(blob.body.size(), 'x');
  blob.body = other;
  auto pulled = pull("demo:1");
  ASSERT_FALSE(pulled);
  EXPECT_EQ(count("layers") + count("tmp"), 0u);
  // A good blob in an image whose configuration means another one.
  registry_.put_image("swap", "1", config_for({layers_[1]}), {compressed<GzipSink>(layers_[0])}, kGzipLayer);
  pulled = pull("swap:1");
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().text(), "layers from manifest don't match image configuration");
  EXPECT_EQ(store_->list().size(), 0u);
  EXPECT_EQ(count("layers") + count("tmp"), 0u);
}

TEST_F(PullTest, SaysWhatDockerSays) {
  put_demo();
  auto pulled = pull("demo:none");
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code(), ErrorCode::not_found);
  EXPECT_EQ(pulled.error().text(),
            "manifest for " + registry_.host() + "/demo:none not found: manifest unknown: manifest unknown");
  registry_.set_filter([](const StubRequest&, StubResponse& response) {
    response = {401, "WWW-Authenticate: Basic realm=\"x\"\r\n", ""};
    return true;
  });
  pulled = pull("demo:1");
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().text(),
            "Head \"http://" + registry_.host() + "/v2/demo/manifests/1\": no basic auth credentials");
  registry_.set_filter([](const StubRequest& asked, StubResponse& response) {
    response = {asked.path == "/v2/" ? 200 : 403, "", R"({"errors":[{"code":"DENIED","message":"denied"}]})"};
    return true;
  });
  pulled = pull("demo:1");
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().text(), "denied");
}

TEST_F(PullTest, SaysThatNobodyListens) {
  std::string host;
  {
    host = StubRegistry().host();
  }
  auto pulled = run(store_->pull({*oci::Reference::parse(host + "/x"), {}, std::nullopt}, nullptr));
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().text(),
            fmt::format("Get \"http://{0}/v2/\": dial tcp {0}: connect: connection refused", host));
}

TEST_F(PullTest, LogsInWithAPassword) {
  put_demo();
  std::string wanted = "Basic " + base64_encode("joe:secret");
  registry_.set_filter([wanted](const StubRequest& asked, StubResponse& response) {
    if (asked.authorization == wanted) return false;
    response = {401, "WWW-Authenticate: Basic realm=\"stub\"\r\n", ""};
    return true;
  });
  EXPECT_TRUE(pull("demo:1", {"joe", "secret", "", ""}));
  EXPECT_TRUE(run(store_->login(registry_.host(), {"joe", "secret", "", ""})));
  auto refused = run(store_->login(registry_.host(), {"joe", "wrong", "", ""}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(),
            "login attempt to http://" + registry_.host() + "/v2/ failed with status: 401 Unauthorized");
}

TEST_F(PullTest, GetsATokenAndANewOneWhenItHasExpired) {
  put_demo();
  std::atomic<int> tokens = 0;
  std::string query;
  registry_.set_filter([&](const StubRequest& asked, StubResponse& response) {
    if (asked.path == "/token") {
      query = asked.query;
      response = {200, "", fmt::format(R"({{"token":"t{}"}})", ++tokens)};
      return true;
    }
    if (asked.authorization == "Bearer t2" ||
        (asked.authorization == "Bearer t1" && asked.path.find("blobs") == std::string::npos))
      return false;
    response = {
        401, fmt::format("WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"stub\"\r\n", registry_.host()),
        ""};
    return true;
  });
  // Workers may find the token expired at the same time; each then asks for a fresh one.
  auto pulled = pull("demo:1", {"joe", "secret", "", ""});
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_GE(tokens, 2);
  EXPECT_EQ(query, "scope=repository%3Ademo%3Apull&service=stub&account=joe");
}

TEST_F(PullTest, SharesTheWorkOfEqualPulls) {
  put_demo();
  std::vector<Result<PullResult>> results;
  std::vector<std::string> logs(5);
  auto one = [](Store& store, PullRequest what, std::string& log,
                std::vector<Result<PullResult>>& out) -> async::Task<> {
    std::string* to = &log;
    Progress tell = [to](const ProgressEvent& event) { *to += event.status + "\n"; };
    out.push_back(co_await store.pull(std::move(what), std::move(tell)));
  };
  auto all = [&]() -> async::Task<> { co_return; };
  async::TaskGroup group(loop_);
  for (std::string& log : logs) group.spawn("pull", one(*store_, request("demo:1"), log, results));
  while (group.size() > 0) run(all());
  ASSERT_EQ(results.size(), 5u);
  for (const auto& result : results) EXPECT_TRUE(result);
  for (const std::string& log : logs) EXPECT_NE(log.find("Status: Downloaded newer image for"), std::string::npos);
  EXPECT_EQ(registry_.count("GET /v2/demo/blobs/"), 3);
  EXPECT_EQ(registry_.count("GET /v2/demo/manifests/"), 1);
}

TEST_F(PullTest, StopsWhenTheLastCallerLeaves) {
  put_demo();
  std::atomic<bool> asked_for_blob = false;
  registry_.set_filter([&](const StubRequest& asked, StubResponse& response) {
    if (asked.path.find("/blobs/") == std::string::npos) return false;
    asked_for_blob = true;
    response = {200, "", "", std::string::npos};
    response.body = std::string(10, 'x');
    response.cut = 1;
    return true;
  });
  async::TaskGroup group(loop_);
  auto one = [](Store& store, PullRequest what) -> async::Task<> {
    (void)co_await store.pull(std::move(what), nullptr);
  };
  group.spawn("pull", one(*store_, request("demo:1")));
  auto wait = [](std::atomic<bool>& flag) -> async::Task<> {
    while (!flag) co_await async::sleep_for(std::chrono::milliseconds(1));
  };
  run(wait(asked_for_blob));
  auto cancel = [](async::TaskGroup& tasks) -> async::Task<> {
    tasks.cancel();
    co_await tasks.join();
  };
  run(cancel(group));
  close();
  open();
  EXPECT_EQ(store_->list().size(), 0u);
  EXPECT_EQ(count("layers") + count("tmp"), 0u);
}

}  // namespace
}  // namespace berth::image
