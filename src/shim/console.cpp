#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shim/control.h"
#include "shim/runtime.h"

namespace berth::shim {

Result<> Console::listen(const Conf& conf, std::uint64_t number) {
  Buffer directory = concat(conf.mounts_dir);
  directory_ = Fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.valid()) return fail(errno, "open ", directory);
  name_ = concat("c", number);
  Result<Fd> listener = listen_unix(path(), SOCK_STREAM);
  if (!listener) return std::unexpected(std::move(listener).error());
  listener_ = std::move(*listener);
  return {};
}

Buffer Console::path() const { return concat("/proc/", getpid(), "/fd/", directory_.get(), "/", name_); }

Result<Fd> Console::take_master() {
  const Fd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.valid()) return fail(errno, "wait for the runtime's terminal");
  char name[256];
  ReceivedFds fds;
  const ssize_t got = receive_with_fds(connection.get(), name, sizeof name, fds);
  if (got < 0) return fail(errno, "receive the runtime's terminal");
  if (fds.count == 0) return fail(0, "the runtime sent no terminal");
  return std::move(fds.fds[0]);
}

void Console::close() {
  if (listener_.valid()) unlinkat(directory_.get(), name_.c_str(), 0);
  listener_.close();
  directory_.close();
}

}  // namespace berth::shim
