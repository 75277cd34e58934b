#include "http/router.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace berth::http {

namespace {

using Segments = std::vector<std::string>;
using Params = std::map<std::string, std::string>;

enum class SegmentKind { literal, one, many };

SegmentKind kind_of(std::string_view segment) {
  if (!segment.starts_with('{') || !segment.ends_with('}')) return SegmentKind::literal;
  return segment.ends_with("...}") ? SegmentKind::many : SegmentKind::one;
}

std::string name_of(std::string_view segment) {
  std::size_t tail = segment.ends_with("...}") ? 4 : 1;
  return std::string(segment.substr(1, segment.size() - 1 - tail));
}

Segments cut(std::string_view path) { return split(path.starts_with('/') ? path.substr(1) : path, '/'); }

bool matches(std::span<const std::string> pattern, std::span<const std::string> path, Params& params) {
  if (pattern.empty()) return path.empty();
  if (path.empty()) return false;
  SegmentKind kind = kind_of(pattern[0]);
  if (kind == SegmentKind::literal)
    return pattern[0] == path[0] && matches(pattern.subspan(1), path.subspan(1), params);
  std::string caught;
  for (std::size_t taken = 1; taken <= path.size(); ++taken) {
    caught += (taken > 1 ? "/" : "") + path[taken - 1];
    if (!caught.empty() && matches(pattern.subspan(1), path.subspan(taken), params)) {
      params[name_of(pattern[0])] = caught;
      return true;
    }
    if (kind == SegmentKind::one) return false;
  }
  return false;
}

// Orders routes so that the first match is the most literal one; of two that agree as far as both go, the longer one.
bool more_literal(const Router::Route& a, const Router::Route& b) {
  auto [left, right] = std::ranges::mismatch(a.segments, b.segments, {}, kind_of, kind_of);
  if (left == a.segments.end() || right == b.segments.end()) return a.segments.size() > b.segments.size();
  return kind_of(*left) < kind_of(*right);
}

// "v1.43" -> "1.43"; nothing when the segment is no version.
std::optional<std::string> version_of(std::string_view segment) {
  if (!segment.starts_with('v')) return {};
  auto [major, minor] = split_once(segment.substr(1), '.');
  if (!minor || !parse_number<unsigned>(major) || !parse_number<unsigned>(*minor)) return {};
  return std::string(segment.substr(1));
}

}  // namespace

void Router::add(std::string method, std::string pattern, Handler handler, RouteOptions options) {
  Segments segments = cut(pattern);
  Route route{std::move(method), std::move(pattern), std::move(segments), std::move(handler), options};
  routes_.insert(std::ranges::upper_bound(routes_, route, more_literal), std::move(route));
}

void Router::set_fallback(Handler handler, RouteOptions options) {
  fallback_ = Route{"*", "*", {}, std::move(handler), options};
}

Result<const Router::Route*> Router::match(Request& request) const {
  Segments segments;
  for (const std::string& segment : cut(request.head.path())) {
    auto decoded = percent_decode(segment);
    if (!decoded) return fail(ErrorCode::invalid, "invalid URL escape in path");
    segments.push_back(*std::move(decoded));
  }
  if (options_.versioned && segments.size() > 1) {
    if (auto version = version_of(segments.front())) {
      request.api_version = *std::move(version);
      segments.erase(segments.begin());
    }
  }
  request.path = "/" + join(segments, "/");
  request.query = Query::parse(request.head.query());
  const Route* of_get = nullptr;
  bool path_known = false;
  for (const Route& route : routes_) {
    Params params;
    if (!matches(route.segments, segments, params)) continue;
    path_known = true;
    bool exact = route.method == request.head.method;
    if (!exact && !(of_get == nullptr && request.head.method == "HEAD" && route.method == "GET")) continue;
    request.params = std::move(params);
    request.route = route.method + " " + route.pattern;
    if (exact) return &route;
    of_get = &route;
  }
  if (of_get != nullptr) return of_get;
  if (fallback_) return &*fallback_;
  if (path_known && options_.method_not_allowed) return fail(ErrorCode::unsupported, "method not allowed");
  return fail(ErrorCode::not_found, "page not found");
}

}  // namespace berth::http
