// build: sends a context, shows what the engine says of it.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "cli/build_context.h"
#include "cli/output.h"
#include "cli/pipe.h"
#include "cli/progress.h"
#include "cli/pull.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "fs/pack.h"
#include "oci/reference.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

struct BuildOptions {
  std::string file, target, platform, network, id_file, progress = "auto", cpuset_cpus, cpuset_mems;
  std::vector<std::string> tags, arguments, labels, cache_from, add_hosts, secrets, agents, ulimits;
  std::optional<std::int64_t> memory, memory_swap, shm_size, cpu_shares, cpu_period, cpu_quota;
  bool no_cache = false, pull = false, quiet = false, remove = true, force_remove = false, squash = false;
};

void declare(Flags& flags, BuildOptions& options) {
  flags.add("add-host", options.add_hosts, "A line of the steps' /etc/hosts: name:ip");
  flags.add("build-arg", options.arguments, "The value of an ARG: NAME=value, or NAME to take it from the environment");
  flags.add("cache-from", options.cache_from, "Take steps from the history of this image");
  flags.add("cpu-period", options.cpu_period, "The steps' CPU period in microseconds");
  flags.add("cpu-quota", options.cpu_quota, "The steps' CPU quota in microseconds");
  flags.add("cpu-shares,c", options.cpu_shares, "The steps' share of the processors");
  flags.add("cpuset-cpus", options.cpuset_cpus, "The processors that steps may use: 0-3, 0,1");
  flags.add("cpuset-mems", options.cpuset_mems, "The memory nodes that steps may use");
  flags.add("file,f", options.file, "The Dockerfile (PATH/Dockerfile); - is stdin");
  flags.add("force-rm", options.force_remove, "Remove the container of a step that fails, too");
  flags.add("iidfile", options.id_file, "Write the image's id to this file");
  flags.add("label", options.labels, "A label of the image: name=value");
  flags.add_bytes("memory,m", options.memory, "The steps' memory limit");
  flags.add_bytes("memory-swap", options.memory_swap, "The steps' limit of memory and swap together");
  flags.add("network", options.network, "The steps' network");
  flags.add("no-cache", options.no_cache, "Run every step anew");
  flags.add("platform", options.platform, "The platform of the image: linux/arm64");
  flags.add("progress", options.progress, "How progress is shown: auto, plain or tty; all are plain lines");
  flags.add("pull", options.pull, "Ask the registry for newer base images");
  flags.add("quiet,q", options.quiet, "Print only the image's id");
  flags.add("rm", options.remove, "Remove the containers of steps that went well");
  flags.add("secret", options.secrets,
            "A file for RUN --mount=type=secret: id=name[,src=path] or id=name,env=VARIABLE");
  flags.add_bytes("shm-size", options.shm_size, "The size of the steps' /dev/shm");
  flags.add("squash", options.squash, "Not supported: layers are never squashed");
  flags.add("ssh", options.agents, "An ssh agent for RUN --mount=type=ssh: default or name=socket");
  flags.add("tag,t", options.tags, "A name of the image: name[:tag]");
  flags.add("target", options.target, "The stage to build");
  flags.add("ulimit", options.ulimits, "A limit of the steps' processes: nofile=1024:2048");
}

std::string print_map(const std::map<std::string, json::Value>& map) {
  json::Object object;
  for (const auto& [key, value] : map) object[key] = value;
  return map.empty() ? "" : json::print(object);
}

std::string print_list(const std::vector<std::string>& list) {
  return list.empty() ? "" : json::print(json::encode(list));
}

std::string arguments_of(const BuildOptions& options) {
  std::map<std::string, json::Value> values;
  for (const std::string& argument : options.arguments) {
    auto [name, value] = split_once(argument, '=');
    const char* inherited = value ? nullptr : std::getenv(std::string(name).c_str());
    if (value)
      values[std::string(name)] = json::Value(*value);
    else
      values[std::string(name)] = inherited == nullptr ? json::Value(nullptr) : json::Value(inherited);
  }
  return print_map(values);
}

std::string labels_of(const BuildOptions& options) {
  std::map<std::string, json::Value> values;
  for (const std::string& label : options.labels) {
    auto [name, value] = split_once(label, '=');
    values[std::string(name)] = json::Value(value.value_or(""));
  }
  return print_map(values);
}

Result<std::string> ulimits_of(const BuildOptions& options) {
  json::Array list;
  for (const std::string& text : options.ulimits) {
    auto [name, limits] = split_once(text, '=');
    auto [soft_text, hard_text] = split_once(limits.value_or(""), ':');
    auto soft = parse_number<std::int64_t>(soft_text), hard = parse_number<std::int64_t>(hard_text.value_or(soft_text));
    if (!soft || !hard) return fail(ErrorCode::invalid, "invalid ulimit argument: {}", text);
    list.push_back(json::Object{{"Name", name}, {"Soft", *soft}, {"Hard", *hard}});
  }
  return list.empty() ? std::string() : json::print(list);
}

