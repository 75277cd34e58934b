// Workspaces: up, ls, ssh, and start, stop and rm, which take a workspace when there is one of that name and a
// container otherwise. All of it is asked of the portal.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "cli/attach.h"
#include "cli/lifecycle.h"
#include "cli/output.h"
#include "cli/portal_client.h"
#include "cli/verbs.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

constexpr std::size_t kMostKeyBytes = 256 << 10;

struct UpOptions {
  std::vector<std::string> keys;
  std::string image, memory, cpus, output;
};

void declare_up(Flags& flags, UpOptions& options) {
  flags.add("key", options.keys, "A public key: a file, - for stdin, or the key itself; several may be given");
  flags.add("image", options.image, "The image; the portal's own when left out");
  flags.add("memory", options.memory, "The most memory: 512m, 2g");
  flags.add("cpus", options.cpus, "The most processor time, in processors: 1, 0.5");
  flags.add("output,o", options.output, "'json' prints JSON");
}

Result<std::string> read_stdin() {
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = ::read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > kMostKeyBytes) return fail(ErrorCode::invalid, "stdin holds more than keys");
  }
  return text;
}

Result<std::string> read_key(const std::string& given) {
  if (given == "-") return read_stdin();
  for (std::string_view type : {"ssh-", "ecdsa-", "sk-"})
    if (given.starts_with(type) && given.contains(' ')) return given;
  TRY(std::string text, annotate(sys::read_file(given, kMostKeyBytes), "read the key"));
  if (text.contains("PRIVATE KEY"))
    return fail(ErrorCode::invalid, "{} is a private key, which stays with you: give {}.pub", given, given);
  return text;
}

// The person's own public key, when none was named.
Result<std::string> default_key() {
  const char* home = std::getenv("HOME");
  for (std::string_view name : {"id_ed25519", "id_ecdsa", "id_rsa", "berth_ed25519"}) {
    std::string path = fmt::format("{}/.ssh/{}.pub", home == nullptr ? "" : home, name);
    if (sys::exists(path)) return read_key(path);
  }
  return fail(ErrorCode::invalid, "Which key shall open the workspace? Give --key FILE, or make one with ssh-keygen");
}

Result<int> up(Context&, const UpOptions& options, const Words& words) {
  std::string keys;
  for (const std::string& given : options.keys) {
    TRY(std::string key, read_key(given));
    keys += key + "\n";
  }
  if (options.keys.empty()) {
    TRY(keys, default_key());
  }
  json::Object body{{"user", words[0]}, {"key", keys}};
  if (!options.image.empty()) body["image"] = options.image;
  if (!options.memory.empty()) body["memory"] = options.memory;
  if (!options.cpus.empty()) body["cpus"] = options.cpus;
  TRY(auto portal, PortalClient::open());
  TRY(json::Value answer, portal.call("POST", "/pod", body));
  if (options.output == "json") {
    TRY_OK(print_out(json::print(answer) + "\n"));
    return 0;
  }
  const json::Value* ssh = json::find(answer, "ssh");
  TRY_OK(print_out((ssh == nullptr ? "" : json::string_or(*ssh, "cmd")) + "\n"));
  return 0;
}

struct LsOptions : ListOptions {};

void declare_ls(Flags& flags, LsOptions& options) {
  add_format_flag(flags, options);
  flags.add("quiet,q", options.quiet, "Print only the names");
}

std::string last_used(const json::Value& workspace) {
  if (json::int_or(workspace, "connections") > 0) return "now";
  auto time = parse_rfc3339(json::string_or(workspace, "last_used"));
  return time ? time_ago(*time) : "never";
}

Result<int> list_workspaces(Context&, const LsOptions& options, const Words&) {
  TRY(auto portal, PortalClient::open());
  TRY(json::Value list, portal.call("GET", "/api/v1/workspaces"));
  if (!list.is_array()) return fail(ErrorCode::io, "the portal's list of workspaces is not a list");
  if (options.output == "json" || options.format == "json") {
    std::string text;
    for (const json::Value& workspace : list.get_array()) text += json::print(workspace) + "\n";
    TRY_OK(print_out(text));
    return 0;
  }
  Listing listing(
      "workspace", options.quiet ? "{{.Name}}" : "{{.Name}}\t{{.State}}\t{{.Image}}\t{{.SSH}}\t{{.LastUsed}}",
      {{"Name", "NAME"}, {"State", "STATE"}, {"Image", "IMAGE"}, {"SSH", "SSH"}, {"LastUsed", "LAST-USED"}});
  for (const json::Value& workspace : list.get_array()) {
    std::string name = json::string_or(workspace, "name");
    // The list says less than a workspace says of itself; one that has gone meanwhile is shown as it was.
    auto whole = options.quiet ? Result<json::Value>(workspace) : portal.find(name);
    const json::Value& shown = whole ? *whole : workspace;
    const json::Value* ssh = json::find(shown, "ssh");
    listing.add({{"Name", name},
                 {"State", json::string_or(shown, "state")},
                 {"Image", json::string_or(shown, "image")},
                 {"SSH", ssh == nullptr ? "" : json::string_or(*ssh, "command")},
                 {"LastUsed", last_used(shown)}});
  }
  TRY(std::string text, listing.render(options));
  TRY_OK(print_out(text));
  return 0;
}

