#include "build/stages.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.h"
#include "build/metadata.h"
#include "build/words.h"

namespace berth::build {

namespace {

using Pair = std::pair<std::string_view, std::optional<std::string_view>>;

Pair flag_of(const std::string& flag) { return split_once(std::string_view(flag).substr(2), '='); }

std::unexpected<Error> unknown_flag(const Instruction& instruction, std::string_view name) {
  return fail_at(instruction, "unknown flag: --{}", name);
}

bool is_stage_name(std::string_view name) {
  auto inner = [](char c) {
    return std::islower(static_cast<unsigned char>(c)) != 0 || std::isdigit(static_cast<unsigned char>(c)) != 0 ||
           c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && std::islower(static_cast<unsigned char>(name.front())) != 0 &&
         std::all_of(name.begin(), name.end(), inner);
}

Result<Stage> stage_of(Instruction from, char escape) {
  Stage stage;
  for (const std::string& flag : from.flags) {
    auto [name, value] = flag_of(flag);
    if (name != "platform") return unknown_flag(from, name);
    stage.platform = value.value_or("");
  }
  std::vector<std::string> words = split_words(from.rest, escape);
  bool named = words.size() == 3 && to_lower(words[1]) == "as";
  if (words.size() != 1 && !named) return fail_at(from, "FROM requires either one or three arguments");
  stage.image = words[0];
  if (named) {
    stage.name = to_lower(words[2]);
    if (!is_stage_name(stage.name))
      return fail_at(from, "invalid name for build stage: \"{}\", name can't start with a number or contain symbols",
                     words[2]);
  }
  stage.from = std::move(from);
  return stage;
}

Result<void> check_copy(const Instruction& step, char escape) {
  TRY_OK(copy_flags_of(step));
  std::vector<std::string> words = copy_words_of(step, escape);
  if (words.empty()) return fail_at(step, "{} requires at least two arguments", step.name);
  if (words.size() == 1)
    return fail_at(step,
                   "{} requires at least two arguments, but only one was provided. Destination could not be determined",
                   step.name);
  return {};
}

template <class T>
Result<T> number_of(std::string_view text, int base, std::string_view what) {
  auto number = parse_number<T>(text, base);
  if (!number) return fail(ErrorCode::invalid, "invalid value {} for {}", text, what);
  return *number;
}

Result<bool> truth_of(std::optional<std::string_view> text, std::string_view what) {
  if (!text || *text == "true" || *text == "1") return true;
  if (*text == "false" || *text == "0") return false;
  return fail(ErrorCode::invalid, "invalid value for {}: {}", what, *text);
}

Result<void> check_mount(const RunMount& mount) {
  constexpr std::array<std::string_view, 5> kTypes = {"bind", "cache", "tmpfs", "secret", "ssh"};
  constexpr std::array<std::string_view, 3> kSharing = {"shared", "private", "locked"};
  if (std::find(kTypes.begin(), kTypes.end(), mount.type) == kTypes.end())
    return fail(ErrorCode::invalid, "unsupported mount type \"{}\"", mount.type);
  if (std::find(kSharing.begin(), kSharing.end(), mount.sharing) == kSharing.end())
    return fail(ErrorCode::invalid, "unsupported sharing value \"{}\"", mount.sharing);
  bool needs_target = mount.type == "cache" || mount.type == "tmpfs" || mount.type == "bind";
  if (needs_target && mount.target.empty())
    return fail(ErrorCode::invalid, "invalid mount config for type \"{}\": field Target must not be empty", mount.type);
  return {};
}

Result<void> set_mount_field(RunMount& mount, std::string_view key, std::optional<std::string_view> value) {
  std::string text(value.value_or(""));
  if (key == "type") {
    mount.type = to_lower(text);
  } else if (key == "target" || key == "dst" || key == "destination") {
    mount.target = text;
  } else if (key == "source" || key == "src") {
    mount.source = text;
  } else if (key == "from") {
    mount.from = text;
  } else if (key == "id") {
    mount.id = text;
  } else if (key == "sharing") {
    mount.sharing = text;
  } else if (key == "env") {
    mount.env = text;
  } else if (key == "size") {
    mount.size = text;
  } else if (key == "ro" || key == "readonly") {
    TRY(mount.read_only, truth_of(value, key));
  } else if (key == "rw" || key == "readwrite") {
    TRY(bool writable, truth_of(value, key));
    mount.read_only = !writable;
  } else if (key == "required") {
    TRY(mount.required, truth_of(value, key));
  } else if (key == "mode") {
    TRY(mount.mode, number_of<std::uint32_t>(text, 8, key));
  } else if (key == "uid") {
    TRY(mount.uid, number_of<std::uint32_t>(text, 10, key));
  } else if (key == "gid") {
    TRY(mount.gid, number_of<std::uint32_t>(text, 10, key));
  } else {
    return fail(ErrorCode::invalid, "unexpected key '{}' in '{}'", key,
                value ? fmt::format("{}={}", key, *value) : key);
  }
  return {};
}

}  // namespace

Result<RunMount> parse_run_mount(std::string_view text) {
  RunMount mount;
  for (const std::string& field : split(text, ',')) {
    auto [key, value] = split_once(field, '=');
    TRY_OK(set_mount_field(mount, to_lower(key), value));
  }
  TRY_OK(check_mount(mount));
  return mount;
}

Result<RunFlags> run_flags_of(const Instruction& instruction) {
  RunFlags flags;
  for (const std::string& flag : instruction.flags) {
    auto [name, value] = flag_of(flag);
    if (name == "mount") {
      flags.mounts.emplace_back(value.value_or(""));
    } else if (name == "network") {
      flags.network = value.value_or("");
      if (flags.network != "default" && flags.network != "none" && flags.network != "host")
        return fail_at(instruction, "unsupported network mode \"{}\"", flags.network);
    } else if (name == "security" && value.value_or("") == "sandbox") {
      // What it means is what steps get anyway.
    } else if (name == "security") {
      return fail_at(instruction, "RUN --security={} is not supported by this engine", value.value_or(""));
    } else {
      return unknown_flag(instruction, name);
    }
  }
  return flags;
}

Result<CopyFlags> copy_flags_of(const Instruction& instruction) {
  CopyFlags flags;
  bool is_add = instruction.name == "ADD";
  for (const std::string& flag : instruction.flags) {
    auto [name, value] = flag_of(flag);
    if (name == "from" && !is_add) {
      flags.from = value.value_or("");
    } else if (name == "chown") {
      flags.chown = value.value_or("");
    } else if (name == "chmod") {
      flags.chmod = value.value_or("");
    } else if (name == "checksum" && is_add) {
      flags.checksum = value.value_or("");
    } else if (name == "link") {
      // Every COPY makes a layer of its own here, which does not read what lies below but for symlinks on the way.
      TRY_OK(truth_of(value, "link"));
    } else if (name == "parents" || name == "exclude" || name == "keep-git-dir") {
      return fail_at(instruction, "{} --{} is not supported by this engine", instruction.name, name);
    } else {
      return unknown_flag(instruction, name);
    }
  }
  return flags;
}

std::vector<std::string> copy_words_of(const Instruction& instruction, char escape) {
  if (auto words = parse_exec_form(instruction.rest)) return *words;
  return split_words(instruction.rest, escape);
}

Result<std::vector<Argument>> arguments_of(const Instruction& instruction, char escape) {
  std::vector<Argument> arguments;
  for (const std::string& word : split_words(instruction.rest, escape)) {
    auto [name, value] = split_once(word, '=');
    if (name.empty()) return fail_at(instruction, "ARG names can not be blank");
    arguments.push_back({std::string(name), value ? std::optional<std::string>(*value) : std::nullopt});
  }
  if (arguments.empty()) return fail_at(instruction, "ARG requires at least one argument");
  return arguments;
}

Result<void> check_step(const Instruction& step, char escape) {
  if (is_metadata(step.name)) return check_metadata(step, escape);
  if (step.name == "COPY" || step.name == "ADD") return check_copy(step, escape);
  if (step.name == "RUN") {
    TRY_OK(run_flags_of(step));
    return {};
  }
  if (step.name == "ARG") {
    TRY_OK(arguments_of(step, escape));
    return {};
  }
  return fail_at(step, "{} is not allowed here", step.name);
}

Result<Plan> plan_stages(Dockerfile file) {
  Plan plan;
  plan.escape = file.escape;
  for (Instruction& instruction : file.instructions) {
    if (instruction.name == "FROM") {
      TRY(Stage stage, stage_of(std::move(instruction), plan.escape));
      plan.stages.push_back(std::move(stage));
      continue;
    }
    TRY_OK(check_step(instruction, plan.escape));
    if (!plan.stages.empty())
      plan.stages.back().steps.push_back(std::move(instruction));
    else if (instruction.name == "ARG")
      plan.arguments.push_back(std::move(instruction));
    else
      return fail(ErrorCode::invalid, "no build stage in current context");
  }
  if (plan.stages.empty()) return fail(ErrorCode::invalid, "no build stage in current context");
  return plan;
}

Result<std::size_t> stages_until(const Plan& plan, std::string_view target) {
  if (target.empty()) return plan.stages.size();
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    if (plan.stages[i].name == to_lower(target)) return i + 1;
  auto number = parse_number<std::size_t>(target);
  if (number && *number < plan.stages.size()) return *number + 1;
  return fail(ErrorCode::invalid, "target stage \"{}\" could not be found", target);
}

}  // namespace berth::build
