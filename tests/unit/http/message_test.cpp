#include "http/message.h"

#include <gtest/gtest.h>

#include "http/client.h"
#include "http/detail/parser.h"
#include "http/router.h"

namespace berth::http {
namespace {

TEST(Headers, CompareWithoutCaseAndFindListTokens) {
  Headers headers{{"Connection", "keep-alive, Upgrade"}, {"X-A", "1"}, {"x-a", "2"}};
  EXPECT_EQ(headers.get("x-A"), "1");
  EXPECT_TRUE(headers.has_token("connection", "upgrade"));
  EXPECT_FALSE(headers.has_token("connection", "close"));
  headers.set("X-a", "3");
  EXPECT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers.get("X-A"), "3");
}

TEST(Headers, AFieldCannotSplitTheMessage) {
  ResponseHead head;
  head.headers.set("X-Good", "yes");
  head.headers.set("X-Bad", "a\r\nSet-Cookie: evil");
  std::string text = print(head);
  EXPECT_NE(text.find("X-Good: yes\r\n"), std::string::npos);
  EXPECT_EQ(text.find("evil"), std::string::npos);
}

TEST(Query, DecodesAndRepeats) {
  Query query = Query::parse("filters=%7B%22a%22%3A1%7D&x=1+2&x=b&flag&none=none&broken=%zz");
  EXPECT_EQ(query.get("filters"), "{\"a\":1}");
  EXPECT_EQ(query.all("x"), (std::vector<std::string>{"1 2", "b"}));
  EXPECT_FALSE(query.truth("flag"));
  EXPECT_FALSE(query.truth("none"));
  EXPECT_TRUE(query.truth("x"));
  EXPECT_TRUE(query.truth("absent", true));
  EXPECT_EQ(query.get("broken"), "%zz");
}

TEST(Query, PrintsWhatItParses) {
  Query query;
  query.add("tag", "a b&c");
  query.add("n", "é");
  EXPECT_EQ(query.print(), "tag=a%20b%26c&n=%C3%A9");
  EXPECT_EQ(Query::parse(query.print()).get("tag"), "a b&c");
}

TEST(Percent, RefusesNulAndBrokenEscapes) {
  EXPECT_EQ(percent_decode("a%2Fb"), "a/b");
  EXPECT_FALSE(percent_decode("a%00b"));
  EXPECT_FALSE(percent_decode("a%2"));
  EXPECT_FALSE(percent_decode("a%"));
}

TEST(Endpoint, ParsesWhatDockerHostHolds) {
  EXPECT_EQ(Endpoint::parse("unix:///run/x.sock")->unix_path, "/run/x.sock");
  EXPECT_EQ(Endpoint::parse("/run/x.sock")->unix_path, "/run/x.sock");
  auto tcp = Endpoint::parse("tcp://[::1]:2375");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->host, "::1");
  EXPECT_EQ(tcp->port, 2375);
  EXPECT_EQ(tcp->host_field(), "[::1]:2375");
  for (const char* bad : {"", "unix://", "tcp://host", "tcp://:80", "host:0", "host:99999", "ssh://a:1"})
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
}

TEST(Parser, StopsAtTheEndOfAMessage) {
  detail::Parser parser(detail::MessageKind::request, 8192);
  std::string body;
  std::string two = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n";
  std::size_t used = *parser.feed(two, body);
  EXPECT_TRUE(parser.head_done());
  EXPECT_FALSE(parser.done());
  used += *parser.feed(std::string_view(two).substr(used), body);
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(body, "abc");
  EXPECT_EQ(two.substr(used, 6), "GET /b");
}

TEST(Parser, ReadsAChunkedBodyByteByByte) {
  detail::Parser parser(detail::MessageKind::response, 8192);
  std::string wire =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nX-T: 1\r\n\r\n";
  std::string body;
  std::string pending;
  for (char c : wire) {
    pending += c;
    auto used = parser.feed(pending, body);
    ASSERT_TRUE(used);
    pending.erase(0, *used);
  }
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(body, "Wikipedia");
  EXPECT_FALSE(parser.response().headers.has("X-T"));
}

