// The Docker Engine API as the verbs call it: one request after another to the daemon at a host address, its JSON
// answers decoded, its refusals as errors in Docker's words ("Error response from daemon: No such container: web").
//
// The codes of the errors follow the HTTP status (404 not_found, 409 conflict, ...), so a verb can tell them apart.
// Requests carry no version prefix, which every daemon answers by its newest, unless DOCKER_API_VERSION asks for one.
//
// Thread: one. Every call blocks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "cli/way.h"
#include "http/client.h"

namespace berth::cli {

class EngineClient {
 public:
  // as_docker chooses whose words say that nobody answers.
  EngineClient(Way way, bool as_docker);

  Result<json::Value> get(std::string_view target) const { return call("GET", target); }
  Result<json::Value> post(std::string_view target, const json::Value& body = nullptr) const {
    return call("POST", target, body);
  }
  Result<json::Value> remove(std::string_view target) const { return call("DELETE", target); }
  // A body of null sends none; an empty or textual answer is null. 304 is a success.
  Result<json::Value> call(std::string_view method, std::string_view target, const json::Value& body = nullptr) const;

  // For answers that stream, and for attach and exec, whose connection is then taken over.
  Result<http::BlockingResponse> open_stream(http::ClientRequest request) const;
  Result<http::BlockingResponse> upload(http::ClientRequest request, const http::BodySource& body) const;
  Result<http::TakenConnection> hijack(std::string_view target, const json::Value& body = nullptr) const;

  const std::string& host() const { return host_; }

 private:
  Result<http::BlockingResponse> checked(Result<http::BlockingResponse> response) const;
  Error unreachable(const Error& error) const;
  std::string full_target(std::string_view target) const { return prefix_ + std::string(target); }

  std::string host_;
  http::BlockingClient client_;
  bool as_docker_;
  std::string prefix_;  // "/v1.41" or empty
};

// A container's or image's name in a path: what may stand there stays, slashes and colons included.
std::string escape_path(std::string_view name);

// "?a=1&b=2" from pairs, leaving out those whose value is empty.
std::string query(std::initializer_list<std::pair<std::string_view, std::string>> pairs);

// {"status":["running"],"label":["a=b"]} from "status=running", "label=a=b"; empty when there are none.
std::string encode_filters(const std::vector<std::string>& filters);

// The JSON values of a streamed answer, one a line, as they come; ends with the answer or when take fails.
Result<void> read_json_lines(http::BlockingResponse& response,
                             const std::function<Result<void>(const json::Value&)>& take);

}  // namespace berth::cli
