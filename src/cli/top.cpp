// top and port: what runs in a container, and where it can be reached.
#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

Result<int> top(Context& context, const NoOptions&, const Words& words) {
  TRY(auto engine, context.engine());
  Words options(words.begin() + 1, words.end());
  TRY(json::Value answer,
      engine.get(fmt::format("/containers/{}/top{}", escape_path(words[0]), query({{"ps_args", join(options, " ")}}))));
  auto line_of = [](const json::Value& cells) {
    std::vector<std::string> texts;
    if (cells.is_array())
      for (const json::Value& cell : cells.get_array()) texts.push_back(print_go(cell));
    return join(texts, "\t") + "\n";
  };
  std::string text;
  if (const json::Value* titles = json::find(answer, "Titles")) text = line_of(*titles);
  if (const json::Value* processes = json::find(answer, "Processes"); processes != nullptr && processes->is_array())
    for (const json::Value& process : processes->get_array()) text += line_of(process);
  TRY_OK(print_out(align_columns(text, {.min_width = 20, .padding = 3})));
  return 0;
}

std::string address_of(const json::Value& binding) {
  std::string ip = json::string_or(binding, "HostIp");
  return fmt::format("{}:{}", ip.contains(':') ? fmt::format("[{}]", ip) : ip, json::string_or(binding, "HostPort"));
}

Result<int> port(Context& context, const NoOptions&, const Words& words) {
  TRY(auto engine, context.engine());
  TRY(json::Value container, engine.get(fmt::format("/containers/{}/json", escape_path(words[0]))));
  const json::Value* settings = json::find(container, "NetworkSettings");
  const json::Value* ports = settings == nullptr ? nullptr : json::find(*settings, "Ports");
  std::string wanted = words.size() > 1 ? words[1] : "";
  std::string key = wanted.empty() || wanted.contains('/') ? wanted : wanted + "/tcp";
  Words lines;
  if (ports != nullptr && ports->is_object()) {
    for (const auto& item : ports->get_object()) {
      std::string_view name = item.key();
      if ((!key.empty() && name != key) || !item.value().is_array()) continue;
      for (const json::Value& binding : item.value().get_array())
        lines.push_back(key.empty() ? fmt::format("{} -> {}", name, address_of(binding)) : address_of(binding));
    }
  }
  if (!wanted.empty() && lines.empty())
    return fail(ErrorCode::not_found, "Error: No public port '{}' published for {}", wanted, words[0]);
  for (const std::string& line : lines) TRY_OK(print_out(line + "\n"));
  return 0;
}

}  // namespace

constexpr Command kTop = command<declare_nothing, top>({
    .usage = "CONTAINER [ps OPTIONS]",
    .summary = "Show the processes of a container",
    .arity = kSomeWords,
    .examples = "top web\ntop web -o pid,rss,cmd",
    .aliases = "container top, top",
    .words_are_foreign = true,
});

constexpr Command kPort = command<declare_nothing, port>({
    .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
    .summary = "Show where a container's ports are published",
    .arity = {1, 2},
    .examples = "port web\nport web 80/tcp",
    .aliases = "container port, port",
});

}  // namespace berth::cli
