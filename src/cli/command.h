// What a verb is: its words for --help, its flags, its function; and the surroundings that it is given.
//
// A verb lives in a file of its own (run.cpp, ps.cpp) and is a constant of type Command, made by command<declare, run>:
// declare binds the flags to an options struct, run does the work and answers the exit code. An error that run returns
// is printed as one line and ends with 1. commands.cpp has the table of all verbs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/engine_client.h"
#include "cli/flags.h"
#include "cli/project_flags.h"
#include "cli/way.h"

namespace berth::cli {

using Words = std::vector<std::string>;

// The name that the command was called by and what the flags before the verb say. One per process, made by main.
class Context {
 public:
  Context(bool docker, std::string_view version_)
      : program(docker ? "docker" : "berth"), version(version_), as_docker(docker) {}

  const std::string program;  // "berth" or "docker"
  const std::string version;
  const bool as_docker;                            // Docker's name wants Docker's words where Berth has better ones
  WayFlags way_flags;                              // what the flags before the verb say
  std::string path;                                // "berth container ls", as typed
  ProjectFlags project;                            // between `compose` and its verb
  std::vector<std::string>* completing = nullptr;  // set: a verb tells its flags here and does nothing else

  Result<Way> way() const { return find_way(way_flags, as_docker); }
  Result<EngineClient> engine() const;
};

// How many words a verb takes.
struct Arity {
  std::size_t least = 0;
  std::size_t most = 0;
};
constexpr std::size_t kManyWords = 1 << 20;
constexpr Arity kNoWords{0, 0};
constexpr Arity kOneWord{1, 1};
constexpr Arity kTwoWords{2, 2};
constexpr Arity kSomeWords{1, kManyWords};
constexpr Arity kAnyWords{0, kManyWords};

struct CommandEntry;

struct Command {
  std::string_view usage;    // after the name: "[OPTIONS] IMAGE [COMMAND] [ARG...]"
  std::string_view summary;  // one line
  Arity arity;
  std::string_view details = {};   // more lines of --help
  std::string_view examples = {};  // whole lines, without the program's name; "run --rm debian true"
  std::string_view aliases = {};   // "container ls, ps"
  std::span<const CommandEntry> children = {};
  void (*family_flags)(Flags&, Context&) = nullptr;  // what a family takes before its verb
  bool words_are_foreign = false;  // the words after the first belong to another program: no flags are read there
  Result<int> (*run)(Context&, const Command&, std::span<const std::string>) = nullptr;
};

// Help is grouped; a hidden entry is a second name.
enum class Group { common, workspaces, management, containers, images, system, hidden };

struct CommandEntry {
  std::string_view name;
  const Command* command;
  Group group = Group::common;
};

std::span<const CommandEntry> top_commands();

// Runs what the arguments (without argv[0]) say; the exit code of the process.
int run_command_line(Context& context, std::span<const std::string> arguments);

// Exit codes of Docker's client: the daemon or the flags failed, the command cannot be run, it was not found.
constexpr int kExitFailed = 125;
constexpr int kExitCannotRun = 126;
constexpr int kExitNotFound = 127;

// Prints the error of flags or words, with the usage; answers the exit code.
int report_flag_error(const Context& context, const Command& command, const Error& error);
int report_arity(const Context& context, const Command& command);
void print_help(const Context& context, const Command& command, const Flags& flags);

namespace detail {

template <class Options>
Options options_of(void (*)(Flags&, Options&));

template <auto kDeclare, auto kRun>
Result<int> run_verb(Context& context, const Command& command, std::span<const std::string> arguments) {
  decltype(options_of(kDeclare)) options{};
  Flags flags;
  kDeclare(flags, options);
  if (context.completing != nullptr) {
    *context.completing = flags.names();
    return 0;
  }
  if (command.words_are_foreign) flags.stop_at_first_word();
  auto words = flags.parse(arguments);
  if (!words) return report_flag_error(context, command, words.error());
  if (flags.help_wanted()) {
    print_help(context, command, flags);
    return 0;
  }
  if (words->size() < command.arity.least || words->size() > command.arity.most) return report_arity(context, command);
  return kRun(context, options, *words);
}

}  // namespace detail

// constexpr Command kPs = command<declare, list_containers>({.usage = "[OPTIONS]", ...});
template <auto kDeclare, auto kRun>
constexpr Command command(Command words) {
  words.run = detail::run_verb<kDeclare, kRun>;
  return words;
}

struct NoOptions {};
inline void declare_nothing(Flags&, NoOptions&) {}

// Does one thing to each name: prints the name (or what act answers) when it went well, the error when not, and goes
// on; 1 when any failed.
Result<int> for_each_name(const Words& names, const std::function<Result<std::string>(const std::string&)>& act);

}  // namespace berth::cli
