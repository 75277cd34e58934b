// Which handler answers which request: method and path pattern.
//
// A pattern is a path of segments: "/containers/{id}/json". {name} catches one segment; {name...} catches one or more,
// slashes and all ("/images/{name...}/json"). A literal segment beats {name}, which beats {name...}. Segments are
// decoded after the path has been cut, so an escaped slash stays inside its segment.
//
// Thread: filled before the server starts, read-only from then on.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace berth::http {

using Handler = std::function<async::Task<Result<void>>(Exchange&)>;

// What happens to a running handler when its client goes away.
enum class OnGone {
  finish,  // it runs to its end: what changes something
  cancel   // it is cancelled: what only waits or streams
};

struct RouteOptions {
  OnGone on_gone = OnGone::finish;
  std::uint64_t body_limit = 4 << 20;  // bytes
};
inline constexpr std::uint64_t kUnlimitedBody = ~std::uint64_t{0};

struct RouterOptions {
  // Accepts "/v1.43" before every path and tells it in Request::api_version.
  bool versioned = false;
  // A known path with an unknown method: 405 with Allow, or Docker's 404 "page not found".
  bool method_not_allowed = false;
};

class Router {
 public:
  explicit Router(RouterOptions options = {}) : options_(options) {}

  void add(std::string method, std::string pattern, Handler handler, RouteOptions options = {});
  // Called for every request that has a route, before its handler and before its body is read; an error is the answer.
  void set_gate(std::function<Result<void>(Exchange&)> gate) { gate_ = std::move(gate); }
  // Answers what no route matches; without it: 404 {"message":"page not found"}.
  void set_fallback(Handler handler, RouteOptions options = {});

  struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    Handler handler;
    RouteOptions options;
  };
  // The route for request.head, with request's path, params, query, api_version and route filled in. not_found,
  // `unsupported` (405) or invalid (a path that cannot be decoded) otherwise. HEAD falls back to GET's route.
  Result<const Route*> match(Request& request) const;
  Result<void> admit(Exchange& exchange) const { return gate_ ? gate_(exchange) : Result<void>(); }
  const std::vector<Route>& routes() const { return routes_; }

 private:
  RouterOptions options_;
  std::vector<Route> routes_;
  std::optional<Route> fallback_;
  std::function<Result<void>(Exchange&)> gate_;
};

}  // namespace berth::http
