// The portal as the workspace verbs call it, over its socket at /run/berth/portal.sock or the address in BERTH_PORTAL
// ("unix:///PATH", "http://HOST:PORT").
//
// A refusal becomes one line: the portal's message, and in parentheses what it advises. Thread: one. Every call blocks.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "http/client.h"

namespace berth::cli {

class PortalClient {
 public:
  static Result<PortalClient> open();

  Result<json::Value> call(std::string_view method, const std::string& target, const json::Value& body = nullptr) const;
  // One workspace; not_found when there is none.
  Result<json::Value> find(const std::string& name) const;

 private:
  PortalClient(std::string address, http::Endpoint endpoint)
      : address_(std::move(address)), client_(std::move(endpoint)) {}

  std::string address_;
  http::BlockingClient client_;
};

}  // namespace berth::cli
