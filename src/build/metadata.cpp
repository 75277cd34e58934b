#include "build/metadata.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"
#include "engine/signals.h"
#include "fs/root_dir.h"

namespace berth::build {

namespace {

using Strings = std::vector<std::string>;

constexpr std::array<std::string_view, 13> kMetadata = {"CMD",   "ENTRYPOINT", "ENV",     "EXPOSE", "HEALTHCHECK",
                                                        "LABEL", "MAINTAINER", "ONBUILD", "SHELL",  "STOPSIGNAL",
                                                        "USER",  "VOLUME",     "WORKDIR"};

std::string_view name_of(std::string_view variable) { return split_once(variable, '=').first; }

void add_sorted(Strings& list, std::string word) {
  auto at = std::lower_bound(list.begin(), list.end(), word);
  if (at == list.end() || *at != word) list.insert(at, std::move(word));
}

Result<Strings> expand_all(const Strings& words, const Lookup& variables, char escape) {
  Strings expanded;
  for (const std::string& word : words) {
    TRY(std::string text, expand(word, variables, escape));
    expanded.push_back(std::move(text));
  }
  return expanded;
}

// JSON, or words at blanks.
Strings list_of(const Instruction& instruction, char escape) {
  if (auto words = parse_exec_form(instruction.rest)) return *words;
  return split_words(instruction.rest, escape);
}

// JSON as it is, a line for the shell.
Strings command_of(const Instruction& instruction, const oci::ContainerDefaults& config) {
  if (auto words = parse_exec_form(instruction.rest)) return *words;
  Strings words = shell_of(config);
  words.push_back(instruction.rest);
  return words;
}

// "8000-8002/udp" is three ports.
Result<Strings> ports_of(const std::string& word) {
  auto [range, protocol_text] = split_once(word, '/');
  std::string protocol = to_lower(protocol_text.value_or("tcp"));
  // "host:container" is read as `run -p` writes it, and only the container's side counts.
  if (std::size_t colon = range.rfind(':'); colon != std::string_view::npos) range = range.substr(colon + 1);
  auto [first_text, last_text] = split_once(range, '-');
  auto first = parse_number<std::uint16_t>(first_text);
  auto last = parse_number<std::uint16_t>(last_text.value_or(first_text));
  bool known = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
  if (!first || !last || *first > *last) return fail(ErrorCode::invalid, "Invalid containerPort: {}", range);
  if (!known) return fail(ErrorCode::invalid, "Invalid proto: {}", protocol);
  Strings ports;
  for (unsigned port = *first; port <= *last; ++port) ports.push_back(fmt::format("{}/{}", port, protocol));
  return ports;
}

Result<std::int64_t> duration_flag(std::string_view name, std::string_view text) {
  TRY(auto duration, annotate(parse_duration(text), "{}", name));
  if (duration != std::chrono::nanoseconds(0) && duration < std::chrono::milliseconds(1))
    return fail(ErrorCode::invalid, "Interval \"{}\" cannot be less than 1ms", name);
  return duration.count();
}

Result<void> set_check_flag(json::Object& check, const std::string& flag) {
  auto [name, value] = split_once(std::string_view(flag).substr(2), '=');
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTimes = {
      {{"interval", "Interval"},
       {"timeout", "Timeout"},
       {"start-period", "StartPeriod"},
       {"start-interval", "StartInterval"}}};
  for (const auto& [word, member] : kTimes)
    if (name == word) {
      TRY(check[member], duration_flag(name, value.value_or("")));
      return {};
    }
  if (name != "retries") return fail(ErrorCode::invalid, "unknown flag: {}", name);
  auto retries = parse_number<int>(value.value_or(""));
  if (!retries || *retries < 0)
    return fail(ErrorCode::invalid, "--retries cannot be negative ({})", value.value_or(""));
  check["Retries"] = *retries;
  return {};
}

Result<json::Value> healthcheck_of(const Instruction& instruction) {
  auto split = split_once(instruction.rest, ' ');
  std::string kind = to_lower(split.first);
  std::string_view command = trim(split.second.value_or(""));
  json::Object check;
  if (kind == "none") {
    if (!command.empty() || !instruction.flags.empty())
      return fail(ErrorCode::invalid, "HEALTHCHECK NONE takes no arguments");
    check["Test"] = json::Array{"NONE"};
    return json::Value(std::move(check));
  }
  if (kind != "cmd") return fail(ErrorCode::invalid, "Unknown type \"{}\" in HEALTHCHECK (try CMD)", to_lower(kind));
  if (command.empty()) return fail(ErrorCode::invalid, "Missing command after HEALTHCHECK CMD");
  json::Array test;
  if (auto words = parse_exec_form(command)) {
    test.emplace_back("CMD");
    for (const std::string& word : *words) test.emplace_back(word);
  } else {
    test = {"CMD-SHELL", command};
  }
  check["Test"] = std::move(test);
  for (const std::string& flag : instruction.flags) TRY_OK(set_check_flag(check, flag));
  return json::Value(std::move(check));
}

Result<std::string> apply_pairs(const Instruction& instruction, const Lookup& variables, char escape, Draft& draft) {
  TRY(auto pairs, parse_pairs(instruction, escape));
  std::string history = instruction.name;
  // Values refer to what was before the instruction.
  for (auto& [name, value] : pairs) {
    TRY(name, expand(name, variables, escape));
    TRY(value, expand(value, variables, escape));
    if (name.empty()) return fail(ErrorCode::invalid, "{} names can not be blank", instruction.name);
    history += fmt::format(" {}={}", name, value);
  }
  for (const auto& [name, value] : pairs)
    if (instruction.name == "ENV")
      set_variable(draft.config.env, name, value);
    else
      draft.config.labels[name] = value;
  return history;
}

Result<std::string> apply_expose(const Instruction& instruction, const Lookup& variables, char escape, Draft& draft) {
  TRY(Strings words, expand_words(instruction.rest, variables, escape));
  for (const std::string& word : words) {
    TRY(Strings ports, ports_of(word));
    for (std::string& port : ports) add_sorted(draft.config.exposed_ports, std::move(port));
  }
  std::sort(words.begin(), words.end());
  return "EXPOSE " + join(words, " ");
}

Result<std::string> apply_volume(const Instruction& instruction, const Lookup& variables, char escape, Draft& draft) {
  TRY(Strings words, expand_all(list_of(instruction, escape), variables, escape));
  for (const std::string& word : words) {
    if (trim(word).empty()) return fail(ErrorCode::invalid, "VOLUME specified can not be an empty string");
    add_sorted(draft.config.volumes, word);
  }
  return fmt::format("VOLUME [{}]", join(words, " "));
}

Result<std::string> apply_command(const Instruction& instruction, Draft& draft) {
  Strings words = instruction.rest.empty() ? Strings() : command_of(instruction, draft.config);
  std::string history = fmt::format("{} {}", instruction.name, print_words(words));
  if (instruction.name == "CMD") {
    draft.config.cmd = std::move(words);
    draft.cmd_was_set = true;
    return history;
  }
  draft.config.entrypoint = std::move(words);
  if (!draft.cmd_was_set) draft.config.cmd.reset();
  return history;
}

Result<std::string> apply_onbuild(const Instruction& instruction, char escape, Draft& draft) {
  TRY(Instruction inner, parse_instruction(instruction.rest, escape));
  if (inner.name == "ONBUILD") return fail(ErrorCode::invalid, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (inner.name == "MAINTAINER" || inner.name == "FROM")
    return fail(ErrorCode::invalid, "{} isn't allowed as an ONBUILD trigger", inner.name);
  draft.config.on_build.push_back(instruction.rest);
  return "ONBUILD " + instruction.rest;
}

Result<std::string> apply_directory(const Instruction& instruction, const Lookup& variables, char escape,
                                    Draft& draft) {
  TRY(std::string path, expand(instruction.rest, variables, escape));
  if (path.empty()) return fail(ErrorCode::invalid, "WORKDIR requires exactly one argument");
  std::string base = path.starts_with('/') ? "" : draft.config.working_dir;
  draft.config.working_dir = "/" + fs::clean_path(base + "/" + path);
  return "WORKDIR " + draft.config.working_dir;
}

Result<std::string> apply_shell(const Instruction& instruction, Draft& draft) {
  auto words = parse_exec_form(instruction.rest);
  if (!words || words->empty()) return fail(ErrorCode::invalid, "SHELL requires the arguments to be in JSON form");
  draft.config.shell = *words;
  return fmt::format("SHELL [{}]", join(*words, " "));
}

Result<void> check_arguments(const Instruction& instruction, char escape) {
  const std::string& name = instruction.name;
  const std::string& rest = instruction.rest;
  if (name == "CMD" || name == "ENTRYPOINT") return {};
  if (name == "SHELL") {
    Draft scratch;
    auto applied = apply_shell(instruction, scratch);
    return applied ? Result<void>() : std::unexpected(std::move(applied).error());
  }
  if (name == "WORKDIR" || name == "USER" || name == "STOPSIGNAL" || name == "MAINTAINER") {
    if (rest.empty()) return fail(ErrorCode::invalid, "{} requires exactly one argument", name);
    return {};
  }
  if (rest.empty() || (name == "VOLUME" && list_of(instruction, escape).empty()))
    return fail(ErrorCode::invalid, "{} requires at least one argument", name);
  return {};
}

}  // namespace

bool is_metadata(std::string_view instruction) {
  return std::find(kMetadata.begin(), kMetadata.end(), instruction) != kMetadata.end();
}

std::vector<std::string> shell_of(const oci::ContainerDefaults& config) {
  return config.shell && !config.shell->empty() ? *config.shell : Strings{"/bin/sh", "-c"};
}

Lookup variables_of(const std::vector<std::string>& env) {
  return [&env](std::string_view name) -> std::optional<std::string> {
    for (const std::string& variable : env)
      if (name_of(variable) == name) return std::string(split_once(variable, '=').second.value_or(""));
    return {};
  };
}

void set_variable(std::vector<std::string>& env, const std::string& name, const std::string& value) {
  auto same = std::find_if(env.begin(), env.end(), [&](const std::string& own) { return name_of(own) == name; });
  std::string text = name + "=" + value;
  if (same == env.end())
    env.push_back(std::move(text));
  else
    *same = std::move(text);
}

std::string print_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + json::print(json::Value(word));
  return "[" + text + "]";
}

Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(const Instruction& instruction, char escape) {
  std::vector<std::pair<std::string, std::string>> pairs;
  Strings words = split_words(instruction.rest, escape);
  if (words.empty()) return fail(ErrorCode::invalid, "{} requires at least one argument", instruction.name);
  if (words.front().find('=') == std::string::npos) {
    std::string_view value = trim(std::string_view(instruction.rest).substr(words.front().size()));
    if (value.empty()) return fail(ErrorCode::invalid, "{} must have two arguments", instruction.name);
    pairs.emplace_back(words.front(), value);
    return pairs;
  }
  for (const std::string& word : words) {
    auto [name, value] = split_once(word, '=');
    if (!value)
      return fail(ErrorCode::invalid, "Syntax error - can't find = in \"{}\". Must be of the form: name=value", word);
    pairs.emplace_back(name, *value);
  }
  return pairs;
}

Result<void> check_metadata(const Instruction& instruction, char escape) {
  if (!instruction.flags.empty() && instruction.name != "HEALTHCHECK") {
    std::string_view flag = instruction.flags.front();
    return fail_at(instruction, "unknown flag: {}", split_once(flag, '=').first);
  }
  auto checked = check_arguments(instruction, escape);
  if (!checked) return fail_at(instruction, "{}", checked.error().message());
  if (instruction.name == "ENV" || instruction.name == "LABEL") {
    auto pairs = parse_pairs(instruction, escape);
    if (!pairs) return fail_at(instruction, "{}", pairs.error().message());
  }
  if (instruction.name == "HEALTHCHECK") {
    auto check = healthcheck_of(instruction);
    if (!check) return fail_at(instruction, "{}", check.error().text());
  }
  return {};
}

Result<std::string> apply_metadata(const Instruction& instruction, const Lookup& variables, char escape, Draft& draft) {
  const std::string& name = instruction.name;
  if (name == "ENV" || name == "LABEL") return apply_pairs(instruction, variables, escape, draft);
  if (name == "EXPOSE") return apply_expose(instruction, variables, escape, draft);
  if (name == "VOLUME") return apply_volume(instruction, variables, escape, draft);
  if (name == "CMD" || name == "ENTRYPOINT") return apply_command(instruction, draft);
  if (name == "ONBUILD") return apply_onbuild(instruction, escape, draft);
  if (name == "WORKDIR") return apply_directory(instruction, variables, escape, draft);
  if (name == "SHELL") return apply_shell(instruction, draft);
  if (name == "USER") {
    TRY(draft.config.user, expand(instruction.rest, variables, escape));
    return "USER " + draft.config.user;
  }
  if (name == "STOPSIGNAL") {
    TRY(std::string signal, expand(instruction.rest, variables, escape));
    if (!engine::parse_signal(signal)) return fail(ErrorCode::invalid, "Invalid signal: {}", signal);
    draft.config.stop_signal = signal;
    return "STOPSIGNAL " + signal;
  }
  if (name == "HEALTHCHECK") {
    TRY(draft.config.healthcheck, healthcheck_of(instruction));
    return fmt::format("HEALTHCHECK {}",
                       join(instruction.flags, " ") + (instruction.flags.empty() ? "" : " ") + instruction.rest);
  }
  if (name != "MAINTAINER") return fail(ErrorCode::internal, "{} changes more than the configuration", name);
  draft.author = instruction.rest;
  return "MAINTAINER " + instruction.rest;
}

Result<oci::ContainerDefaults> apply_changes(oci::ContainerDefaults config, const std::vector<std::string>& lines) {
  Draft draft{.config = std::move(config)};
  constexpr char kEscape = '\\';
  for (const std::string& text : lines) {
    if (trim(text).empty()) continue;
    TRY(Dockerfile file, parse_dockerfile(text));
    for (const Instruction& instruction : file.instructions) {
      bool allowed = is_metadata(instruction.name) && instruction.name != "SHELL" && instruction.name != "MAINTAINER";
      if (!allowed) return fail(ErrorCode::invalid, "{} is not a valid change command", to_lower(instruction.name));
      TRY_OK(check_metadata(instruction, kEscape));
      Strings env = draft.config.env;
      if (auto applied = apply_metadata(instruction, variables_of(env), kEscape, draft); !applied)
        return std::unexpected(std::move(applied).error());
    }
  }
  return draft.config;
}

}  // namespace berth::build
