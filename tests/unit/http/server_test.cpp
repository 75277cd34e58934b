// The server against the blocking client and against raw bytes, over unix sockets and TCP of this process.
#include "http/server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <future>
#include <thread>

#include "http/async_client.h"
#include "sys/file.h"
#include "sys/unix_socket.h"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using async::Task;

// What the handlers of the fixture tell the test.
struct Seen {
  std::promise<void> entered;
  std::promise<std::string> ended;
};

Task<Result<void>> hello(Exchange& exchange) { return exchange.respond_text(200, "hello"); }

Task<Result<void>> echo(Exchange& exchange) {
  CO_TRY(std::string body, co_await exchange.read_body());
  co_return co_await exchange.respond(200, std::move(body), "application/octet-stream");
}

Task<Result<void>> missing(Exchange&) { co_return fail(ErrorCode::not_found, "No such container: web"); }

Task<Result<void>> count_up(Exchange& exchange) {
  CO_TRY_OK(co_await exchange.start_stream(200, "text/plain"));
  for (int i = 0; i < 1000; ++i) {
    std::string line = std::to_string(i) + "\n";
    CO_TRY_OK(co_await exchange.write(line));
  }
  co_return Result<void>();
}

// Streams without end until the client leaves.
Task<Result<void>> flood(Exchange& exchange) {
  CO_TRY_OK(co_await exchange.start_stream(200, "text/plain"));
  std::string block(64 << 10, 'x');
  for (;;) CO_TRY_OK(co_await exchange.write(block));
}

Task<Result<void>> hijacked_echo(Exchange& exchange) {
  CO_TRY(Hijacked taken, co_await exchange.hijack());
  async::Fd fd(exchange.loop(), std::move(taken.fd));
  CO_TRY_OK(co_await fd.write_all(taken.leftover));
  std::array<char, 4096> buffer;
  for (;;) {
    CO_TRY(std::size_t got, co_await fd.read_some(buffer));
    if (got == 0) co_return Result<void>();
    CO_TRY_OK(co_await fd.write_all(std::string_view(buffer.data(), got)));
  }
}

Task<Result<void>> wait_forever(Seen& seen, Exchange&) {
  seen.entered.set_value();
  while (!co_await async::cancelled()) co_await async::sleep_for(1h);
  seen.ended.set_value("cancelled");
  co_return fail(ErrorCode::cancelled, "cancelled");
}

Task<Result<void>> wait_for_gone(Seen& seen, Exchange& exchange) {
  seen.entered.set_value();
  co_await exchange.wait_gone();
  seen.ended.set_value(exchange.client_gone() ? "gone" : "there");
  co_return co_await exchange.respond_empty(204);
}

Task<Result<void>> announced_echo(Seen& seen, Exchange& exchange) {
  seen.entered.set_value();
  return echo(exchange);
}

Task<Result<void>> throws(Exchange&) {
  throw std::runtime_error("out of cheese");
  co_return Result<void>();
}

Router make_router(Seen& seen) {
  Router router;
  router.add("GET", "/hello", hello);
  router.add("POST", "/echo", echo, {.body_limit = 1 << 20});
  router.add("GET", "/missing", missing);
  router.add("GET", "/count", count_up);
  router.add("GET", "/flood", flood);
  router.add("POST", "/hijack", hijacked_echo);
  router.add("POST", "/wait", [&seen](Exchange& e) { return wait_forever(seen, e); }, {.on_gone = OnGone::cancel});
  router.add("POST", "/gone", [&seen](Exchange& e) { return wait_for_gone(seen, e); });
  router.add("POST", "/announced", [&seen](Exchange& e) { return announced_echo(seen, e); }, {.body_limit = 100});
  router.add("GET", "/throws", throws);
  router.add("GET", "/silent", [](Exchange&) -> Task<Result<void>> { co_return Result<void>(); });
  return router;
}

