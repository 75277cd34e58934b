// GET /events.
#include <algorithm>

#include "base/text.h"
#include "docker/api.h"
#include "docker/filters.h"
#include "docker/policy.h"

namespace berth::docker {

namespace {

using async::Task;
using engine::EventRecord;
using http::Exchange;

constexpr std::initializer_list<std::string_view> kEventFilters = {"config", "container", "daemon", "event",  "image",
                                                                   "label",  "network",   "node",   "plugin", "scope",
                                                                   "secret", "service",   "type",   "volume"};

struct EventQuery {
  Filters filters;
  Time since{INT64_MAX};
  Time until{INT64_MAX};
  Access access = Access::full;
};

// Seconds since the epoch with an optional fraction, RFC 3339, or a duration before now ("10m").
Result<Time> parse_event_time(const std::string& text, Time fallback) {
  if (text.empty()) return fallback;
  return parse_moment(text);
}

Result<EventQuery> decode_query(const Exchange& exchange) {
  const http::Query& query = exchange.request.query;
  EventQuery wanted;
  TRY(wanted.filters, Filters::parse(query.get("filters"), kEventFilters));
  TRY(wanted.since, parse_event_time(query.get("since"), wanted.since));
  TRY(wanted.until, parse_event_time(query.get("until"), wanted.until));
  if (!query.truth("stream", true)) wanted.until = std::min(wanted.until, now());
  wanted.access = access_of(exchange);
  return wanted;
}

std::string attribute(const EventRecord& event, const std::string& key) {
  auto found = event.attributes.find(key);
  return found == event.attributes.end() ? "" : found->second;
}

// "container": by id, beginning of an id, or name.
bool matches_object(const Filters& filters, const EventRecord& event, const std::string& type) {
  if (!filters.has(type)) return true;
  if (event.type != type) return type == "image" && filters.exact(type, attribute(event, "image"));
  return std::ranges::any_of(filters.all(type), [&](const std::string& wanted) {
    return wanted == attribute(event, "name") || event.id.starts_with(wanted) ||
           (type == "image" && attribute(event, "name").starts_with(wanted + ":"));
  });
}

bool matches(const EventQuery& query, const EventRecord& event) {
  const Filters& filters = query.filters;
  if (query.access == Access::portal && event.type != "container") return false;
  std::string action = event.action.substr(0, event.action.find(':'));
  bool plain = filters.exact("type", event.type) &&
               (filters.exact("event", event.action) || filters.exact("event", action)) &&
               filters.labels(event.attributes) && filters.exact("scope", "local");
  return plain && matches_object(filters, event, "container") && matches_object(filters, event, "image") &&
         matches_object(filters, event, "network") && matches_object(filters, event, "volume");
}

json::Value print_event(const EventRecord& event) {
  json::Object shown;
  if (event.type == "container" || event.type == "image") {
    shown["status"] = event.action;
    shown["id"] = event.id;
    if (auto image = attribute(event, "image"); !image.empty()) shown["from"] = image;
  }
  shown["Type"] = event.type;
  shown["Action"] = event.action;
  shown["Actor"] = json::Object{{"ID", event.id}, {"Attributes", json::encode(event.attributes)}};
  shown["scope"] = "local";
  shown["time"] = event.time.nanoseconds / 1'000'000'000;
  shown["timeNano"] = event.time.nanoseconds;
  return shown;
}

// The portal hears of its own containers only; one that is gone by now is told by what it was when it was looked up.
bool visible(Api& api, const EventQuery& query, const EventRecord& event) {
  if (query.access == Access::full) return true;
  auto container = api.engine.find(event.id);
  return container && sees(query.access, **container);
}

Task<> pump(Api& api, Exchange& exchange, const EventQuery& query,
            std::shared_ptr<engine::EventBus::Subscription> subscription, async::Event& ended) {
  while (auto event = co_await subscription->next()) {
    if (event->time > query.until) break;
    if (!matches(query, *event) || !visible(api, query, *event)) continue;
    std::string line = json::print(print_event(*event)) + "\n";
    if (auto written = co_await exchange.write(line); !written) break;
  }
  ended.set();
}

Task<Result<void>> events(Api& api, Exchange& exchange) {
  CO_TRY(EventQuery query, decode_query(exchange));
  // Subscribed before the head goes out: a client that has seen the head misses nothing.
  auto subscription = api.engine.events().subscribe(query.since);
  CO_TRY_OK(co_await exchange.start_stream(200, "application/json"));
  if (query.until <= now()) {
    for (const EventRecord& event : api.engine.events().history()) {
      if (event.time < query.since || event.time > query.until) continue;
      if (!matches(query, event) || !visible(api, query, event)) continue;
      std::string line = json::print(print_event(event)) + "\n";
      CO_TRY_OK(co_await exchange.write(line));
    }
    co_return Result<void>();
  }
  async::Event ended(api.loop());
  async::TaskGroup pumping(api.loop());
  pumping.spawn("events", pump(api, exchange, query, subscription, ended));
  constexpr std::chrono::hours kLongest{24 * 365};
  auto left = std::chrono::nanoseconds(query.until.nanoseconds - now().nanoseconds);
  co_await ended.wait_for(std::min<std::chrono::nanoseconds>(left, kLongest));
  pumping.cancel();
  co_await pumping.join();
  co_return Result<void>();
}

}  // namespace

void add_event_routes(http::Router& router, Api& api) {
  add_route(router, api, "GET /events", events, {.on_gone = http::OnGone::cancel});
}

}  // namespace berth::docker
