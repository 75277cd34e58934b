// completion: scripts that let shells complete this command, and __complete, which the scripts ask: it gets the words
// up to the cursor and prints what the last one may become, one a line.
#include <algorithm>

#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

constexpr std::string_view kBash = R"sh(# bash completion for @; source it, or keep it as /etc/bash_completion.d/@
_@() {
  local IFS=$'\n' word="${COMP_WORDS[COMP_CWORD]}" line="${COMP_LINE:0:COMP_POINT}" words
  # Words are cut at blanks alone: bash would cut image:tag in two.
  IFS=' ' read -ra words <<<"$line"
  [[ "$line" == *' ' ]] && words+=("")
  COMPREPLY=($(compgen -W "$(@ __complete "${words[@]:1}" 2>/dev/null)" -- "${words[-1]}"))
  declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "${words[-1]}"
}
complete -o default -F _@ @
)sh";

constexpr std::string_view kZsh = R"sh(#compdef @
# zsh completion for @; keep it as _@ in a directory of $fpath, or source it
_@() {
  local -a found
  found=("${(@f)$(@ __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef _@ @
)sh";

constexpr std::string_view kFish = R"sh(# fish completion for @; keep it as ~/.config/fish/completions/@.fish
complete -c @ -f -a '(@ __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
)sh";

// '@' stands for the program, except where a shell's own word has one: [@] and (@).
std::string script_for(std::string_view script, const std::string& program) {
  std::string text;
  for (std::size_t i = 0; i < script.size(); ++i) {
    char before = i == 0 ? '\n' : script[i - 1];
    bool own = before == '[' || (before == '(' && script.substr(i + 1, 1) != " ");
    if (script[i] == '@' && !own)
      text += program;
    else
      text += script[i];
  }
  return text;
}

template <const std::string_view* kScript>
Result<int> print_script(Context& context, const NoOptions&, const Words&) {
  TRY_OK(print_out(script_for(*kScript, context.program)));
  return 0;
}

constexpr Command completion(std::string_view summary, std::string_view example,
                             Result<int> (*run)(Context&, const Command&, std::span<const std::string>)) {
  return {.usage = "", .summary = summary, .arity = kNoWords, .examples = example, .run = run};
}

constexpr Command kBashCommand =
    completion("Print the script for bash", "completion bash > /etc/bash_completion.d/berth",
               detail::run_verb<declare_nothing, print_script<&kBash>>);
constexpr Command kZshCommand = completion("Print the script for zsh", "completion zsh > ~/.zsh/completions/_berth",
                                           detail::run_verb<declare_nothing, print_script<&kZsh>>);
constexpr Command kFishCommand =
    completion("Print the script for fish", "completion fish > ~/.config/fish/completions/berth.fish",
               detail::run_verb<declare_nothing, print_script<&kFish>>);

constexpr CommandEntry kShells[] = {{"bash", &kBashCommand}, {"fish", &kFishCommand}, {"zsh", &kZshCommand}};

const CommandEntry* find_entry(std::span<const CommandEntry> entries, std::string_view name) {
  auto found = std::ranges::find(entries, name, &CommandEntry::name);
  return found == entries.end() ? nullptr : &*found;
}

// What the engine has that a word of the verb may name.
struct Named {
  std::string_view word;  // in the verb's usage
  std::string_view path;
  std::string_view list;  // member of the answer that holds the objects; empty: the answer itself
  std::string_view name;  // member of an object: a string or a list of them
};
constexpr Named kNamed[] = {{"CONTAINER", "/containers/json?all=1", "", "Names"},
                            {"IMAGE", "/images/json", "", "RepoTags"},
                            {"NETWORK", "/networks", "", "Name"},
                            {"VOLUME", "/volumes", "Volumes", "Name"}};

void add_names(const Context& context, const Named& named, Words& found) {
  auto engine = context.engine();
  if (!engine) return;
  auto answer = engine->get(named.path);
  if (!answer) return;
  const json::Value* list = named.list.empty() ? &*answer : json::find(*answer, named.list);
  if (list == nullptr || !list->is_array()) return;
  auto add = [&found](const json::Value& value) {
    std::string name = print_go(value);
    found.push_back(name.starts_with('/') ? name.substr(1) : name);
  };
  for (const json::Value& object : list->get_array()) {
    const json::Value* name = json::find(object, named.name);
    if (name == nullptr) continue;
    if (!name->is_array()) add(*name);
    if (name->is_array())
      for (const json::Value& each : name->get_array()) add(each);
  }
}

Words candidates(Context& context, std::span<const std::string> words) {
  std::span<const CommandEntry> entries = top_commands();
  const Command* command = nullptr;
  std::string last = words.empty() ? "" : words.back();
  for (const std::string& word : words.first(words.empty() ? 0 : words.size() - 1)) {
    const CommandEntry* entry = word.starts_with('-') ? nullptr : find_entry(entries, word);
    if (entry == nullptr) continue;
    command = entry->command;
    entries = command->children;
    if (entries.empty()) break;
  }
  Words found;
  for (const CommandEntry& entry : entries)
    if (entry.group != Group::hidden) found.emplace_back(entry.name);
  if (command == nullptr || !entries.empty()) return found;
  if (last.starts_with('-') && command->run != nullptr) {
    context.completing = &found;
    (void)command->run(context, *command, {});
    context.completing = nullptr;
    return found;
  }
  for (const Named& named : kNamed)
    if (command->usage.contains(named.word)) add_names(context, named, found);
  return found;
}

Result<int> complete(Context& context, const Command&, std::span<const std::string> words) {
  std::string last = words.empty() ? "" : words.back(), text;
  for (const std::string& candidate : candidates(context, words))
    if (candidate.starts_with(last)) text += candidate + "\n";
  TRY_OK(print_out(text));
  return 0;
}

}  // namespace

constexpr Command kCompletionFamily{
    .usage = "", .summary = "Print scripts for shells' completion", .arity = kAnyWords, .children = kShells};
constexpr Command kComplete{.usage = "", .summary = "What a shell asks", .arity = kAnyWords, .run = complete};

}  // namespace berth::cli