class ServerTest : public ::testing::Test {
 protected:
  void start(ServerLimits limits = {}) {
    char name[] = "/tmp/berth-http-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/s";
    server_.emplace(loop_, make_router(seen_), limits, Headers{{"X-Server", "test"}});
    server_->listen(*sys::listen_unix(path_, SOCK_STREAM | SOCK_NONBLOCK, 0600), {.access = 7, .name = "test"});
    thread_ = std::thread([this] { loop_.run(); });
  }

  void TearDown() override {
    if (!thread_.joinable()) return;
    std::promise<void> stopped;
    loop_.post([&] { tasks_.spawn("stop", stop(*server_, stopped)); });
    EXPECT_EQ(stopped.get_future().wait_for(20s), std::future_status::ready);
    loop_.stop();
    thread_.join();
    std::remove(path_.c_str());
    std::remove(directory_.c_str());
  }

  static Task<> stop(Server& server, std::promise<void>& stopped) {
    co_await server.stop();
    stopped.set_value();
  }

  BlockingClient client() const { return BlockingClient(*Endpoint::parse(path_)); }
  sys::UniqueFd raw() const { return *sys::connect_unix(path_, SOCK_STREAM); }

  // Sends bytes, then reads to the end of the stream.
  static std::string talk(int fd, std::string_view bytes) {
    EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    return read_to_end(fd);
  }
  static std::string read_to_end(int fd) {
    std::string all;
    std::array<char, 4096> buffer;
    for (ssize_t got; (got = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;)
      all.append(buffer.data(), static_cast<std::size_t>(got));
    return all;
  }

  Seen seen_;
  async::Loop loop_{1};
  async::TaskGroup tasks_{loop_};
  std::optional<Server> server_;
  std::thread thread_;
  std::string directory_;
  std::string path_;
};

TEST_F(ServerTest, AnswersAndEchoes) {
  start();
  auto answer = client().request({.target = "/hello"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(answer->head.headers.get("X-Server"), "test");
  EXPECT_EQ(*answer->read_all(), "hello");
  std::string big(900 << 10, 'b');
  auto echoed = client().request({.method = "POST", .target = "/echo", .body = big});
  EXPECT_EQ(*echoed->read_all(), big);
}

TEST_F(ServerTest, HeadHasTheLengthAndNoBody) {
  start();
  auto answer = client().request({.method = "HEAD", .target = "/hello"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->head.headers.get("Content-Length"), "5");
  EXPECT_EQ(*answer->read_all(), "");
}

TEST_F(ServerTest, ErrorsAreDockers) {
  start();
  struct Case {
    const char *target, *body;
    int status;
  };
  for (const Case& each :
       std::initializer_list<Case>{{"/missing", "{\"message\":\"No such container: web\"}\n", 404},
                                   {"/nowhere", "{\"message\":\"page not found\"}\n", 404},
                                   {"/throws", "{\"message\":\"internal error: out of cheese\"}\n", 500},
                                   {"/silent", "{\"message\":\"internal error: no answer to GET /silent\"}\n", 500}}) {
    auto answer = client().request({.target = each.target});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status(), each.status);
    EXPECT_EQ(*answer->read_all(), each.body);
  }
}

TEST_F(ServerTest, StreamsInChunks) {
  start();
  auto answer = client().request({.target = "/count"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->head.headers.get("Transfer-Encoding"), "chunked");
  std::string body = *answer->read_all();
  EXPECT_TRUE(body.starts_with("0\n1\n2\n"));
  EXPECT_TRUE(body.ends_with("\n999\n"));
}

TEST_F(ServerTest, TakesAStreamedBody) {
  start();
  int left = 10;
  auto answer =
      client().request({.method = "POST", .target = "/echo"}, [&](std::span<char> buffer) -> Result<std::size_t> {
        if (left-- == 0) return 0;
        std::fill(buffer.begin(), buffer.begin() + 1000, 'z');
        return 1000;
      });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->read_all()->size(), 10000U);
}

TEST_F(ServerTest, RefusesALongBodyAndStillIsHeard) {
  start();
  auto announced = client().request({.method = "POST", .target = "/echo", .body = std::string(2 << 20, 'x')});
  ASSERT_TRUE(announced);
  EXPECT_EQ(announced->status(), 413);
  EXPECT_EQ(*announced->read_all(), "{\"message\":\"request body too large: at most 1048576 bytes\"}\n");
  int left = 64;
  auto chunked =
      client().request({.method = "POST", .target = "/echo"},
                       [&](std::span<char> buffer) -> Result<std::size_t> { return left-- > 0 ? buffer.size() : 0; });
  ASSERT_TRUE(chunked);
  EXPECT_EQ(chunked->status(), 413);
}

TEST_F(ServerTest, ServesPipelinedRequestsInOrder) {
  start();
  std::string answers = talk(raw().get(),
                             "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                             "GET /missing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::size_t first = answers.find("\r\n\r\nhello");
  std::size_t second = answers.find("\r\n\r\nabc");
  std::size_t third = answers.find("No such container: web");
  ASSERT_NE(third, std::string::npos);
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST_F(ServerTest, KeepsOneConnectionForManyLargeBodies) {
  start();
  auto fd = raw();
  std::string body(200'000, 'q');
  std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + body;
  for (int round = 0; round < 20; ++round) {
    std::thread sender([&] { EXPECT_TRUE(sys::write_all(fd.get(), request)); });
    std::string answer;
    std::array<char, 8192> buffer;
    while (answer.size() < body.size() || !answer.ends_with(body)) {
      ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      ASSERT_GT(got, 0);
      answer.append(buffer.data(), static_cast<std::size_t>(got));
      if (answer.size() > body.size() + 1000) break;
    }
    sender.join();
    ASSERT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << round;
    ASSERT_TRUE(answer.ends_with(body)) << round;
  }
}

TEST_F(ServerTest, UnwantedBodyDoesNotBecomeARequest) {
  start();
  std::string answers = talk(raw().get(),
                             "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\nGET /hello HTTP/1.1\r\n"
                             "GET /missing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answers.find("hello"), std::string::npos);
  EXPECT_NE(answers.find("No such container"), std::string::npos);
}

TEST_F(ServerTest, MalformedRequestsGet400AndTheDoor) {
  start();
  for (const char* bad :
       {"GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nGET /hello HTTP/1.1\r\n\r\n",
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    auto fd = raw();
    std::string answer = talk(fd.get(), bad);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << bad << answer;
    EXPECT_EQ(answer.find("hello"), std::string::npos);
  }
}

TEST_F(ServerTest, LongHeadersGet431) {
  start({.max_header_bytes = 2048});
  std::string answer = talk(raw().get(), "GET /hello HTTP/1.1\r\nX-Long: " + std::string(4000, 'a') + "\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << answer;
}

TEST_F(ServerTest, AnswersExpectContinueWhenTheBodyIsWanted) {
  start();
  auto fd = raw();
  std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
  std::array<char, 64> buffer;
  ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
  EXPECT_EQ(std::string(buffer.data(), static_cast<std::size_t>(got)), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_EQ(::send(fd.get(), "ok", 2, 0), 2);
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_TRUE(read_to_end(fd.get()).ends_with("\r\n\r\nok"));
}

TEST_F(ServerTest, HijackWithUpgradeHandsOverTheConnection) {
  start();
  auto answer = client().request({.method = "POST", .target = "/hijack", .upgrade = true});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status(), 101);
  EXPECT_EQ(answer->head.reason, "UPGRADED");
  EXPECT_EQ(answer->head.headers.get("Upgrade"), "tcp");
  EXPECT_EQ(answer->head.headers.get("Content-Type"), "application/vnd.docker.raw-stream");
  TakenConnection taken = answer->take();
  EXPECT_EQ(taken.leftover, "");
  ASSERT_EQ(::send(taken.fd.get(), "ping", 4, 0), 4);
  ::shutdown(taken.fd.get(), SHUT_WR);
  EXPECT_EQ(read_to_end(taken.fd.get()), "ping");
}

TEST_F(ServerTest, HijackWithoutUpgradeAnswers200AndKeepsEarlyBytes) {
  start();
  auto fd = raw();
  std::string early = "POST /hijack HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nearly bytes";
  ASSERT_EQ(::send(fd.get(), early.data(), early.size(), 0), static_cast<ssize_t>(early.size()));
  ::shutdown(fd.get(), SHUT_WR);
  std::string answer = read_to_end(fd.get());
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nearly bytes")) << answer;
}

TEST_F(ServerTest, AWaitingHandlerIsCancelledWhenItsClientLeaves) {
  start();
  auto fd = raw();
  std::string request = "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_EQ(seen_.entered.get_future().wait_for(10s), std::future_status::ready);
  fd.reset();
  auto ended = seen_.ended.get_future();
  ASSERT_EQ(ended.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(ended.get(), "cancelled");
}

TEST_F(ServerTest, AFinishingHandlerIsOnlyToldThatItsClientLeft) {
  start();
  auto fd = raw();
  std::string request = "POST /gone HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_EQ(seen_.entered.get_future().wait_for(10s), std::future_status::ready);
  fd.reset();
  auto ended = seen_.ended.get_future();
  ASSERT_EQ(ended.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(ended.get(), "gone");
}

TEST_F(ServerTest, AStreamEndsWhenItsReaderLeaves) {
  start();
  {
    auto answer = client().request({.target = "/flood"});
    ASSERT_TRUE(answer);
    std::array<char, 4096> buffer;
    ASSERT_TRUE(answer->read_some(buffer));
  }
  // TearDown's stop() would time out if the handler went on; the next request shows that the loop is free.
  EXPECT_EQ(client().request({.target = "/hello"})->status(), 200);
}

TEST_F(ServerTest, StopEndsWhatWaits) {
  start();
  auto fd = raw();
  std::string request = "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  ASSERT_EQ(seen_.entered.get_future().wait_for(10s), std::future_status::ready);
  TearDown();
  EXPECT_EQ(seen_.ended.get_future().get(), "cancelled");
}

TEST_F(ServerTest, StopClosesIdleConnectionsAtOnce) {
  start();
  auto fd = raw();
  std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::array<char, 1024> answer;
  ASSERT_GT(::recv(fd.get(), answer.data(), answer.size(), 0), 0);
  auto begin = std::chrono::steady_clock::now();
  TearDown();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s) << "a connection that is only kept alive got the grace";
  EXPECT_EQ(::recv(fd.get(), answer.data(), answer.size(), 0), 0);
}

TEST_F(ServerTest, StopLetsARequestFinish) {
  start();
  auto fd = raw();
  std::string head = "POST /announced HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab";
  ASSERT_EQ(::send(fd.get(), head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
  ASSERT_EQ(seen_.entered.get_future().wait_for(10s), std::future_status::ready);
  std::promise<void> stopped;
  loop_.post([&] { tasks_.spawn("stop", stop(*server_, stopped)); });
  std::string answer = talk(fd.get(), "cd");
  EXPECT_NE(answer.find("abcd"), std::string::npos) << answer;
  EXPECT_EQ(stopped.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(ServerTest, ASlowHeadIsCutOff) {
  start({.header_timeout = 1s});
  auto fd = raw();
  ASSERT_EQ(::send(fd.get(), "GET /he", 7, 0), 7);
  pollfd poll{fd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&poll, 1, 10'000), 1);
  EXPECT_EQ(read_to_end(fd.get()), "");
}

TEST_F(ServerTest, AnIdleConnectionIsClosed) {
  start({.idle_timeout = 1s});
  auto fd = raw();
  pollfd poll{fd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&poll, 1, 10'000), 1);
  EXPECT_EQ(read_to_end(fd.get()), "");
}

TEST_F(ServerTest, BeyondItsLimitAConnectionWaitsItsTurn) {
  start({.max_connections = 2});
  auto first = raw();
  auto second = raw();
  std::string hello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  // One answer on each proves that both have been accepted.
  for (int fd : {first.get(), second.get()}) {
    ASSERT_EQ(::send(fd, hello.data(), hello.size(), 0), static_cast<ssize_t>(hello.size()));
    char byte;
    ASSERT_EQ(::recv(fd, &byte, 1, 0), 1);
  }
  auto third = raw();
  std::string last = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(::send(third.get(), last.data(), last.size(), 0), static_cast<ssize_t>(last.size()));
  pollfd poll{third.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&poll, 1, 50), 0);
  first.reset();
  EXPECT_TRUE(read_to_end(third.get()).ends_with("hello"));
}

TEST_F(ServerTest, AThousandIdleConnectionsDoNotDisturb) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 2200) GTEST_SKIP() << "needs 2200 descriptors";
  rlimit raised{std::max<rlim_t>(limit.rlim_cur, 2200), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
  start();
  std::vector<sys::UniqueFd> idle;
  for (int i = 0; i < 1000; ++i) idle.push_back(raw());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*client().request({.target = "/hello"})->read_all(), "hello");
  std::string request = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_TRUE(talk(idle[999].get(), request).ends_with("hello"));
  EXPECT_TRUE(talk(idle[0].get(), request).ends_with("hello"));
}

TEST_F(ServerTest, ServesTcpToo) {
  auto listener = listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(listener);
  std::uint16_t port = *local_port(listener->get());
  start();
  loop_.post([this, socket = std::make_shared<sys::UniqueFd>(*std::move(listener))] {
    server_->listen(std::move(*socket), {.name = "tcp"});
  });
  auto answer = BlockingClient(Endpoint{.host = "127.0.0.1", .port = port}).request({.target = "/hello"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(*answer->read_all(), "hello");
}

TEST(Client, TellsWhyItCannotConnect) {
  auto answer = BlockingClient(*Endpoint::parse("/nowhere/at/all.sock")).request({});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().errno_value(), ENOENT);
}

Task<> use_async_client(AsyncClient client, std::promise<std::string>& said) {
  ClientRequest hello{.target = "/hello"};
  auto first = co_await client.request(std::move(hello));
  std::string text = first ? (co_await first->read_all()).value_or("unread") : first.error().text();
  auto left = std::make_shared<int>(3);
  AsyncBodySource source = [left](std::span<char> buffer) -> Task<Result<std::size_t>> {
    if ((*left)-- == 0) co_return std::size_t(0);
    buffer[0] = 'y';
    co_return std::size_t(1);
  };
  ClientRequest post{.method = "POST", .target = "/echo"};
  auto second = co_await client.request(std::move(post), std::move(source));
  text += " " + (second ? (co_await second->read_all()).value_or("unread") : second.error().text());
  ClientRequest upgrade{.method = "POST", .target = "/hijack", .upgrade = true};
  auto third = co_await client.request(std::move(upgrade));
  text += third ? fmt::format(" {}", third->status()) : third.error().text();
  if (third) third->take();
  said.set_value(text);
}

TEST_F(ServerTest, AsyncClientSpeaksTheSame) {
  start();
  std::promise<std::string> said;
  loop_.post([&] { tasks_.spawn("client", use_async_client(AsyncClient(loop_, *Endpoint::parse(path_)), said)); });
  auto future = said.get_future();
  ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(future.get(), "hello yyy 101");
}

Task<> wait_in_vain(AsyncClient client, std::promise<ErrorCode>& said) {
  ClientRequest request{.method = "POST", .target = "/wait"};
  auto answer = co_await client.request(std::move(request));
  said.set_value(answer ? ErrorCode::internal : answer.error().code());
}

TEST_F(ServerTest, AsyncClientGivesUpInTime) {
  start();
  std::promise<ErrorCode> said;
  loop_.post([&] { tasks_.spawn("client", wait_in_vain(AsyncClient(loop_, *Endpoint::parse(path_), 100ms), said)); });
  auto future = said.get_future();
  ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(future.get(), ErrorCode::timeout);
}

}  // namespace
}  // namespace berth::http
