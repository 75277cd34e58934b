// system dial-stdio: leads standard input and output to the engine. It is the other end of -H ssh://.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "cli/verbs.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

// Until the end of `from`, or until `to` takes no more.
void copy(int from, int to) {
  char buffer[32 << 10];
  for (;;) {
    ssize_t got = ::read(from, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || !sys::write_all(to, {buffer, static_cast<std::size_t>(got)})) return;
  }
}

Result<int> dial(Context& context, const NoOptions&, const Words&) {
  TRY(Way way, context.way());
  TRY(sys::UniqueFd engine, annotate(http::connect(way.endpoint), "{}", way.host));
  int socket = engine.get();
  // Ends with the process: standard input may stay open after the engine has closed.
  std::thread([socket] {
    copy(STDIN_FILENO, socket);
    ::shutdown(socket, SHUT_WR);
  }).detach();
  copy(socket, STDOUT_FILENO);
  ::_exit(0);
}

}  // namespace

constexpr Command kDialStdio = command<declare_nothing, dial>({
    .usage = "",
    .summary = "Lead standard input and output to the engine",
    .arity = kNoWords,
    .details = "This is what -H ssh://HOST runs on HOST. It is not for people.",
});

}  // namespace berth::cli