struct SshOptions {
  std::vector<std::string> identities, ssh_options;
  bool agent = false, tty = false;
};

void declare_ssh(Flags& flags, SshOptions& options) {
  flags.add("identity,i", options.identities, "Offer this private key");
  flags.add("agent,A", options.agent, "Pass the ssh agent on");
  flags.add("tty,t", options.tty, "Give the command a terminal");
  flags.add("option,o", options.ssh_options, "An option of the ssh client: KEY=VALUE");
}

// The key pair that quickstart makes for who has none. Naming a key hides those that ssh would offer by itself, so
// these are named after it; keys of the agent and of ssh's own configuration are offered either way.
std::vector<std::string> identities_of(const SshOptions& options) {
  if (!options.identities.empty()) return options.identities;
  const char* home = std::getenv("HOME");
  std::string folder = fmt::format("{}/.ssh/", home == nullptr ? "" : home);
  std::vector<std::string> found;
  for (const char* name : {"berth_ed25519", "id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa"})
    if (sys::exists(folder + name)) found.push_back(folder + name);
  bool has_own = !found.empty() && found.front().ends_with("/berth_ed25519");
  return has_own ? found : std::vector<std::string>();
}

Result<int> run_ssh(Context&, const SshOptions& options, const Words& words) {
  TRY(auto portal, PortalClient::open());
  TRY(json::Value workspace, portal.find(words[0]));
  const json::Value* ssh = json::find(workspace, "ssh");
  if (ssh == nullptr) return fail(ErrorCode::io, "the portal does not tell how to reach {}", words[0]);
  Words command{"ssh", "-p", fmt::format("{}", json::int_or(*ssh, "port"))};
  for (const std::string& identity : identities_of(options)) command.insert(command.end(), {"-i", identity});
  for (const std::string& option : options.ssh_options) command.insert(command.end(), {"-o", option});
  // The portal, which was just asked over this machine's own socket, vouches for a host that is met first.
  command.insert(command.end(), {"-o", "StrictHostKeyChecking=accept-new"});
  if (options.agent) command.emplace_back("-A");
  if (options.tty) command.emplace_back("-t");
  command.push_back(
      fmt::format("{}@{}", json::string_or(*ssh, "user", "user"), json::string_or(*ssh, "host", "localhost")));
  command.insert(command.end(), words.begin() + 1, words.end());
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp("ssh", argv.data());
  return fail_errno("start the ssh client (apt-get install openssh-client)");
}

Result<std::string> act(const PortalClient& portal, const std::string& name, std::string_view action) {
  TRY_OK(portal.call("POST", fmt::format("/api/v1/workspaces/{}/{}", http::percent_encode(name), action)));
  return name;
}

Result<std::string> remove_workspace(const PortalClient& portal, const std::string& name, bool data) {
  TRY_OK(
      portal.call("DELETE", fmt::format("/api/v1/workspaces/{}{}", http::percent_encode(name), data ? "?data=1" : "")));
  return name;
}

struct DataOptions {
  bool data = false;
};

void declare_data(Flags& flags, DataOptions& options) {
  flags.add("data", options.data, "Delete its files too, even when only they are left");
}

Result<int> start_workspaces(Context&, const NoOptions&, const Words& words) {
  TRY(auto portal, PortalClient::open());
  return for_each_name(words, [&](const std::string& name) { return act(portal, name, "start"); });
}

Result<int> stop_workspaces(Context&, const NoOptions&, const Words& words) {
  TRY(auto portal, PortalClient::open());
  return for_each_name(words, [&](const std::string& name) { return act(portal, name, "stop"); });
}

Result<int> remove_workspaces(Context&, const DataOptions& options, const Words& words) {
  TRY(auto portal, PortalClient::open());
  return for_each_name(words, [&](const std::string& name) { return remove_workspace(portal, name, options.data); });
}

// The portal, when one of the names is a workspace; the names that are none.
struct Split {
  std::optional<PortalClient> portal;
  Words workspaces, containers;
};

Split split_names(const Context& context, const Words& words) {
  Split split;
  auto portal = context.as_docker ? Result<PortalClient>(fail(ErrorCode::unsupported, "")) : PortalClient::open();
  if (portal) split.portal = std::move(*portal);
  for (const std::string& name : words) {
    bool workspace = split.portal && split.portal->find(name).has_value();
    (workspace ? split.workspaces : split.containers).push_back(name);
  }
  return split;
}

