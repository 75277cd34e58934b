// Logins at registries, kept where Docker's client keeps them: in config.json, or by the program that "credHelpers"
// (for one registry) or "credsStore" (for all) of that file name: docker-credential-NAME get, store, erase.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"

namespace berth::cli {

struct Login {
  std::string user;
  std::string secret;          // password or access token
  std::string identity_token;  // instead of the two
};

// server as people write it: "registry.example.com:5000", "https://registry.example.com/v2/"; empty is Docker Hub.
std::string login_key(const std::string& server);

// Nothing when there is none, or when the program has none.
std::optional<Login> find_login(const std::string& key);
Result<void> keep_login(const std::string& key, const Login& login);
// Whether there was one.
Result<bool> forget_login(const std::string& key);

}  // namespace berth::cli