Result<std::string> target_of(const BuildOptions& options, const std::string& dockerfile, const std::string& remote) {
  auto number = [](const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : std::string(); };
  auto flag = [](bool value) { return std::string(value ? "1" : ""); };
  TRY(std::string ulimits, ulimits_of(options));
  std::string target = "/build" + query({{"dockerfile", dockerfile},
                                         {"remote", remote},
                                         {"target", options.target},
                                         {"platform", options.platform},
                                         {"networkmode", options.network},
                                         {"buildargs", arguments_of(options)},
                                         {"labels", labels_of(options)},
                                         {"cachefrom", print_list(options.cache_from)},
                                         {"nocache", flag(options.no_cache)},
                                         {"pull", flag(options.pull)},
                                         {"q", flag(options.quiet)},
                                         {"rm", options.remove ? "1" : "0"},
                                         {"forcerm", flag(options.force_remove)},
                                         {"squash", flag(options.squash)},
                                         {"memory", number(options.memory)},
                                         {"memswap", number(options.memory_swap)},
                                         {"shmsize", number(options.shm_size)},
                                         {"cpushares", number(options.cpu_shares)},
                                         {"cpuperiod", number(options.cpu_period)},
                                         {"cpuquota", number(options.cpu_quota)},
                                         {"cpusetcpus", options.cpuset_cpus},
                                         {"cpusetmems", options.cpuset_mems},
                                         {"ulimits", ulimits}});
  for (const std::string& tag : options.tags) {
    TRY_OK(oci::Reference::parse(tag));
    target += "&t=" + http::percent_encode(tag);
  }
  for (const std::string& host : options.add_hosts) target += "&extrahosts=" + http::percent_encode(host);
  return target;
}

// "id=name,src=path", "id=name,env=VARIABLE"; without either the variable or the file of that name.
Result<std::pair<std::string, std::string>> read_secret(const std::string& text) {
  std::string id, path, variable;
  for (const std::string& field : split(text, ',')) {
    auto [key, value] = split_once(field, '=');
    std::string given(value.value_or(""));
    if (key == "id") {
      id = given;
    } else if (key == "src" || key == "source") {
      path = given;
    } else if (key == "env") {
      variable = given;
    } else if (key != "type" || (given != "file" && given != "env")) {
      return fail(ErrorCode::invalid, "unexpected key '{}' in '{}'", key, field);
    }
  }
  if (id.empty()) return fail(ErrorCode::invalid, "invalid secret {}: it needs an id", text);
  if (path.empty()) {
    const char* value = std::getenv((variable.empty() ? id : variable).c_str());
    if (value != nullptr) return std::pair(id, std::string(value));
    if (!variable.empty())
      return fail(ErrorCode::not_found, "the variable {} of the secret {} is not set", variable, id);
    path = id;
  }
  constexpr std::size_t kMaxSecret = 500 << 10;
  TRY(std::string content, annotate(sys::read_file(path, kMaxSecret), "secret {}", id));
  return std::pair(id, content);
}