Result<int> start_any(Context& context, const StartOptions& options, const Words& words) {
  Split names = options.attach || options.interactive ? Split{.containers = words} : split_names(context, words);
  TRY(int code,
      for_each_name(names.workspaces, [&](const std::string& name) { return act(*names.portal, name, "start"); }));
  if (names.containers.empty()) return code;
  TRY(int other, start_containers(context, options, names.containers));
  return std::max(code, other);
}

Result<int> stop_any(Context& context, const StopOptions& options, const Words& words) {
  Split names = split_names(context, words);
  TRY(int code,
      for_each_name(names.workspaces, [&](const std::string& name) { return act(*names.portal, name, "stop"); }));
  if (names.containers.empty()) return code;
  TRY(auto engine, context.engine());
  TRY(int other,
      for_each_name(names.containers, [&](const std::string& name) { return stop_container(engine, name, options); }));
  return std::max(code, other);
}

struct RemoveAnyOptions : RemoveOptions, DataOptions {};

void declare_remove_any(Flags& flags, RemoveAnyOptions& options) {
  declare_remove(flags, options);
  declare_data(flags, options);
}

Result<int> remove_any(Context& context, const RemoveAnyOptions& options, const Words& words) {
  // Only workspaces have data, and their name may be all that is left of one.
  if (options.data) return remove_workspaces(context, options, words);
  Split names = split_names(context, words);
  TRY(int code, for_each_name(names.workspaces,
                              [&](const std::string& name) { return remove_workspace(*names.portal, name, false); }));
  if (names.containers.empty()) return code;
  TRY(auto engine, context.engine());
  TRY(int other, for_each_name(names.containers,
                               [&](const std::string& name) { return remove_container(engine, name, options); }));
  return std::max(code, other);
}

constexpr std::string_view kHowDecided =
    "A name that a workspace has means the workspace, any other a container. To be explicit, say 'workspace' or\n"
    "'container' before the verb.";

}  // namespace

constexpr Command kUp = command<declare_up, up>({
    .usage = "[OPTIONS] NAME",
    .summary = "Make a workspace, or find the one that is there, and print how to reach it",
    .arity = kOneWord,
    .details = "The same NAME again gives the same workspace, as long as all keys are its keys. Without --key it is\n"
               "~/.ssh/id_ed25519.pub, id_ecdsa.pub, id_rsa.pub, or the one that quickstart made.",
    .examples =
        "up joe --key ~/.ssh/id_ed25519.pub\nup joe --key - --image debian:bookworm --memory 2g --cpus 2 < keys",
    .aliases = "workspace up, up",
});

constexpr Command kWorkspaceList = command<declare_ls, list_workspaces>({
    .usage = "[OPTIONS]",
    .summary = "List workspaces",
    .arity = kNoWords,
    .examples = "ls\nls -o json",
    .aliases = "workspace ls, ls",
});

constexpr Command kSsh = command<declare_ssh, run_ssh>({
    .usage = "[OPTIONS] NAME [COMMAND...]",
    .summary = "Log in to a workspace, or run a command there",
    .arity = kSomeWords,
    .details = "Offers ~/.ssh/berth_ed25519, which quickstart makes, beside the keys that ssh offers by itself.",
    .examples = "ssh joe\nssh joe make -C src test",
    .aliases = "workspace ssh, ssh",
    .words_are_foreign = true,
});

constexpr Command kWorkspaceStart = command<declare_nothing, start_workspaces>({
    .usage = "NAME [NAME...]",
    .summary = "Start workspaces",
    .arity = kSomeWords,
    .examples = "workspace start joe",
});

constexpr Command kWorkspaceStop = command<declare_nothing, stop_workspaces>({
    .usage = "NAME [NAME...]",
    .summary = "Stop workspaces; the next connection wakes them",
    .arity = kSomeWords,
    .examples = "workspace stop joe",
});

constexpr Command kWorkspaceRemove = command<declare_data, remove_workspaces>({
    .usage = "[OPTIONS] NAME [NAME...]",
    .summary = "Remove workspaces, keeping their files unless --data is given",
    .arity = kSomeWords,
    .examples = "workspace rm joe\nworkspace rm --data joe",
});

constexpr Command kStartAny = command<declare_start, start_any>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Start workspaces or containers",
    .arity = kSomeWords,
    .details = kHowDecided,
    .examples = "start web db\nstart -ai shell",
});

constexpr Command kStopAny = command<declare_stop, stop_any>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Stop workspaces or containers",
    .arity = kSomeWords,
    .details = kHowDecided,
    .examples = "stop joe\nstop -t 30 db",
});

constexpr Command kRemoveAny = command<declare_remove_any, remove_any>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Remove workspaces or containers",
    .arity = kSomeWords,
    .details = kHowDecided,
    .examples = "rm web\nrm -f $(berth ps -aq)\nrm --data joe",
});

}  // namespace berth::cli
