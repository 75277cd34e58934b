// tls init: certificates for an engine that is reached over TCP.
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "cli/daemon.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct InitOptions {
  std::vector<std::string> hosts;
  std::string directory;
  std::optional<std::int64_t> days;
  bool new_authority = false;
};

void declare_init(Flags& flags, InitOptions& options) {
  flags.add("host", options.hosts, "A name or address by which clients reach the engine; repeatable");
  flags.add("dir", options.directory, "Where the files are").defaults_to("/etc/berth/tls as root, else ~/.berth/tls");
  flags.add("days", options.days, "How long the certificates hold").defaults_to("365");
  flags.add("new-authority", options.new_authority,
            "Make another authority: no certificate of before holds any longer");
}

std::string default_directory() {
  if (::geteuid() == 0) return "/etc/berth/tls";
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "." : home) + "/.berth/tls";
}

std::string own_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

Result<int> init(Context&, const InitOptions& options, const Words&) {
  constexpr std::int64_t kLongest = 3650;
  std::int64_t days = options.days.value_or(365);
  if (days < 1 || days > kLongest) return fail(ErrorCode::invalid, "--days wants a number from 1 to {}", kLongest);
  Words words{"init", options.directory.empty() ? default_directory() : options.directory, std::to_string(days),
              options.new_authority ? "new" : "keep"};
  Words hosts = options.hosts;
  if (hosts.empty()) hosts = {own_name(), "localhost", "127.0.0.1", "::1"};
  words.insert(words.end(), hosts.begin(), hosts.end());
  return become("berth-tls", words);
}

constexpr Command kTlsInit = command<declare_init, init>({
    .usage = "[OPTIONS]",
    .summary = "Make certificates for reaching the engine over TCP",
    .arity = kNoWords,
    .details =
        "Makes an authority, a certificate for the engine and one for its clients, as PEM files with Docker's names.\n"
        "Again, it keeps the authority and renews both certificates, which a running engine notices.\n"
        "\n"
        "The engine:  berth-engine --host tcp://0.0.0.0:2376 --tlscacert DIR/ca.pem --tlscert DIR/server-cert.pem\n"
        "             --tlskey DIR/server-key.pem\n"
        "A client:    copy ca.pem, cert.pem and key.pem to ~/.docker, then berth -H tcp://HOST:2376 --tlsverify\n"
        "\n"
        "Whoever has key.pem is root on the engine's machine. ca-key.pem is needed only to renew.",
    .examples = "tls init --host build.example.com --host 10.0.0.7\ntls init --days 30 --dir /srv/tls",
});

constexpr CommandEntry kTlsCommands[] = {{"init", &kTlsInit}};

}  // namespace

constexpr Command kTlsFamily{
    .usage = "", .summary = "Manage certificates for TCP", .arity = kAnyWords, .children = kTlsCommands};

}  // namespace berth::cli
