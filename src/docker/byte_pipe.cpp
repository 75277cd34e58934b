#include "docker/byte_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "async/fd.h"

namespace berth::docker {

namespace {
constexpr int kPipeSize = 1 << 20;
constexpr std::size_t kPiece = 256 << 10;
}  // namespace

Result<BytePipe> BytePipe::make() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) < 0) return fail_errno("make a pipe");
  BytePipe pipe{sys::UniqueFd(fds[0]), sys::UniqueFd(fds[1])};
  // Fewer wake-ups; the default size does as well, so a refusal (pipe-user-pages-soft) does not matter.
  (void)::fcntl(fds[0], F_SETPIPE_SZ, kPipeSize);
  return pipe;
}

async::Task<Result<void>> body_to_pipe(http::Exchange& exchange, sys::UniqueFd write_end) {
  async::Fd pipe(exchange.loop(), std::move(write_end));
  std::string buffer(kPiece, '\0');
  for (;;) {
    CO_TRY(std::size_t got, co_await exchange.read_some(buffer));
    if (got == 0) co_return Result<void>();
    auto written = co_await pipe.write_all(std::string_view(buffer).substr(0, got));
    if (!written && written.error().errno_value() == EPIPE) co_return Result<void>();
    CO_TRY_OK(std::move(written));
  }
}

async::Task<Result<bool>> pipe_to_stream(http::Exchange& exchange, sys::UniqueFd read_end, std::string type) {
  async::Fd pipe(exchange.loop(), std::move(read_end));
  std::string buffer(kPiece, '\0');
  bool begun = false;
  for (;;) {
    CO_TRY(std::size_t got, co_await pipe.read_some(buffer));
    if (got == 0) co_return begun;
    if (!begun) CO_TRY_OK(co_await exchange.start_stream(200, type));
    begun = true;
    CO_TRY_OK(co_await exchange.write(std::string_view(buffer).substr(0, got)));
  }
}

}  // namespace berth::docker
