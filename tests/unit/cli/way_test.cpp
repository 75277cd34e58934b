// From flags, environment and contexts to what is connected.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/text.h"
#include "cli/way.h"

namespace berth::cli {
namespace {

class Ways : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"BERTH_HOST", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"})
      ::unsetenv(name);
    ::setenv("DOCKER_CONFIG", "/nonexistent", 1);
  }
};

TEST_F(Ways, TheMachinesOwnEngineWithoutAWord) {
  EXPECT_EQ(find_way({}, false)->host, "unix:///run/berth/engine.sock");
  EXPECT_EQ(find_way({}, true)->host, "unix:///var/run/docker.sock");
}

TEST_F(Ways, FlagsBeforeEnvironment) {
  ::setenv("DOCKER_HOST", "unix:///docker", 1);
  ::setenv("BERTH_HOST", "unix:///berth", 1);
  EXPECT_EQ(find_way({}, false)->host, "unix:///berth");
  EXPECT_EQ(find_way({}, true)->host, "unix:///docker");
  EXPECT_EQ(find_way({.host = "unix:///flag"}, false)->host, "unix:///flag");
  EXPECT_EQ(find_way({.context = "default"}, false)->host, "unix:///berth");
}

TEST_F(Ways, SshIsACommand) {
  auto way = find_way({.host = "ssh://joe@build.example.com:2222/run/other.sock"}, false);
  ASSERT_TRUE(way);
  EXPECT_EQ(join(way->endpoint.command, " "),
            "/usr/bin/env ssh -T -o ConnectTimeout=30 -l joe -p 2222 -- build.example.com berth --host "
            "unix:///run/other.sock system dial-stdio");
  way = find_way({.host = "ssh://build"}, true);
  ASSERT_TRUE(way);
  EXPECT_EQ(join(way->endpoint.command, " "),
            "/usr/bin/env ssh -T -o ConnectTimeout=30 -- build docker system dial-stdio");
}

TEST_F(Ways, AHostIsNoOptionOfSsh) {
  for (const char* host : {"ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://", "ssh://joe@", "ssh://host:port"})
    EXPECT_EQ(find_way({.host = host}, false).error().code(), ErrorCode::invalid) << host;
}

TEST_F(Ways, TlsIsACommandWithDockersFiles) {
  ::setenv("DOCKER_CERT_PATH", "/certs", 1);
  auto way = find_way({.host = "tcp://10.0.0.7", .tls = {.wanted = true}}, false);
  ASSERT_TRUE(way) << way.error().text();
  ASSERT_EQ(way->endpoint.command.size(), 7u);
  std::vector<std::string> words(way->endpoint.command.begin() + 1, way->endpoint.command.end());
  EXPECT_EQ(join(words, " "), "connect 10.0.0.7 2376 /certs/ca.pem /certs/cert.pem /certs/key.pem");
  ::setenv("DOCKER_TLS_VERIFY", "1", 1);
  way = find_way({.host = "tcp://[::1]:9000", .tls = {.key = "/mine"}}, false);
  ASSERT_TRUE(way) << way.error().text();
  words.assign(way->endpoint.command.begin() + 1, way->endpoint.command.end());
  EXPECT_EQ(join(words, " "), "connect ::1 9000 /certs/ca.pem /certs/cert.pem /mine");
}

TEST_F(Ways, UnixSocketsNeedNoTls) {
  ::setenv("DOCKER_TLS_VERIFY", "1", 1);
  auto way = find_way({.host = "unix:///x"}, false);
  ASSERT_TRUE(way);
  EXPECT_TRUE(way->endpoint.command.empty());
}

TEST_F(Ways, ContextsThatAreNotThere) {
  EXPECT_EQ(find_way({.context = "far"}, false).error().code(), ErrorCode::not_found);
  EXPECT_EQ(find_way({.host = "unix:///x", .context = "far"}, false).error().code(), ErrorCode::invalid);
}

}  // namespace
}  // namespace berth::cli
