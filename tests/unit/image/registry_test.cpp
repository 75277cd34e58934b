// Push and pull with Debian's docker-registry, and the small parts of the registry client.
#include "image/detail/registry.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "image/detail/http.h"
#include "store_fixture.h"
#include "sys/process.h"

namespace berth::image {
namespace {

constexpr const char* kRegistry = "/usr/bin/docker-registry";

class RegistryTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    if (!sys::exists(kRegistry)) GTEST_SKIP() << "docker-registry is not installed";
    int port = free_port();
    host_ = fmt::format("127.0.0.1:{}", port);
    ASSERT_TRUE(sys::replace_file(directory_ + "/registry.yml",
                                  fmt::format("version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}/registry}}}}\n"
                                              "http: {{addr: '{}'}}\nlog: {{level: info}}\n",
                                              directory_, host_),
                                  0600));
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    log_fd_ = sys::UniqueFd(ends[0]);
    sys::UniqueFd writer(ends[1]);
    sys::SpawnOptions options;
    options.argv = {kRegistry, "serve", directory_ + "/registry.yml"};
    options.fds = {{writer.get(), 1}, {writer.get(), 2}};
    server_ = sys::spawn(options).value();
    writer.reset();
    // It says so when it can be spoken to.
    std::string text;
    char buffer[4096];
    while (text.find("listening on") == std::string::npos) {
      ssize_t got = ::read(log_fd_.get(), buffer, sizeof buffer);
      ASSERT_GT(got, 0) << text;
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }
  void TearDown() override {
    if (server_.valid()) {
      (void)server_.signal(SIGKILL);
      (void)server_.wait();
    }
    StoreTest::TearDown();
  }

  static int free_port() {
    sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }
  oci::Reference at(const std::string& name) const { return *oci::Reference::parse(host_ + "/" + name); }

  std::string host_;
  sys::Process server_;
  sys::UniqueFd log_fd_;
};

TEST_F(RegistryTest, GivesBackWhatWasPushed) {
  std::vector<std::string> layers{Tar().file("a", std::string(200'000, 'a')).finish(),
                                  Tar().file("b/.wh.c", "").file("b/d", "d").finish()};
  std::string config = config_for(layers);
  ASSERT_TRUE(load(docker_archive(layers, R"(["demo:1"])", config)));
  ASSERT_TRUE(run(store_->tag("demo:1", at("team/demo:1"))));
  log_.clear();
  auto pushed = run(store_->push({at("team/demo:1"), {}}, progress()));
  ASSERT_TRUE(pushed) << pushed.error().text();
  EXPECT_TRUE(log_.starts_with("The push refers to repository [" + host_ + "/team/demo]\n")) << log_;
  EXPECT_NE(log_.find(": Pushed\n"), std::string::npos) << log_;
  EXPECT_NE(log_.find("1: digest: sha256:"), std::string::npos) << log_;
  log_.clear();
  ASSERT_TRUE(run(store_->push({at("team/demo:1"), {}}, progress())));
  EXPECT_EQ(log_.find(": Pushed\n"), std::string::npos) << log_;
  ASSERT_TRUE(run(store_->tag("demo:1", at("other/demo:1"))));
  log_.clear();
  ASSERT_TRUE(run(store_->push({at("other/demo:1"), {}}, progress())));
  EXPECT_NE(log_.find("Mounted from team/demo"), std::string::npos) << log_;

  ASSERT_TRUE(run(store_->remove(fs::sha256_hex(config), {.force = true})));
  EXPECT_EQ(count("layers"), 0u);
  auto pulled = run(store_->pull({at("team/demo:1"), {}, std::nullopt}, progress()));
  ASSERT_TRUE(pulled) << pulled.error().text();
  EXPECT_EQ(pulled->image->id.hex(), fs::sha256_hex(config));
  EXPECT_EQ(sys::read_file(pulled->image->layers[0] + "/a")->size(), 200'000u);
}

TEST_F(RegistryTest, SaysWhatDockerSays) {
  auto none = run(store_->pull({at("none"), {}, std::nullopt}, nullptr));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().text(),
            "manifest for " + host_ + "/none:latest not found: manifest unknown: manifest unknown");
  auto pushed = run(store_->push({at("none"), {}}, nullptr));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().text(), "An image does not exist locally with the tag: " + host_ + "/none");
  EXPECT_TRUE(run(store_->login(host_, {})));
}

TEST(Challenge, IsParsed) {
  auto challenge =
      parse_challenge(R"(Bearer realm="https://auth/token",service="a, \"b\"",scope="x:y:pull,push" , error=none)");
  EXPECT_EQ(challenge[""], "bearer");
  EXPECT_EQ(challenge["realm"], "https://auth/token");
  EXPECT_EQ(challenge["service"], "a, \"b\"");
  EXPECT_EQ(challenge["scope"], "x:y:pull,push");
  EXPECT_EQ(challenge["error"], "none");
  for (const char* odd : {"", "Basic", "Basic realm", "Basic realm=\"open", "=,=,", "Bearer ,,,"})
    (void)parse_challenge(odd);
  EXPECT_EQ(parse_challenge("Basic")[""], "basic");
}

TEST(Url, IsTakenApart) {
  EXPECT_EQ(parse_url("https://a.b:5000/v2/?x")->port, "5000");
  EXPECT_EQ(parse_url("http://[::1]:80/")->host, "::1");
  for (const char* bad : {"ftp://a", "a", "http://", "http://user@host/", "http://[::1"})
    EXPECT_FALSE(parse_url(bad)) << bad;
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"}) EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* host : {"128.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "1", ""})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

}  // namespace
}  // namespace berth::image