Result<void> add_secrets(const BuildOptions& options, http::ClientRequest& request) {
  json::Object secrets, agents;
  for (const std::string& text : options.secrets) {
    TRY(auto secret, read_secret(text));
    secrets[secret.first] = base64_encode(secret.second);
  }
  for (const std::string& text : options.agents) {
    auto [id, socket] = split_once(text, '=');
    const char* usual = std::getenv("SSH_AUTH_SOCK");
    std::string path(socket.value_or(usual == nullptr ? "" : usual));
    if (path.empty()) return fail(ErrorCode::invalid, "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
    agents[id] = path;
  }
  if (!secrets.empty()) request.headers.add("X-Berth-Build-Secrets", base64_encode(json::print(secrets)));
  if (!agents.empty()) request.headers.add("X-Berth-Build-Agents", base64_encode(json::print(agents)));
  return {};
}

// What the engine says: the text to stdout, the error to the caller with the exit code of the step that failed.
Result<int> show_build(http::BlockingResponse& response, const BuildOptions& options) {
  Progress progress = Progress::on(STDOUT_FILENO);
  std::string id;
  int code = 0;
  auto shown = read_json_lines(response, [&](const json::Value& message) -> Result<void> {
    if (const json::Value* aux = json::find(message, "aux")) id = json::string_or(*aux, "ID", id);
    if (const json::Value* detail = json::find(message, "errorDetail"))
      code = static_cast<int>(json::int_or(*detail, "code"));
    if (options.quiet) id = std::string(trim(json::string_or(message, "stream", id)));
    return progress.show(message);
  });
  if (!shown && code == 0) return std::unexpected(std::move(shown).error());
  if (!shown) {
    print_error(shown.error().text() + "\n");
    return code;
  }
  if (!options.id_file.empty()) TRY_OK(sys::replace_file(options.id_file, id, 0644));
  return 0;
}

Result<std::string> read_rest(fs::Source& source) {
  fs::StringSink sink;
  TRY_OK(fs::copy_all(source, sink));
  return sink.take();
}

// The archive or the Dockerfile that stdin holds.
Result<void> pack_stdin(fs::Sink& sink) {
  fs::FdSource source(STDIN_FILENO);
  std::string beginning(512, '\0');
  TRY(std::size_t got, fs::read_full(source, beginning));
  beginning.resize(got);
  constexpr std::size_t kMagic = 257;
  bool is_archive = (got == 512 && std::string_view(beginning).substr(kMagic).starts_with("ustar")) ||
                    beginning.starts_with("\x1f\x8b") || beginning.starts_with("BZh") ||
                    beginning.starts_with(
                        "\xfd"
                        "7zXZ") ||
                    beginning.starts_with("\x28\xb5\x2f\xfd");
  if (is_archive) {
    TRY_OK(sink.write(beginning));
    TRY_OK(fs::copy_all(source, sink));
    return {};
  }
  TRY(std::string rest, read_rest(source));
  fs::PackOptions options;
  fs::Packer packer(sink, options);
  TRY_OK(packer.add_text("Dockerfile", beginning + rest));
  return packer.finish();
}

Result<void> send_context(const BuildContext& context,
                          const std::function<Result<void>(const http::BodySource&)>& send) {
  if (is_remote_context(context.directory)) return send([](std::span<char>) -> Result<std::size_t> { return 0; });
  if (context.directory != "-") return with_build_context(context, send);
  return through_pipe(
      [](int fd) -> Result<void> {
        fs::FdSink pipe(fd);
        fs::BufferedSink sink(pipe, 256 << 10);
        TRY_OK(pack_stdin(sink));
        return sink.flush();
      },
      [&](int fd) { return send(http::body_from_fd(fd)); });
}

Result<BuildContext> context_of(const BuildOptions& options, const std::string& place) {
  if (options.file == "-" && place == "-")
    return fail(ErrorCode::invalid, "invalid argument: can't use stdin for both build context and dockerfile");
  BuildContext context{.directory = place, .inline_dockerfile = ""};
  bool is_directory = place != "-" && !is_remote_context(place);
  if (options.file == "-") {
    fs::FdSource source(STDIN_FILENO);
    TRY(context.inline_dockerfile, read_rest(source));
  } else if (!options.file.empty()) {
    context.dockerfile = is_directory ? std::filesystem::absolute(options.file).string() : options.file;
  }
  return context;
}

Result<int> build(Context& context, const BuildOptions& options, const Words& words) {
  TRY(BuildContext sent, context_of(options, words[0]));
  bool is_directory = words[0] != "-" && !is_remote_context(words[0]);
  TRY(auto engine, context.engine());
  http::ClientRequest request;
  request.method = "POST";
  TRY(request.target, target_of(options, is_directory ? dockerfile_in_context(sent) : sent.dockerfile,
                                is_remote_context(words[0]) ? words[0] : ""));
  request.headers.add("Content-Type", "application/x-tar");
  if (std::string logins = all_registry_auths(); !logins.empty()) request.headers.add("X-Registry-Config", logins);
  TRY_OK(add_secrets(options, request));
  int code = 0;
  TRY_OK(send_context(sent, [&](const http::BodySource& body) -> Result<void> {
    TRY(auto response, engine.upload(std::move(request), body));
    TRY(code, show_build(response, options));
    return {};
  }));
  return code;
}

}  // namespace

constexpr Command kBuild = command<declare, build>({
    .usage = "[OPTIONS] PATH | URL | -",
    .summary = "Build an image from a Dockerfile",
    .arity = kOneWord,
    .details =
        "PATH is sent as the context, without what its .dockerignore names. - reads a Dockerfile or a tar archive\n"
        "of a context from stdin. URL is fetched by the engine: an archive, a Dockerfile, or a git repository.",
    .examples = "build -t app:1 .\nbuild -t app:1 -f docker/Dockerfile --build-arg VERSION=3 .\n"
                "build --secret id=token,src=token.txt --target test .\nbuild - < Dockerfile",
    .aliases = "image build, build, builder build",
});

}  // namespace berth::cli
