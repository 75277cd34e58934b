// Who we are to a registry.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace berth::image {

struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // an OAuth2 refresh token, instead of a password
  std::string registry_token;  // a bearer token to be used as it is
  bool empty() const { return username.empty() && identity_token.empty() && registry_token.empty(); }
};

// The header X-Registry-Auth: base64 (either alphabet) of {"username", "password", "identitytoken", "registrytoken"}.
// An empty header means nobody.
Result<Credentials> parse_registry_auth(std::string_view header);

}  // namespace berth::image
