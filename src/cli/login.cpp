// login and logout: who one is at a registry, kept where Docker's client keeps it.
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "cli/output.h"
#include "cli/pull.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

// Docker Hub's key in the file is an address of its past.
constexpr std::string_view kHub = "https://index.docker.io/v1/";

std::string config_directory() {
  if (const char* directory = std::getenv("DOCKER_CONFIG"); directory != nullptr && *directory != '\0')
    return directory;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/root" : home) + "/.docker";
}

std::string key_of(const std::string& server) {
  if (server.empty() || server == "docker.io" || server == "index.docker.io" || server == "registry-1.docker.io")
    return std::string(kHub);
  std::string_view host = server;
  for (std::string_view scheme : {"https://", "http://"})
    if (host.starts_with(scheme)) host.remove_prefix(scheme.size());
  return std::string(host.substr(0, host.find('/')));
}

Result<json::Object> read_config() {
  std::string path = config_directory() + "/config.json";
  if (!sys::exists(path)) return json::Object{};
  TRY(std::string text, sys::read_file(path));
  TRY(json::Value value, annotate(json::parse(text), "read {}", path));
  if (!value.is_object()) return fail(ErrorCode::invalid, "{} is not a JSON object", path);
  return value.get_object();
}

Result<void> write_config(const json::Object& config) {
  TRY_OK(sys::ensure_directories(config_directory(), 0700));
  return sys::replace_file(config_directory() + "/config.json", pretty_json(config) + "\n", 0600);
}

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
  std::string server = words.empty() ? std::string(kHub) : words[0];
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
  TRY(json::Object config, read_config());
  json::Value& auths = config["auths"];
  if (!auths.is_object()) auths.emplace_object();
  json::Object entry{{"auth", base64_encode(user + ":" + password)}};
  if (std::string token = json::string_or(answer, "IdentityToken"); !token.empty()) entry["identitytoken"] = token;
  auths.get_object()[key_of(server)] = entry;
  TRY_OK(write_config(config));
  std::string status = json::string_or(answer, "Status", "Login Succeeded");
  TRY_OK(print_out(status + "\n"));
  return 0;
}

Result<int> logout(Context&, const NoOptions&, const Words& words) {
  std::string key = key_of(words.empty() ? "" : words[0]);
  TRY(json::Object config, read_config());
  const json::Value* auths = config.if_contains("auths");
  if (auths == nullptr || !auths->is_object() || !auths->get_object().contains(key)) {
    TRY_OK(print_out(fmt::format("Not logged in to {}\n", key)));
    return 0;
  }
  config["auths"].get_object().erase(key);
  TRY_OK(write_config(config));
  TRY_OK(print_out(fmt::format("Removing login credentials for {}\n", key)));
  return 0;
}

}  // namespace

std::string registry_auth(const std::string& domain) {
  auto config = read_config();
  if (!config) return "";
  const json::Value* auths = config->if_contains("auths");
  std::string key = key_of(domain);
  const json::Value* entry = auths == nullptr ? nullptr : json::find(*auths, key);
  if (entry == nullptr) return "";
  auto pair = base64_decode(json::string_or(*entry, "auth"));
  if (!pair) return "";
  auto [user, password] = split_once(*pair, ':');
  json::Object auth{{"username", user}, {"password", password.value_or("")}, {"serveraddress", key}};
  if (std::string token = json::string_or(*entry, "identitytoken"); !token.empty()) auth["identitytoken"] = token;
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
