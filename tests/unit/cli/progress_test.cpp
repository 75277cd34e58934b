#include "cli/progress.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sys/file.h"

namespace berth::cli {
namespace {

std::string shown(unsigned columns, const std::vector<std::string_view>& messages, std::string* error = nullptr) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  sys::UniqueFd reader(ends[0]), writer(ends[1]);
  Progress progress(writer.get(), columns);
  for (std::string_view message : messages) {
    auto result = progress.show(*json::parse(message));
    if (!result && error != nullptr) *error = result.error().text();
  }
  writer.reset();
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

constexpr std::string_view kFrom = R"({"status": "Pulling from library/debian", "id": "bookworm"})";
constexpr std::string_view kHalf =
    R"({"status": "Downloading", "id": "abc", "progressDetail": {"current": 512, "total": 1024}})";
constexpr std::string_view kOther = R"({"status": "Waiting", "id": "def", "progressDetail": {}})";
constexpr std::string_view kDone = R"({"status": "Pull complete", "id": "abc", "progressDetail": {}})";

TEST(Progress, IsPlainLinesWithoutMeasuresInALog) {
  EXPECT_EQ(
      shown(0, {kFrom, kHalf, kOther, kDone, R"({"status": "Status: Downloaded newer image"})"}),
      "bookworm: Pulling from library/debian\ndef: Waiting\nabc: Pull complete\nStatus: Downloaded newer image\n");
}

TEST(Progress, RedrawsTheLineOfEachIdOnATerminal) {
  EXPECT_EQ(shown(80, {kHalf, kOther, kDone}),
            "abc: Downloading 512B/1.024kB\ndef: Waiting\n\x1b[2A\r\x1b[2Kabc: Pull complete\r\x1b[2B");
}

TEST(Progress, DrawsABarWhereThereIsRoom) {
  std::string line = Progress::line_of(*json::parse(kHalf), 200);
  EXPECT_EQ(line, "abc: Downloading [" + std::string(25, '=') + ">" + std::string(24, ' ') + "]  512B/1.024kB");
}

TEST(Progress, NeverWraps) { EXPECT_LT(Progress::line_of(*json::parse(kHalf), 20).size(), 20u); }

TEST(Progress, PrintsStreamsAsTheyAre) {
  EXPECT_EQ(shown(0, {R"({"stream": "Loaded image: a:1\n"})"}), "Loaded image: a:1\n");
}

TEST(Progress, ReturnsErrors) {
  std::string error;
  shown(0, {R"({"errorDetail": {"message": "no space left"}, "error": "no space left"})"}, &error);
  EXPECT_EQ(error, "no space left");
}

}  // namespace
}  // namespace berth::cli
