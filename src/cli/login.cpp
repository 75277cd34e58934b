// login and logout: who one is at a registry, kept where Docker's client keeps it.
#include <termios.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/credentials.h"
#include "cli/docker_config.h"
#include "cli/output.h"
#include "cli/pull.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct LoginOptions {
  std::string user, password;
  bool password_stdin = false;
};

void declare(Flags& flags, LoginOptions& options) {
  flags.add("username,u", options.user, "The user's name");
  flags.add("password,p", options.password, "The password or token; others on this machine can see it there");
  flags.add("password-stdin", options.password_stdin, "Read the password or token from stdin");
}

Result<std::string> read_line_from_stdin() {
  std::string line;
  char c = 0;
  for (ssize_t size; (size = ::read(STDIN_FILENO, &c, 1)) == 1 && c != '\n';) line += c;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// Asks on the terminal; a secret is not echoed.
Result<std::string> ask(std::string_view question, bool secret) {
  if (!is_terminal(STDIN_FILENO))
    return fail(ErrorCode::invalid, "Cannot perform an interactive login from a non TTY device");
  print_error(question);
  termios before{};
  ::tcgetattr(STDIN_FILENO, &before);
  if (secret) {
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  auto line = read_line_from_stdin();
  if (secret) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    print_error("\n");
  }
  return line;
}

Result<int> login(Context& context, const LoginOptions& options, const Words& words) {
  std::string server = words.empty() ? login_key("") : words[0];
  std::string user = options.user, password = options.password;
  if (!password.empty() && !options.password_stdin)
    print_error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
  if (options.password_stdin && !password.empty())
    return fail(ErrorCode::invalid, "--password and --password-stdin are mutually exclusive");
  if (options.password_stdin && user.empty())
    return fail(ErrorCode::invalid, "Must provide --username with --password-stdin");
  if (options.password_stdin) {
    TRY(password, read_line_from_stdin());
  }
  if (user.empty()) {
    TRY(user, ask("Username: ", false));
  }
  if (password.empty()) {
    TRY(password, ask("Password: ", true));
  }
  TRY(auto engine, context.engine());
  TRY(json::Value answer,
      engine.post("/auth", json::Object{{"username", user}, {"password", password}, {"serveraddress", server}}));
  TRY_OK(keep_login(login_key(server), {user, password, json::string_or(answer, "IdentityToken")}));
  std::string status = json::string_or(answer, "Status", "Login Succeeded");
  TRY_OK(print_out(status + "\n"));
  return 0;
}

Result<int> logout(Context&, const NoOptions&, const Words& words) {
  std::string key = login_key(words.empty() ? "" : words[0]);
  TRY(bool was_in, forget_login(key));
  TRY_OK(print_out(fmt::format("{} {}\n", was_in ? "Removing login credentials for" : "Not logged in to", key)));
  return 0;
}

}  // namespace

std::string registry_auth(const std::string& domain) {
  std::string key = login_key(domain);
  auto login = find_login(key);
  if (!login) return "";
  json::Object auth{{"username", login->user}, {"password", login->secret}, {"serveraddress", key}};
  if (!login->identity_token.empty()) auth["identitytoken"] = login->identity_token;
  // The field is in the URL's alphabet of base64.
  std::string text = base64_encode(json::print(auth));
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string all_registry_auths() {
  auto config = read_config();
  const json::Value* auths = config ? config->if_contains("auths") : nullptr;
  if (auths == nullptr || !auths->is_object() || auths->get_object().empty()) return "";
  json::Object logins;
  for (const auto& [registry, entry] : auths->get_object()) {
    auto pair = base64_decode(json::string_or(entry, "auth"));
    if (!pair) continue;
    auto [user, password] = split_once(*pair, ':');
    logins[registry] = json::Object{{"username", user}, {"password", password.value_or("")}};
  }
  return base64_encode(json::print(logins));
}

constexpr Command kLogin = command<declare, login>({
    .usage = "[OPTIONS] [SERVER]",
    .summary = "Log in to a registry",
    .arity = {0, 1},
    .details = "Without SERVER this is Docker Hub. What was accepted is kept in ~/.docker/config.json, as Docker's "
               "client does.",
    .examples = "login registry.example.com:5000\nlogin -u joe --password-stdin registry.example.com:5000 < token",
});

constexpr Command kLogout = command<declare_nothing, logout>({
    .usage = "[SERVER]",
    .summary = "Forget the login of a registry",
    .arity = {0, 1},
    .examples = "logout registry.example.com:5000",
});

}  // namespace berth::cli
