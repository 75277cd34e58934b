#include "http/websocket.h"

#include <gtest/gtest.h>

namespace berth::http {
namespace {

std::string client_frame(std::uint8_t first, std::string_view payload) {
  std::string frame(1, static_cast<char>(first)), mask = "\x12\x34\x56\x78";
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(payload.size() >> 8);
    frame += static_cast<char>(payload.size());
  }
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

TEST(WebSocket, AnswersTheKeyOfTheRfc) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, TakesFramesApartHoweverTheyCome) {
  std::string long_text(300, 'x'), bytes = client_frame(0x82, "hello") + client_frame(0x81, long_text);
  WebSocketParser parser;
  std::vector<std::string> seen;
  for (char c : bytes) {
    parser.feed(std::string_view(&c, 1));
    auto frame = parser.next();
    ASSERT_TRUE(frame);
    if (*frame) seen.push_back((*frame)->payload);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"hello", long_text}));
}

TEST(WebSocket, RefusesWhatIsAgainstTheProtocol) {
  std::string unmasked("\x82\x01x", 3), reserved = client_frame(0xc2, "a"), opcode = client_frame(0x83, "a");
  std::string huge("\x82\xff\x7f\x00\x00\x00\x00\x00\x00\x00", 10);
  for (const std::string& bytes : {unmasked, reserved, opcode, huge}) {
    WebSocketParser parser;
    parser.feed(bytes);
    EXPECT_FALSE(parser.next());
  }
}

TEST(WebSocket, FramesGrowWithTheirPayload) {
  EXPECT_EQ(websocket_frame(2, "ab"),
            "\x82\x02"
            "ab");
  EXPECT_EQ(websocket_frame(2, std::string(200, 'a')).substr(0, 4), std::string("\x82\x7e\x00\xc8", 4));
  EXPECT_EQ(websocket_frame(2, std::string(70000, 'a')).size(), 70010u);
}

}  // namespace
}  // namespace berth::http
