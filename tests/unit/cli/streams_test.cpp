// The attached streams without a daemon: frames, detach keys, and the pump over a socket pair.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "cli/demux.h"
#include "cli/pump.h"
#include "cli/terminal.h"
#include "sys/file.h"
#include "sys/unix_socket.h"

namespace berth::cli {
namespace {

std::string frame(int stream, std::string_view payload) {
  std::string head(8, '\0');
  head[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i)
    head[static_cast<std::size_t>(7 - i)] = static_cast<char>(payload.size() >> (8 * i) & 0xFF);
  return head + std::string(payload);
}

struct Received {
  std::string out, err;
  Demux::Sink sink() {
    return [this](StreamKind kind, std::string_view bytes) -> Result<void> {
      (kind == StreamKind::err ? err : out) += bytes;
      return {};
    };
  }
};

TEST(Demux, TakesFramesCutAnywhere) {
  std::string stream =
      frame(1, "hello ") + frame(2, "oops") + frame(1, "") + frame(1, std::string(70'000, 'x')) + frame(0, "!");
  for (std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{8}, std::size_t{4096}, stream.size()}) {
    Demux demux;
    Received got;
    for (std::size_t at = 0; at < stream.size(); at += step)
      ASSERT_TRUE(demux.feed(std::string_view(stream).substr(at, step), got.sink()));
    EXPECT_EQ(got.out, "hello " + std::string(70'000, 'x') + "!") << step;
    EXPECT_EQ(got.err, "oops");
    EXPECT_TRUE(demux.at_boundary());
  }
}

TEST(Demux, KnowsThatAFrameIsCut) {
  Demux demux;
  Received got;
  ASSERT_TRUE(demux.feed(frame(1, "abc").substr(0, 9), got.sink()));
  EXPECT_EQ(got.out, "a");
  EXPECT_FALSE(demux.at_boundary());
}

TEST(Demux, FailsOnWhatIsNoFrameAndOnTheDaemonsErrors) {
  Received got;
  EXPECT_FALSE(Demux().feed("GET / HTTP/1.1\r\n", got.sink()));
  Demux demux;
  std::string bad = frame(3, "it broke");
  ASSERT_TRUE(demux.feed(bad.substr(0, 12), got.sink()));
  auto result = demux.feed(bad.substr(12), got.sink());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().text(), "error from daemon in stream: it broke");
}

TEST(DetachKeys, AreReadAsDockerWritesThem) {
  EXPECT_EQ(*parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(*parse_detach_keys("a,ctrl-@,ctrl-[,ctrl-_"), std::string("a\0\x1b\x1f", 4));
  EXPECT_EQ(*parse_detach_keys(""), "");
  for (std::string_view bad : {"ctrl-", "ctrl-P1", "foo", "a,,b", "ctrl-1", "ctrl-A"})
    EXPECT_FALSE(parse_detach_keys(bad)) << bad;
}

TEST(DetachFilter, PassesEverythingButTheKeys) {
  DetachFilter filter("\x10\x11");
  EXPECT_EQ(filter.feed("ab"), "ab");
  EXPECT_EQ(filter.feed("\x10"), "");
  EXPECT_EQ(filter.feed("x"), "\x10x") << "what was held back goes on";
  EXPECT_EQ(filter.feed("\x10\x10"), "\x10");
  EXPECT_FALSE(filter.detached());
  EXPECT_EQ(filter.feed("\x11rest"), "");
  EXPECT_TRUE(filter.detached());
}

TEST(DetachFilter, WithoutKeysPassesAll) {
  DetachFilter filter("");
  EXPECT_EQ(filter.feed("\x10\x11"), "\x10\x11");
  EXPECT_FALSE(filter.detached());
}

// Puts pipes in the place of stdin and stdout for as long as it lives.
class PumpTest : public testing::Test {
 protected:
  void SetUp() override {
    auto pair = sys::socket_pair(SOCK_STREAM);
    ASSERT_TRUE(pair);
    connection_.fd = std::move(pair->first);
    daemon_ = std::move(pair->second);
    int in[2], out[2];
    ASSERT_EQ(::pipe(in), 0);
    ASSERT_EQ(::pipe(out), 0);
    saved_in_.reset(::dup(0));
    saved_out_.reset(::dup(1));
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::close(in[0]);
    ::close(out[1]);
    typed_.reset(in[1]);
    shown_.reset(out[0]);
  }
  void TearDown() override {
    ::dup2(saved_in_.get(), 0);
    ::dup2(saved_out_.get(), 1);
  }

  static std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t size; (size = ::read(fd, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(size));
    return text;
  }

  Result<PumpEnd> run(PumpOptions options) {
    SignalGuard guard(options.forward_signals);
    Pump pump(std::move(connection_), std::move(options), guard);
    auto end = pump.run();
    kill_signal_ = pump.kill_signal();
    return end;
  }

  http::TakenConnection connection_;
  sys::UniqueFd daemon_, typed_, shown_, saved_in_, saved_out_;
  int kill_signal_ = 0;
};

TEST_F(PumpTest, PassesLeftoverAndLaterFramesUntilTheEnd) {
  connection_.leftover = frame(1, "early ").substr(0, 10);
  ASSERT_TRUE(sys::write_all(daemon_.get(), frame(1, "early ").substr(10) + frame(1, "late")));
  daemon_.reset();
  auto end = run({});
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, PumpEnd::closed);
  TearDown();
  EXPECT_EQ(read_all(shown_.get()), "early late");
}

TEST_F(PumpTest, HalfClosesAtTheEndOfStdinAndStillReads) {
  ASSERT_TRUE(sys::write_all(typed_.get(), "question"));
  typed_.reset();
  std::string heard;
  std::thread daemon([&] {
    heard = read_all(daemon_.get());
    (void)sys::write_all(daemon_.get(), frame(1, "answer"));
    daemon_.reset();
  });
  auto end = run({.with_stdin = true});
  daemon.join();
  ASSERT_TRUE(end);
  EXPECT_EQ(heard, "question");
  TearDown();
  EXPECT_EQ(read_all(shown_.get()), "answer");
}

TEST_F(PumpTest, AnEndThatDoesNotReadYetHoldsUpOnlyItsOwnDirection) {
  std::string large(3 << 20, 'z');
  std::string heard, seen;
  // The daemon writes everything before it reads anything, while more waits on stdin than any buffer takes.
  std::thread daemon([&] {
    (void)sys::write_all(daemon_.get(), frame(1, large));
    heard = read_all(daemon_.get());
    daemon_.reset();
  });
  std::thread typist([&] {
    (void)sys::write_all(typed_.get(), large);
    typed_.reset();
  });
  std::thread reader([&] { seen = read_all(shown_.get()); });
  auto end = run({.with_stdin = true});
  TearDown();
  daemon.join();
  typist.join();
  reader.join();
  ASSERT_TRUE(end);
  EXPECT_EQ(heard.size(), large.size());
  EXPECT_EQ(seen.size(), large.size());
}

TEST_F(PumpTest, EndsAtTheDetachKeys) {
  ASSERT_TRUE(sys::write_all(typed_.get(), "ab\x10\x11"));
  auto end = run({.tty = true, .with_stdin = true, .detach_keys = "\x10\x11"});
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, PumpEnd::detached);
}

TEST_F(PumpTest, ForwardsSignals) {
  std::vector<int> seen;
  PumpOptions options;
  options.forward_signals = true;
  options.on_signal = [&](int signal) {
    seen.push_back(signal);
    daemon_.reset();
  };
  SignalGuard guard(true);
  ::raise(SIGTERM);
  Pump pump(std::move(connection_), std::move(options), guard);
  auto end = pump.run();
  ASSERT_TRUE(end);
  EXPECT_EQ(seen, std::vector<int>{SIGTERM});
}

TEST_F(PumpTest, EndsByASignalThatNobodyForwards) {
  SignalGuard guard(false);
  ::raise(SIGHUP);
  Pump pump(std::move(connection_), {}, guard);
  auto end = pump.run();
  ASSERT_TRUE(end);
  EXPECT_EQ(*end, PumpEnd::killed);
  EXPECT_EQ(pump.kill_signal(), SIGHUP);
}

TEST_F(PumpTest, ReportsBrokenFrames) {
  ASSERT_TRUE(sys::write_all(daemon_.get(), "garbage that is no frame"));
  auto end = run({});
  ASSERT_FALSE(end);
}

}  // namespace
}  // namespace berth::cli
