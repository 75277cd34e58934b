#include "cli/pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "sys/unique_fd.h"

namespace berth::cli {

Result<void> through_pipe(const std::function<Result<void>(int fd)>& produce,
                          const std::function<Result<void>(int fd)>& consume) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("pipe");
  sys::UniqueFd reader(ends[0]), writer(ends[1]);
  // A consumer that ends early must not take the process with it.
  sigset_t broken_pipe, saved;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, &saved);
  Result<void> produced;
  std::thread thread([&] {
    produced = produce(writer.get());
    writer.reset();
  });
  Result<void> consumed = consume(reader.get());
  reader.reset();
  thread.join();
  ::pthread_sigmask(SIG_SETMASK, &saved, nullptr);
  if (!produced && (produced.error().errno_value() != EPIPE || consumed)) return produced;
  return consumed;
}

}  // namespace berth::cli
