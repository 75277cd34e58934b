#include "tls/relay.h"

#include <poll.h>
#include <sys/socket.h>

#include <string>

#include "async/task_group.h"

namespace berth::tls {

namespace {

constexpr std::size_t kPieceSize = 16 << 10;  // of a TLS record

struct Pair {
  Session& session;
  async::Fd plain;
  Result<void> result;
  bool over = false;  // what fails from here on fails because of cut()

  void cut() {
    over = true;
    ::shutdown(session.socket(), SHUT_RDWR);
    ::shutdown(plain.get(), SHUT_RDWR);
  }
};

bool gone(int socket) {
  pollfd state{.fd = socket, .events = 0, .revents = 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

async::Task<Result<void>> pass_inward(Pair& pair) {
  std::string piece(kPieceSize, '\0');
  for (;;) {
    CO_TRY(std::size_t got, co_await pair.session.read_some(piece));
    if (got == 0) break;
    CO_TRY_OK(co_await pair.plain.write_all(std::string_view(piece).substr(0, got)));
  }
  ::shutdown(pair.plain.get(), SHUT_WR);
  co_await pair.session.wait_gone();
  // Also reached after the other direction has closed the socket, which is the usual end.
  pair.cut();
  co_return Result<void>();
}

async::Task<Result<void>> pass_outward(Pair& pair) {
  for (;;) {
    CO_TRY_OK(co_await pair.plain.readable());
    std::string piece(kPieceSize, '\0');
    CO_TRY(std::size_t got, co_await pair.plain.read_some(piece));
    if (got == 0) break;
    CO_TRY_OK(co_await pair.session.write_all(std::string_view(piece).substr(0, got)));
  }
  // Both directions of the plain side are over: no further word can come from there, so none need be waited for.
  if (gone(pair.plain.get())) {
    (void)co_await pair.session.close_write();
    pair.cut();
    co_return Result<void>();
  }
  co_return co_await pair.session.close_write();
}

async::Task<> run(Pair& pair, async::Task<Result<void>> direction, bool keep_error) {
  Result<void> result = co_await std::move(direction);
  if (result) co_return;
  if (keep_error && !pair.over) pair.result = std::move(result);
  pair.cut();
}

}  // namespace

async::Task<Result<void>> relay(async::Loop& loop, Session& session, sys::UniqueFd plain) {
  Pair pair{session, async::Fd(loop, std::move(plain)), {}};
  async::TaskGroup directions(loop);
  // pair outlives both: they are joined below.
  directions.spawn("tls inward", run(pair, pass_inward(pair), true));
  directions.spawn("tls outward", run(pair, pass_outward(pair), false));
  co_await directions.join();
  co_return pair.result;
}

}  // namespace berth::tls
