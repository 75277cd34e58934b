// berth-shim CONF_FILE: holds one running container (docs/design/shim.md). Descriptor 3 is its first control
// connection, descriptor 4 the sealed runtime.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "shim/conf.h"
#include "shim/protocol.h"
#include "shim/shim.h"

namespace {

using namespace berth::shim;

int complain(const Error& error) {
  const Buffer line = concat("berth-shim: ", error.message, "\n");
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.view().data(), line.size());
  return 1;
}

// SIGCHLD comes only while the loop waits; what an operator or a terminal might send does not end a container's keeper.
sigset_t set_signals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2, SIGXFSZ})
    signal(number, SIG_IGN);
  struct sigaction on_child{};
  on_child.sa_handler = [](int) {};
  sigaction(SIGCHLD, &on_child, nullptr);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigset_t waiting;
  sigprocmask(SIG_BLOCK, &child, &waiting);
  sigdelset(&waiting, SIGCHLD);
  return waiting;
}

}  // namespace

int main(int argc, char** argv) {
  const bool sealed_runtime = argc == 3 && argv[2] == kSealedRuntime;
  if (argc != 2 && !sealed_runtime)
    return complain(std::move(fail(0, "usage: berth-shim CONF_FILE [sealed-runtime]")).error());
  // A descriptor below 3 must not become one that a child's standard streams would overwrite.
  while (true) {
    const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd > 2) close(fd);
    if (fd < 0 || fd > 2) break;
  }
  const sigset_t waiting = set_signals();
  setsid();
  umask(0022);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return complain(std::move(fail(errno, "become a subreaper")).error());
  if (fcntl(kControlFd, F_SETFD, FD_CLOEXEC) != 0) {
    return complain(std::move(fail(errno, "take the control connection, descriptor 3")).error());
  }
  if (sealed_runtime && fcntl(kRuntimeFd, F_SETFD, FD_CLOEXEC) != 0) {
    return complain(std::move(fail(errno, "take the runtime, descriptor 4")).error());
  }
  Conf conf;
  if (sealed_runtime) conf.runtime_fd = kRuntimeFd;
  if (Result<> read = read_conf(argv[1], conf); !read) return complain(read.error());
  Shim shim(conf);
  if (Result<> opened = shim.open(Fd(kControlFd)); !opened) return complain(opened.error());
  shim.run(waiting);
  return 0;
}
