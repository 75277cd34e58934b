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

void Console::add_interest(PollSet& set) {
  const Fd& awaited = connection_.valid() ? connection_ : listener_;
  place_ = awaited.valid() ? set.add(awaited.get(), POLLIN) : PollSet::kNone;
}

Fd Console::take_master() {
  if (!connection_.valid()) connection_ = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  char name[256];  // what the runtime calls the terminal, which means nothing here
  ReceivedFds received;
  if (receive_with_fds(connection_.get(), name, sizeof name, received) < 0) return {};
  // A connection that brought no descriptor brings none any more.
  close();
  done_ = received.count > 0;
  return std::move(received.fds[0]);
}

void Console::close() {
  if (listener_.valid()) unlinkat(directory_.get(), name_.c_str(), 0);
  listener_.close();
  connection_.close();
  directory_.close();
  place_ = PollSet::kNone;
}

}  // namespace berth::shim