TEST(Parser, RefusesWhatIsAmbiguous) {
  for (const char* bad : {
           "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n",
           "GET / HTTP/1.1\nHost: x\n\n",
           "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
           "GET / HTTP/2.0\r\n\r\n",
           "GET  / HTTP/1.1\r\n\r\n",
       }) {
    detail::Parser parser(detail::MessageKind::request, 8192);
    std::string body;
    EXPECT_FALSE(parser.feed(bad, body)) << bad;
  }
}

TEST(Parser, BoundsHeadAndBody) {
  std::string body;
  detail::Parser long_head(detail::MessageKind::request, 1024);
  EXPECT_EQ(long_head.feed("GET / HTTP/1.1\r\nX: " + std::string(4096, 'a'), body).error().code(),
            ErrorCode::exhausted);
  detail::Parser announced(detail::MessageKind::request, 1024);
  ASSERT_TRUE(announced.feed("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", body));
  announced.set_body_limit(10);
  EXPECT_EQ(announced.feed("a", body).error().code(), ErrorCode::exhausted);
  detail::Parser chunked(detail::MessageKind::request, 1024);
  ASSERT_TRUE(chunked.feed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", body));
  chunked.set_body_limit(10);
  EXPECT_EQ(chunked.feed("b\r\n01234567890\r\n", body).error().code(), ErrorCode::exhausted);
}

Request request_to(std::string method, std::string target) {
  Request request;
  request.head.method = std::move(method);
  request.head.target = std::move(target);
  return request;
}

Router docker_like() {
  Router router({.versioned = true});
  Handler none = [](Exchange&) -> async::Task<Result<void>> { co_return Result<void>(); };
  router.add("GET", "/images/{name...}/json", none);
  router.add("GET", "/images/json", none);
  router.add("GET", "/images/{name...}", none);
  router.add("GET", "/containers/{id}/json", none);
  router.add("POST", "/containers/{id}/{verb}", none);
  router.add("POST", "/containers/{id}/start", none);
  return router;
}

TEST(Router, PrefersTheLiteral) {
  Router router = docker_like();
  struct Case {
    const char *method, *target, *route;
  };
  for (const Case& each : std::initializer_list<Case>{
           {"GET", "/images/json", "GET /images/json"},
           {"GET", "/v1.43/images/json?all=1", "GET /images/json"},
           {"GET", "/images/localhost:5000/a/b:c/json", "GET /images/{name...}/json"},
           {"GET", "/images/json/json", "GET /images/{name...}/json"},
           {"GET", "/v1.24/images/a%2Fb", "GET /images/{name...}"},
           {"HEAD", "/containers/x/json", "GET /containers/{id}/json"},
           {"POST", "/containers/x/start", "POST /containers/{id}/start"},
           {"POST", "/containers/x/stop", "POST /containers/{id}/{verb}"},
       }) {
    Request request = request_to(each.method, each.target);
    ASSERT_TRUE(router.match(request)) << each.target;
    EXPECT_EQ(request.route, each.route);
  }
}

TEST(Router, TellsParamsAndVersion) {
  Router router = docker_like();
  Request request = request_to("GET", "/v1.43/images/host:5000%2Fa/b/json");
  ASSERT_TRUE(router.match(request));
  EXPECT_EQ(request.param("name"), "host:5000/a/b");
  EXPECT_EQ(request.api_version, "1.43");
  EXPECT_EQ(request.path, "/images/host:5000/a/b/json");
}

TEST(Router, RefusesTheRest) {
  Router router = docker_like();
  for (const char* target :
       {"/", "/nothing", "/containers//json", "/containers/a/b/json", "/v1.43", "/vx/images/json"}) {
    Request request = request_to("GET", target);
    EXPECT_FALSE(router.match(request)) << target;
  }
  Request escaped = request_to("GET", "/containers/%zz/json");
  EXPECT_EQ(router.match(escaped).error().code(), ErrorCode::invalid);
  Request method = request_to("DELETE", "/images/json");
  EXPECT_EQ(router.match(method).error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace berth::http
