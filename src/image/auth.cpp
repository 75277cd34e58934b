#include "image/auth.h"

#include "base/json.h"
#include "base/text.h"

namespace berth::image {

Result<Credentials> parse_registry_auth(std::string_view header) {
  Credentials credentials;
  if (header.empty()) return credentials;
  auto bad = [] { return fail(ErrorCode::invalid, "invalid X-Registry-Auth header: want base64 of a JSON object"); };
  auto text = base64_decode(header);
  if (!text) return bad();
  auto value = json::parse(*text);
  if (!value || !value->is_object()) return bad();
  credentials.username = json::string_or(*value, "username");
  credentials.password = json::string_or(*value, "password");
  credentials.identity_token = json::string_or(*value, "identitytoken");
  credentials.registry_token = json::string_or(*value, "registrytoken");
  // Old clients send the pair as one: "auth" is base64 of "user:password".
  if (std::string pair = json::string_or(*value, "auth"); credentials.empty() && !pair.empty()) {
    auto plain = base64_decode(pair);
    if (!plain) return bad();
    auto [user, password] = split_once(*plain, ':');
    credentials.username = user;
    credentials.password = password.value_or("");
  }
  return credentials;
}

}  // namespace berth::image
