#include "cli/credentials.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "cli/docker_config.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/unix_socket.h"

namespace berth::cli {

namespace {

// Docker Hub's key in the file is an address of its past.
constexpr std::string_view kHub = "https://index.docker.io/v1/";
// What stands for the user when the secret is an identity token.
constexpr std::string_view kTokenUser = "<token>";
constexpr std::size_t kLongestAnswer = 1 << 20;

std::string helper_for(const json::Object& config, const std::string& key) {
  const json::Value* helpers = config.if_contains("credHelpers");
  std::string own = helpers == nullptr ? "" : json::string_or(*helpers, key);
  return own.empty() ? json::string_or(config, "credsStore") : own;
}

Result<std::string> read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read a credential helper's answer");
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kLongestAnswer) return fail(ErrorCode::exhausted, "a credential helper's answer is too long");
  }
}

// What the program prints; its own message when it ends with another code than 0.
Result<std::string> ask_helper(const std::string& helper, const std::string& verb, const std::string& input) {
  std::string program = "docker-credential-" + helper;
  TRY(auto pair, sys::socket_pair(SOCK_STREAM));
  sys::SpawnOptions child;
  child.argv = {"/usr/bin/env", program, verb};
  child.fds = {{pair.second.get(), STDIN_FILENO}, {pair.second.get(), STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  TRY(sys::Process process, sys::spawn(child));
  pair.second.reset();
  TRY_OK(sys::write_all(pair.first.get(), input));
  ::shutdown(pair.first.get(), SHUT_WR);
  TRY(std::string answer, read_to_end(pair.first.get()));
  TRY(int status, process.wait());
  if (sys::exit_code_of(status) != 0) return fail(ErrorCode::denied, "{}: {}", program, trim(answer));
  return answer;
}

json::Value& auths_of(json::Object& config) {
  json::Value& auths = config["auths"];
  if (!auths.is_object()) auths.emplace_object();
  return auths;
}

std::optional<Login> login_of_entry(const json::Value& entry) {
  Login login{.identity_token = json::string_or(entry, "identitytoken")};
  auto pair = base64_decode(json::string_or(entry, "auth"));
  if (!pair) return {};
  auto [user, secret] = split_once(*pair, ':');
  login.user = user;
  login.secret = secret.value_or("");
  return login;
}

}  // namespace

std::string login_key(const std::string& server) {
  if (server.empty() || server == "docker.io" || server == "index.docker.io" || server == "registry-1.docker.io")
    return std::string(kHub);
  if (server == kHub) return server;
  std::string_view host = server;
  for (std::string_view scheme : {"https://", "http://"})
    if (host.starts_with(scheme)) host.remove_prefix(scheme.size());
  return std::string(host.substr(0, host.find('/')));
}

std::optional<Login> find_login(const std::string& key) {
  auto config = read_config();
  if (!config) return {};
  if (std::string helper = helper_for(*config, key); !helper.empty()) {
    auto answer = ask_helper(helper, "get", key + "\n");
    auto value = answer ? json::parse(*answer) : Result<json::Value>(std::unexpected(answer.error()));
    if (!value) return {};
    std::string user = json::string_or(*value, "Username"), secret = json::string_or(*value, "Secret");
    if (user == kTokenUser) return Login{.identity_token = secret};
    return Login{.user = user, .secret = secret};
  }
  const json::Value* auths = config->if_contains("auths");
  const json::Value* entry = auths == nullptr ? nullptr : json::find(*auths, key);
  if (entry == nullptr) return {};
  return login_of_entry(*entry);
}

Result<void> keep_login(const std::string& key, const Login& login) {
  TRY(json::Object config, read_config());
  if (std::string helper = helper_for(config, key); !helper.empty()) {
    bool token = !login.identity_token.empty();
    json::Object entry{{"ServerURL", key},
                       {"Username", token ? std::string(kTokenUser) : login.user},
                       {"Secret", token ? login.identity_token : login.secret}};
    TRY_OK(ask_helper(helper, "store", json::print(entry)));
    // The file tells only that there is a login.
    auths_of(config).get_object()[key] = json::Object{};
    return write_config(config);
  }
  json::Object entry{{"auth", base64_encode(login.user + ":" + login.secret)}};
  if (!login.identity_token.empty()) entry["identitytoken"] = login.identity_token;
  auths_of(config).get_object()[key] = std::move(entry);
  return write_config(config);
}

Result<bool> forget_login(const std::string& key) {
  TRY(json::Object config, read_config());
  if (!auths_of(config).get_object().contains(key)) return false;
  if (std::string helper = helper_for(config, key); !helper.empty()) TRY_OK(ask_helper(helper, "erase", key + "\n"));
  auths_of(config).get_object().erase(key);
  TRY_OK(write_config(config));
  return true;
}

}  // namespace berth::cli
