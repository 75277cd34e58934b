// HTTP requests to registries, by libcurl. Blocking; proxies from the environment (http_proxy, https_proxy, no_proxy),
// but none for loopback.
//
// Thread: one at a time for each client; several clients side by side.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::image {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // sent when the method takes one
  int body_file = -1;                // instead: this descriptor from its start, body_size bytes
  std::uint64_t body_size = 0;
  bool verify_tls = true;
  bool follow = true;  // redirects, never from https to http; Authorization goes to the first host only
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; of the last response
  std::string body;                            // at most 8 MiB; empty when a sink took it
  std::string header(const std::string& name) const {
    auto at = headers.find(name);
    return at == headers.end() ? std::string() : at->second;
  }
};

class HttpClient {
 public:
  // What of the body of a 200 or 206 goes to: status and headers are complete when the first piece comes.
  using BodySink = std::function<Result<void>(const HttpResponse& head, std::string_view piece)>;

  // stop is looked at about once a second and with every piece.
  HttpClient(std::string user_agent, std::shared_ptr<std::atomic<bool>> stop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is a response. Errors of the network carry Go's texts, as Docker's users know them:
  // Get "http://127.0.0.1:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused
  // A sink's own error comes back as it is; a stopped request is `cancelled`.
  Result<HttpResponse> send(const HttpRequest& request, const BodySink& sink = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "https://host:port/path?query": the parts that Berth needs of a URL.
struct Url {
  std::string scheme;
  std::string host;  // without brackets
  std::string port;  // empty when not said
};
Result<Url> parse_url(std::string_view text);
// Only letters, digits and -._~ stay as they are (RFC 3986, section 2.3).
std::string escape_query(std::string_view text);
bool is_loopback_host(std::string_view host);

}  // namespace berth::image
