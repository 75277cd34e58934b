#include "cli/command.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "cli/output.h"

namespace berth::cli {

namespace {

struct GroupTitle {
  Group group;
  std::string_view title;
};
constexpr GroupTitle kGroupTitles[] = {
    {Group::common, "Common Commands"}, {Group::workspaces, "Workspaces"}, {Group::management, "Management Commands"},
    {Group::containers, "Containers"},  {Group::images, "Images"},         {Group::system, "System"}};

struct GlobalOptions {
  std::vector<std::string> hosts;
  std::string context;
  TlsFlags tls;
  bool tls_verify = false;
  bool version = false;
  bool debug = false;
  std::string log_level, config;
};

void declare_global(Flags& flags, GlobalOptions& options) {
  flags.add("host,H", options.hosts, "The engine's address: unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST");
  flags.add("context,c", options.context, "The engine of this context; 'context ls' lists them");
  flags.add("tls", options.tls.wanted, "TLS to tcp://; the same as --tlsverify, since the server is always verified");
  flags.add("tlsverify", options.tls_verify, "TLS to tcp://, with a certificate on both sides");
  flags.add("tlscacert", options.tls.authority, "The authority that signed the server's certificate");
  flags.add("tlscert", options.tls.certificate, "The certificate to show");
  flags.add("tlskey", options.tls.key, "Its key");
  flags.add("version,v", options.version, "Print the version and quit");
  flags.add("debug,D", options.debug, "Accepted for Docker's sake; the client logs nothing");
  flags.add("log-level,l", options.log_level, "Accepted for Docker's sake; the client logs nothing");
  flags.add("config", options.config, "The directory of logins, contexts and certificates (~/.docker)");
  flags.stop_at_first_word();
}

void apply_global(const GlobalOptions& options, Context& context) {
  if (!options.hosts.empty()) context.way_flags.host = options.hosts.front();
  context.way_flags.context = options.context;
  context.way_flags.tls = options.tls;
  context.way_flags.tls.wanted = options.tls.wanted || options.tls_verify;
  if (!options.config.empty()) ::setenv("DOCKER_CONFIG", options.config.c_str(), 1);
}

const CommandEntry* find_entry(std::span<const CommandEntry> entries, std::string_view name) {
  auto found = std::ranges::find(entries, name, &CommandEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

std::string list_entries(std::span<const CommandEntry> entries, std::optional<Group> group) {
  std::string text;
  for (const CommandEntry& entry : entries)
    if (group ? entry.group == *group : entry.group != Group::hidden)
      text += fmt::format("  {:<11} {}\n", entry.name, entry.command->summary);
  return text;
}

void print_top_help(const Context& context, const Flags& flags) {
  std::string text = fmt::format("Usage:  {} [OPTIONS] COMMAND\n\n{}\n", context.program,
                                 "Workspaces on shared servers, and the containers beneath them");
  for (const GroupTitle& title : kGroupTitles)
    if (std::string lines = list_entries(top_commands(), title.group); !lines.empty())
      text += fmt::format("\n{}:\n{}", title.title, lines);
  text += fmt::format("\nGlobal Options:\n{}\nRun '{} COMMAND --help' for more information on a command.\n",
                      flags.describe(), context.program);
  (void)print_out(text);
}

void print_group_help(const Context& context, const Command& command, const Flags& flags) {
  std::string options = flags.describe();
  if (!options.empty()) options = fmt::format("\nOptions:\n{}", options);
  (void)print_out(
      fmt::format("Usage:  {} {}COMMAND\n\n{}\n{}\nCommands:\n{}\nRun '{} COMMAND --help' for more information on "
                  "a command.\n",
                  context.path, options.empty() ? "" : "[OPTIONS] ", command.summary, options,
                  list_entries(command.children, {}), context.path));
}

int unknown_command(const Context& context, std::string_view name, bool top) {
  std::string usage = top ? "" : fmt::format("Usage:  {}\n\n", context.path);
  print_error(fmt::format("{}: unknown command: {} {}\n\n{}Run '{} --help' for more information\n", context.program,
                          context.path, name, usage, context.path));
  return 1;
}

// "[OPTIONS] A\n[OPTIONS] B" is two lines, each with the name before it.
std::string usage_lines(const Context& context, const Command& command) {
  std::string text = "Usage:  ";
  for (const std::string& line : split(command.usage, '\n')) {
    if (text.back() == '\n') text += '\t';
    text += fmt::format("{}{}{}\n", context.path, line.empty() ? "" : " ", line);
  }
  return text;
}

int run_entry(Context& context, const CommandEntry& entry, std::span<const std::string> arguments);

int run_family(Context& context, const Command& command, std::span<const std::string> arguments) {
  Flags flags;
  if (command.family_flags != nullptr) command.family_flags(flags, context);
  flags.stop_at_first_word();
  auto words = flags.parse(arguments);
  if (!words) return report_flag_error(context, command, words.error());
  if (words->empty() || flags.help_wanted()) {
    print_group_help(context, command, flags);
    return 0;
  }
  const CommandEntry* child = find_entry(command.children, words->front());
  if (child == nullptr) return unknown_command(context, words->front(), false);
  return run_entry(context, *child, std::span(*words).subspan(1));
}

int run_entry(Context& context, const CommandEntry& entry, std::span<const std::string> arguments) {
  const Command& command = *entry.command;
  context.path.append(" ").append(entry.name);
  if (!command.children.empty()) return run_family(context, command, arguments);
  auto code = command.run(context, command, arguments);
  if (code) return *code;
  print_error(code.error().text() + "\n");
  return 1;
}

}  // namespace

Result<EngineClient> Context::engine() const {
  TRY(Way found, way());
  return EngineClient(std::move(found), as_docker);
}

int report_flag_error(const Context& context, const Command& command, const Error& error) {
  print_error(fmt::format("{}\n\n{}\nRun '{} --help' for more information\n", error.text(),
                          usage_lines(context, command), context.path));
  return kExitFailed;
}

int report_arity(const Context& context, const Command& command) {
  auto [least, most] = command.arity;
  auto plural = [](std::size_t n) { return n == 1 ? "argument" : "arguments"; };
  std::string wanted;
  if (most == 0)
    wanted = "accepts no arguments";
  else if (least == most)
    wanted = fmt::format("requires {} {}", least, plural(least));
  else if (most == kManyWords)
    wanted = fmt::format("requires at least {} {}", least, plural(least));
  else if (least == 0)
    wanted = fmt::format("requires at most {} {}", most, plural(most));
  else
    wanted = fmt::format("requires at least {} and at most {} arguments", least, most);
  // Docker's client says "See" in this one case, and scripts compare.
  bool at_least = most == kManyWords;
  print_error(fmt::format("{}: '{}' {}\n\n{}\n{} '{} --help' for more information\n", context.program, context.path,
                          wanted, usage_lines(context, command), at_least ? "See" : "Run", context.path));
  return 1;
}

void print_help(const Context& context, const Command& command, const Flags& flags) {
  std::string text = fmt::format("{}\n{}\n", usage_lines(context, command), command.summary);
  if (!command.details.empty()) text += fmt::format("\n{}\n", command.details);
  if (!command.aliases.empty()) {
    Words names;
    for (const std::string& name : split(command.aliases, ','))
      names.push_back(fmt::format("{} {}", context.program, trim(name)));
    text += fmt::format("\nAliases:\n  {}\n", join(names, ", "));
  }
  if (std::string options = flags.describe(); !options.empty()) text += fmt::format("\nOptions:\n{}", options);
  if (!command.examples.empty()) {
    text += "\nExamples:\n";
    for (const std::string& line : split(command.examples, '\n'))
      text += fmt::format("  {} {}\n", context.program, line);
  }
  (void)print_out(text);
}

int run_command_line(Context& context, std::span<const std::string> arguments) {
  GlobalOptions options;
  Flags flags;
  declare_global(flags, options);
  context.path = context.program;
  static constexpr Command kTop{.usage = "[OPTIONS] COMMAND [ARG...]", .summary = "", .arity = kAnyWords};
  auto words = flags.parse(arguments);
  if (!words) return report_flag_error(context, kTop, words.error());
  if (options.hosts.size() > 1) {
    print_error(fmt::format("{}Specify only one -H\n",
                            context.as_docker ? "Failed to initialize: unable to resolve docker endpoint: " : ""));
    return 1;
  }
  apply_global(options, context);
  if (options.version) {
    (void)print_out(fmt::format("{} version {}\n", context.as_docker ? "Docker" : "berth", context.version));
    return 0;
  }
  if (flags.help_wanted() || words->empty() || (words->size() == 1 && words->front() == "help")) {
    print_top_help(context, flags);
    return 0;
  }
  if (words->front() == "help") {  // "help run" is "run --help"
    words->erase(words->begin());
    words->push_back("--help");
  }
  const CommandEntry* entry = find_entry(top_commands(), words->front());
  if (entry == nullptr) return unknown_command(context, words->front(), true);
  return run_entry(context, *entry, std::span(*words).subspan(1));
}

Result<int> for_each_name(const Words& names, const std::function<Result<std::string>(const std::string&)>& act) {
  int code = 0;
  for (const std::string& name : names) {
    if (auto text = act(name)) {
      if (!text->empty()) TRY_OK(print_out(*text + "\n"));
    } else {
      print_error(text.error().text() + "\n");
      code = 1;
    }
  }
  return code;
}

}  // namespace berth::cli
