#include "portal/access.h"

#include <gtest/gtest.h>

#include "portal/page.h"

namespace berth::portal {

namespace {

http::Peer peer(std::string address) {
  http::Peer peer;
  peer.address = std::move(address);
  return peer;
}

bool admitted(std::string method, http::Headers headers, std::string address = "127.0.0.1:40000") {
  http::RequestHead head;
  head.method = std::move(method);
  head.headers = std::move(headers);
  auto outcome = admit(peer(std::move(address)), head, {"box.example.org"});
  if (!outcome) EXPECT_EQ(outcome.error().name(), "forbidden");
  return outcome.has_value();
}

}  // namespace

TEST(Access, OnlyThisMachine) {
  for (const char* address : {"127.0.0.1:1", "127.8.9.1:65535", "[::1]:80", "[::ffff:127.0.0.1]:80"})
    EXPECT_TRUE(admitted("GET", {{"Host", "localhost"}}, address)) << address;
  for (const char* address :
       {"10.0.0.1:1", "[::2]:1", "[::ffff:10.0.0.1]:1", "[::10.0.0.1]:1", "128.0.0.1:1", "", "127.0.0.1.evil:1"})
    EXPECT_FALSE(admitted("GET", {{"Host", "localhost"}}, address)) << address;
  EXPECT_TRUE(admitted("POST", {}, "unix"));
}

TEST(Access, NotThroughAProxy) {
  EXPECT_FALSE(admitted("GET", {{"Host", "localhost"}, {"X-Forwarded-For", "203.0.113.5"}}));
  EXPECT_FALSE(admitted("GET", {{"Host", "localhost"}, {"Forwarded", "for=203.0.113.5"}}));
}

TEST(Access, OnlyByOurOwnHostNames) {
  for (const char* host :
       {"localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:8080", "[::1]:8080", "box.example.org:8080"})
    EXPECT_TRUE(admitted("GET", {{"Host", host}})) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example", "",
                           "box.example.org.evil", "[::2]", "evil:8080"})
    EXPECT_FALSE(admitted("GET", {{"Host", host}})) << host;
  EXPECT_FALSE(admitted("GET", {}));
}

TEST(Access, ChangesOnlyFromOurOwnPages) {
  EXPECT_TRUE(admitted("POST", {{"Host", "localhost:8080"}}));
  EXPECT_TRUE(admitted("POST", {{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}}));
  for (const char* origin : {"null", "http://evil.example", "https://localhost:8080", "http://localhost",
                             "http://localhost:8081", "http://localhost:8080.evil", "http://joe.localhost:8080", ""})
    EXPECT_FALSE(admitted("POST", {{"Host", "localhost:8080"}, {"Origin", origin}})) << origin;
  EXPECT_FALSE(admitted("DELETE", {{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "cross-site"}}));
  EXPECT_FALSE(admitted("DELETE", {{"Host", "localhost:8080"}, {"Sec-Fetch-Site", "same-site"}}));
  EXPECT_TRUE(admitted("GET", {{"Host", "localhost:8080"}, {"Origin", "http://evil.example"}}));
}

TEST(Access, HostsAreCheckedBeforeTheyAreShown) {
  EXPECT_EQ(host_of_field("Box.example.org:8080"), "box.example.org");
  EXPECT_EQ(host_of_field("[2001:DB8::1]:8080"), "[2001:db8::1]");
  EXPECT_EQ(host_of_field("<script>"), "");
  EXPECT_EQ(host_of_field("[::1"), "");
  EXPECT_EQ(host_of_field("[a;b]"), "");
  EXPECT_EQ(host_of_field("a b"), "");
  EXPECT_EQ(host_of_field("-oProxyCommand=x"), "");
  EXPECT_EQ(host_of({}), "localhost");
}

TEST(Page, EscapesWhatIsNotOurs) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
  workspace::Problem problem(ErrorCode::invalid, "bad_request", "<script>alert(1)</script>", "<b>");
  std::string page = problem_page(problem);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
}

TEST(Page, ShowsWorkspacesWithoutTrustingThem) {
  PageEntry entry;
  entry.status.spec.name = "joe";
  entry.status.spec.image = "x\"><img src=y>";
  entry.status.spec.keys = {{"ssh-ed25519", "AAAA", "<i>joe</i>"}};
  entry.status.state = "stopped";
  entry.ssh_command = "ssh -p 2010 user@localhost";
  for (const std::string& page : {home_page({entry}, "<debian>"), workspace_page(entry)}) {
    EXPECT_NE(page.find("ssh -p 2010 user@localhost"), std::string::npos);
    EXPECT_EQ(page.find("<img"), std::string::npos);
    EXPECT_EQ(page.find("<i>"), std::string::npos);
    EXPECT_EQ(page.find("<debian>"), std::string::npos);
  }
}

}  // namespace berth::portal
