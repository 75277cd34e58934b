// compose logs and events: what the containers have written, and what happens to them.
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/compose_follow.h"
#include "cli/compose_tasks.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "compose/container_request.h"

namespace berth::cli {

namespace {

struct LogsOptions {
  bool follow = false, timestamps = false, no_prefix = false, no_colour = false;
  std::string since, until, tail = "all";
  std::optional<std::int64_t> index;
};

void declare_logs(Flags& flags, LogsOptions& options) {
  flags.add("follow,f", options.follow, "Go on as more is written");
  flags.add("timestamps,t", options.timestamps, "Begin each line with its time");
  flags.add("no-log-prefix", options.no_prefix, "Don't print the names before the lines");
  flags.add("no-color", options.no_colour, "No colours");
  flags.add("since", options.since, "Only what was written after this: a time, or an age such as 42m");
  flags.add("until", options.until, "Only what was written before this: a time, or an age such as 42m");
  flags.add("tail,n", options.tail, "Only so many lines from the end of each").defaults_to("\"all\"");
  flags.add("index", options.index, "Which of the service's containers");
}

Result<int> logs(Context& context, const LogsOptions& options, const Words& services) {
  TRY(std::string since, point_in_time(options.since, "since"));
  TRY(std::string until, point_in_time(options.until, "until"));
  TRY(auto named, open_named(context));
  TRY(auto containers, list_containers(named.engine, named.name, OneOff::without));
  TRY_OK(check_services(named, containers, services));
  std::erase_if(containers, [&](const ComposeContainer& container) {
    bool wanted = services.empty() || std::ranges::find(services, container.service) != services.end();
    return !wanted || (options.index && container.number != *options.index);
  });
  Words names;
  for (const ComposeContainer& container : containers) names.push_back(container.short_name(named.name));
  bool colour = !options.no_colour && context.project.ansi != "never" &&
                (is_terminal(STDOUT_FILENO) || context.project.ansi == "always");
  LinePrinter printer(names, {.colour = colour, .prefix = !options.no_prefix});
  LogRequest request{options.follow, options.timestamps, since, until, options.tail};
  auto print = [&](const ComposeContainer& container) {
    return print_log(named.engine, container, container.short_name(named.name), request, printer);
  };
  if (options.follow) {
    TRY_OK(for_each_together(containers, print));
    return 0;
  }
  for (const ComposeContainer& container : containers) TRY_OK(print(container));
  return 0;
}

struct EventsOptions {
  bool json = false;
  std::string since, until;
};

void declare_events(Flags& flags, EventsOptions& options) {
  flags.add("json", options.json, "One JSON object a line");
  flags.add("since", options.since, "Begin with those after this: a time, or an age such as 10m");
  flags.add("until", options.until, "End at this: a time, or an age such as 10m");
}

Result<void> print_event(const json::Value& event, bool as_json) {
  const json::Value* actor = json::find(event, "Actor");
  const json::Value* found = actor == nullptr ? nullptr : json::find(*actor, "Attributes");
  if (found == nullptr) return {};
  json::Object attributes;
  for (const auto& item : found->get_object())
    if (!item.key().starts_with("com.docker.compose.")) attributes[item.key()] = item.value();
  std::string id = json::string_or(*actor, "ID"), action = json::string_or(event, "Action");
  Time time{json::int_or(event, "timeNano")};
  if (as_json)
    return print_out(json::print(json::Object{{"time", format_rfc3339(time)},
                                              {"type", "container"},
                                              {"action", action},
                                              {"id", id},
                                              {"service", json::string_or(*found, compose::kServiceLabel)},
                                              {"attributes", std::move(attributes)}}) +
                     "\n");
  Words pairs;
  for (const auto& item : attributes)
    pairs.push_back(fmt::format("{}={}", std::string_view(item.key()), print_go(item.value())));
  std::ranges::sort(pairs);
  return print_out(fmt::format("{} container {} {} ({})\n", format_rfc3339_fixed(time), action, id, join(pairs, ", ")));
}

Result<int> events(Context& context, const EventsOptions& options, const Words& services) {
  TRY(std::string since, point_in_time(options.since, ""));
  TRY(std::string until, point_in_time(options.until, ""));
  TRY(auto named, open_named(context));
  Words filters{"type=container", fmt::format("label={}={}", compose::kProjectLabel, named.name)};
  http::ClientRequest request;
  request.target = "/events" + query({{"since", since}, {"until", until}, {"filters", encode_filters(filters)}});
  TRY(auto response, named.engine.open_stream(std::move(request)));
  TRY_OK(read_json_lines(response, [&](const json::Value& event) -> Result<void> {
    const json::Value* actor = json::find(event, "Actor");
    const json::Value* attributes = actor == nullptr ? nullptr : json::find(*actor, "Attributes");
    std::string service = attributes == nullptr ? "" : json::string_or(*attributes, compose::kServiceLabel);
    if (!services.empty() && std::ranges::find(services, service) == services.end()) return {};
    return print_event(event, options.json);
  }));
  return 0;
}

}  // namespace

constexpr Command kComposeLogs = command<declare_logs, logs>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Show what the containers have written",
    .arity = kAnyWords,
    .examples = "compose logs -f\ncompose logs --tail 20 -t web",
});

constexpr Command kComposeEvents = command<declare_events, events>({
    .usage = "[OPTIONS] [SERVICE...]",
    .summary = "Show what happens to the containers, as it happens",
    .arity = kAnyWords,
    .examples = "compose events --json",
});

}  // namespace berth::cli
