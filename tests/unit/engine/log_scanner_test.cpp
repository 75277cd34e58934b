#include "engine/log_scanner.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"

namespace berth::engine {
namespace {

constexpr const char* kTime = "2026-11-22T10:52:51.123456789Z";

std::string line_of(const std::string& escaped, const char* stream = "stdout") {
  return "{\"log\":\"" + escaped + "\",\"stream\":\"" + stream + "\",\"time\":\"" + kTime + "\"}";
}

TEST(LogScanner, TakesALineApart) {
  std::string line = line_of("hello\\n", "stderr");
  auto scanned = scan_log_line(line.data(), line.size());
  ASSERT_TRUE(scanned);
  EXPECT_TRUE(scanned->stderr_);
  EXPECT_EQ(scanned->text, "hello\n");
  EXPECT_EQ(scanned->time, kTime);
}

TEST(LogScanner, DecodesEveryEscapeAsTheJsonParserDoes) {
  for (const char* escaped :
       {"", "\\n", "a\\tb\\r\\n", "\\\"quoted\\\"", "back\\\\slash\\/", "\\b\\f", "\\u0000\\u001f",
        "caf\\u00e9 \\u20ac", "\\ud83d\\ude00!", "\\\"stream\\\":\\\"stdout\\\"", "plain"}) {
    std::string line = line_of(escaped);
    auto parsed = json::parse(line);
    ASSERT_TRUE(parsed) << escaped;
    auto scanned = scan_log_line(line.data(), line.size());
    ASSERT_TRUE(scanned) << escaped;
    EXPECT_EQ(scanned->text, json::string_or(*parsed, "log")) << escaped;
  }
}

TEST(LogScanner, RefusesWhatIsTornOrForeign) {
  std::string whole = line_of("hello\\n");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::string torn = whole.substr(0, length);
    EXPECT_FALSE(scan_log_line(torn.data(), torn.size())) << torn;
  }
  for (std::string line : {line_of("\\x"), line_of("\\u12"), line_of("\\"), line_of("\\ud83d\\u0041"),
                           std::string("{}"), line_of("a", "stdxxx")})
    EXPECT_FALSE(scan_log_line(line.data(), line.size())) << line;
}

}  // namespace
}  // namespace berth::engine
