#include "workspace/ports.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/unique_fd.h"

namespace berth::workspace {

namespace {

bool all_free(std::uint16_t) { return true; }

}  // namespace

TEST(Ports, AreTenForEachNumber) {
  EXPECT_EQ(ssh_port(2000, 1), 2010);
  EXPECT_EQ(ssh_port(2000, 12), 2120);
  EXPECT_EQ(ssh_port(2000, max_number(2000)) + kPortsPerWorkspace - 1, 65529);
  EXPECT_EQ(max_number(65500), 2);
}

TEST(Ports, TheLowestFreeNumberIsGiven) {
  EXPECT_EQ(choose_number(2000, {}, all_free), 1);
  EXPECT_EQ(choose_number(2000, {1, 2, 4}, all_free), 3);
}

TEST(Ports, AnOccupiedPortIsSkipped) {
  auto is_free = [](std::uint16_t port) { return port != 2010 && port != 2030; };
  EXPECT_EQ(choose_number(2000, {2}, is_free), 4);
}

TEST(Ports, WhenNoneIsLeftItSaysSo) {
  auto number = choose_number(65500, {1, 2}, all_free);
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().name(), "no_free_port");
}

TEST(Ports, AListenerMakesAPortBusy) {
  sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof name;
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(listen(socket.get(), 1), 0);
  ASSERT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  std::uint16_t port = ntohs(name.sin_port);
  EXPECT_FALSE(is_port_free("127.0.0.1", port));
  EXPECT_FALSE(is_port_free("0.0.0.0", port));
  socket.reset();
  EXPECT_TRUE(is_port_free("127.0.0.1", port));
  EXPECT_FALSE(is_port_free("no address", port));
}

}  // namespace berth::workspace
