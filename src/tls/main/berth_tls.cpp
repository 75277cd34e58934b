// berth-tls: everything of Berth that speaks TLS with strangers. It is started by the other programs, whose options are
// for people; here the words have their places.
//
//   berth-tls init DIRECTORY DAYS keep|new HOST...            what `berth tls init` does
//   berth-tls serve AUTHORITY CERTIFICATE KEY                 tls/server.h: descriptor 3 listens, 4 leads to the daemon
//   berth-tls connect HOST PORT AUTHORITY CERTIFICATE KEY     standard input and output, one socket, led to a server
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/text.h"
#include "sys/file.h"
#include "tls/certificates.h"
#include "tls/relay.h"
#include "tls/server.h"

namespace {

using namespace berth;
using Words = std::vector<std::string>;

constexpr int kListenerFd = 3;
constexpr int kControlFd = 4;
// A server that answers neither yes nor no.
constexpr int kConnectSeconds = 30;

Result<int> init(const Words& words) {
  tls::CertificateRequest request{.directory = words[1],
                                  .hosts = {words.begin() + 4, words.end()},
                                  .days = parse_number<int>(words[2]).value_or(0),
                                  .new_authority = words[3] == "new"};
  TRY(tls::Issued issued, tls::issue_certificates(request));
  std::printf("%s an authority, and made certificates of a server (%s) and of a client, for %d days, in %s\n",
              issued.made_authority ? "Made" : "Kept", join(request.hosts, ", ").c_str(), request.days,
              request.directory.c_str());
  return 0;
}

// Runs the task to its end on a loop of its own.
Result<void> run_to_end(async::Loop& loop, async::Task<Result<void>> work) {
  Result<void> result;
  async::TaskGroup tasks(loop);
  auto wrap = [](async::Loop& on, async::Task<Result<void>> inner, Result<void>& out) -> async::Task<> {
    out = co_await std::move(inner);
    on.stop();
  };
  tasks.spawn("main", wrap(loop, std::move(work), result));
  loop.run();
  return result;
}

Result<int> serve(const Words& words) {
  async::Loop loop(1);
  tls::Server server(loop, {words[1], words[2], words[3]}, sys::UniqueFd(kListenerFd), sys::UniqueFd(kControlFd));
  // The daemon tells when to end by closing its side; a terminal's interrupt is for the daemon.
  ::signal(SIGINT, SIG_IGN);
  TRY_OK(run_to_end(loop, server.run()));
  return 0;
}

Result<sys::UniqueFd> connect_tcp(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return fail(ErrorCode::io, "look up {}: {}", host, ::gai_strerror(error));
  sys::UniqueFd socket;
  int last_errno = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    socket.reset(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    timeval limit{.tv_sec = kConnectSeconds};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // bounds connect(2) too
    if (socket && ::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) break;
    last_errno = errno;
    socket.reset();
  }
  ::freeaddrinfo(found);
  if (!socket) return fail_errno(last_errno, "connect");
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

async::Task<Result<void>> pass(async::Loop& loop, tls::Session& session, sys::UniqueFd plain) {
  CO_TRY_OK(co_await session.handshake());
  co_return co_await tls::relay(loop, session, std::move(plain));
}

Result<int> connect(const Words& words) {
  async::Loop loop(1);
  TRY(tls::Context context, tls::Context::make(tls::Side::client, {words[3], words[4], words[5]}));
  TRY(sys::UniqueFd socket, connect_tcp(words[1], words[2]));
  tls::Session session(loop, context, std::move(socket), words[1]);
  ::close(STDOUT_FILENO);  // the same socket as standard input, whose end must be seen
  TRY_OK(run_to_end(loop, pass(loop, session, sys::UniqueFd(STDIN_FILENO))));
  return 0;
}

Result<int> run(const Words& words) {
  if (words.size() >= 5 && words[0] == "init") return init(words);
  if (words.size() == 4 && words[0] == "serve") return serve(words);
  if (words.size() == 6 && words[0] == "connect") return annotate(connect(words), "tcp://{}:{}", words[1], words[2]);
  return fail(ErrorCode::invalid, "this program is started by berth and berth-engine: see 'berth tls --help'");
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  auto code = run({argv + 1, argv + argc});
  if (code) return *code;
  std::fprintf(stderr, "berth-tls: %s\n", code.error().text().c_str());
  return 1;
}
