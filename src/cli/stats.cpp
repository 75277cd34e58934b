// stats: what containers use, measured over one second.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct StatsOptions : ListOptions {
  bool all = false, no_stream = false;
};

void declare(Flags& flags, StatsOptions& options) {
  flags.add("all,a", options.all, "Stopped ones too");
  flags.add("no-stream", options.no_stream, "Measure once and end");
  add_format_flag(flags, options);
  flags.add("no-trunc", options.no_trunc, "Print everything at full length");
}

using Samples = std::map<std::string, json::Value>;  // by the name that was asked for

const json::Value& member(const json::Value& value, std::string_view key) {
  static const json::Value kNothing = json::Object{};
  const json::Value* found = json::find(value, key);
  return found == nullptr ? kNothing : *found;
}

double number(const json::Value& value, std::string_view key) { return static_cast<double>(json::int_or(value, key)); }

// Memory without the page cache that the kernel can drop, as Docker's client counts it on both kinds of cgroups.
double memory_used(const json::Value& sample) {
  const json::Value& memory = member(sample, "memory_stats");
  const json::Value& details = member(memory, "stats");
  double used = number(memory, "usage");
  for (std::string_view key : {"total_inactive_file", "inactive_file"})
    if (double cache = number(details, key); cache > 0 && cache < used) return used - cache;
  return used;
}

double cpu_percent(const json::Value& before, const json::Value& after) {
  const json::Value &then = member(before, "cpu_stats"), &now = member(after, "cpu_stats");
  double used = number(member(now, "cpu_usage"), "total_usage") - number(member(then, "cpu_usage"), "total_usage");
  double system = number(now, "system_cpu_usage") - number(then, "system_cpu_usage");
  double cpus = number(now, "online_cpus");
  return used > 0 && system > 0 ? used / system * std::max(cpus, 1.0) * 100.0 : 0.0;
}

std::string network_text(const json::Value& sample) {
  double in = 0, out = 0;
  const json::Value& networks = member(sample, "networks");
  if (networks.is_object())
    for (const auto& item : networks.get_object()) {
      in += number(item.value(), "rx_bytes");
      out += number(item.value(), "tx_bytes");
    }
  return fmt::format("{} / {}", short_size(in), short_size(out));
}

std::string disk_text(const json::Value& sample) {
  double in = 0, out = 0;
  const json::Value& list = member(member(sample, "blkio_stats"), "io_service_bytes_recursive");
  if (list.is_array())
    for (const json::Value& item : list.get_array()) {
      std::string op = to_lower(json::string_or(item, "op"));
      if (op == "read") in += number(item, "value");
      if (op == "write") out += number(item, "value");
    }
  return fmt::format("{} / {}", short_size(in), short_size(out));
}

json::Object row_of(const std::string& asked, const json::Value& before, const json::Value& after, bool no_trunc) {
  double used = memory_used(after), limit = number(member(after, "memory_stats"), "limit");
  std::string name = json::string_or(after, "name");
  if (name.starts_with('/')) name.erase(0, 1);
  std::string id = json::string_or(after, "id");
  return {{"ID", id.empty() ? asked : short_id(id, no_trunc)},
          {"Container", asked},
          {"Name", name.empty() ? "--" : name},
          {"CPUPerc", fmt::format("{:.2f}%", cpu_percent(before, after))},
          {"MemUsage", fmt::format("{} / {}", human_size_binary(used), human_size_binary(limit))},
          {"MemPerc", fmt::format("{:.2f}%", limit > 0 ? used / limit * 100.0 : 0.0)},
          {"NetIO", network_text(after)},
          {"BlockIO", disk_text(after)},
          {"PIDs", fmt::format("{}", json::int_or(member(after, "pids_stats"), "current"))}};
}

// The names that were given, or all containers' short ids as they are now.
Result<Words> names_to_measure(const EngineClient& engine, const StatsOptions& options, const Words& words) {
  if (!words.empty()) return words;
  TRY(json::Value containers, engine.get("/containers/json" + query({{"all", options.all ? "1" : ""}})));
  Words names;
  if (containers.is_array())
    for (const json::Value& container : containers.get_array())
      names.push_back(short_id(json::string_or(container, "Id")));
  return names;
}

Result<Samples> measure(const EngineClient& engine, const StatsOptions& options, const Words& words) {
  TRY(Words names, names_to_measure(engine, options, words));
  Samples samples;
  for (const std::string& name : names) {
    auto sample = engine.get(fmt::format("/containers/{}/stats?stream=0&one-shot=1", escape_path(name)));
    // One that was listed and has gone since is no error; one that was asked for is.
    if (!sample && !words.empty()) return std::unexpected(std::move(sample).error());
    if (sample) samples[name] = std::move(*sample);
  }
  return samples;
}

Result<std::string> render(const Samples& before, const Samples& after, const StatsOptions& options) {
  Listing listing("*container.statsContext",
                  "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
                  {{"ID", "CONTAINER ID"},
                   {"Container", "CONTAINER"},
                   {"Name", "NAME"},
                   {"CPUPerc", "CPU %"},
                   {"MemUsage", "MEM USAGE / LIMIT"},
                   {"MemPerc", "MEM %"},
                   {"NetIO", "NET I/O"},
                   {"BlockIO", "BLOCK I/O"},
                   {"PIDs", "PIDS"}});
  for (const auto& [name, sample] : after) {
    auto then = before.find(name);
    listing.add(row_of(name, then == before.end() ? sample : then->second, sample, options.no_trunc));
  }
  return listing.render(options);
}

Result<int> stats(Context& context, const StatsOptions& options, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(Samples before, measure(engine, options, words));
  while (true) {
    timespec second{1, 0};
    ::nanosleep(&second, nullptr);
    TRY(Samples after, measure(engine, options, words));
    TRY(std::string text, render(before, after, options));
    // On a terminal each table replaces the last: home, the lines cleared as they are written, and what is below.
    if (!options.no_stream && is_terminal(STDOUT_FILENO)) {
      std::string screen = "\x1b[H";
      for (const std::string& line : split(text, '\n')) screen += line + "\x1b[K\n";
      text = screen + "\x1b[J";
    }
    TRY_OK(print_out(text));
    if (options.no_stream) return 0;
    before = std::move(after);
  }
}

}  // namespace

constexpr Command kStats = command<declare, stats>({
    .usage = "[OPTIONS] [CONTAINER...]",
    .summary = "Show what containers use, as it changes",
    .arity = kAnyWords,
    .examples = "stats\nstats --no-stream web db",
    .aliases = "container stats, stats",
});

}  // namespace berth::cli
