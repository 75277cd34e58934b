#include "oci/image_config.h"

#include <sys/utsname.h>

#include <algorithm>

#include "base/text.h"

namespace berth::oci {

namespace {

constexpr std::size_t kMaxConfig = 4 << 20;

using Strings = std::vector<std::string>;

std::unexpected<Error> wrong(std::string_view key, std::string_view wanted) {
  return fail(ErrorCode::invalid, "image config: {}: want {}", key, wanted);
}

Result<void> take(const json::Value& from, std::string_view key, std::string& to) {
  const json::Value* value = json::find(from, key);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong(key, "a string");
  to = std::string(value->get_string());
  return {};
}

Result<void> take(const json::Value& from, std::string_view key, Strings& to) {
  const json::Value* value = json::find(from, key);
  if (value == nullptr) return {};
  return json::decode_into(*value, to, key);
}

Result<void> take(const json::Value& from, std::string_view key, std::optional<Strings>& to) {
  const json::Value* value = json::find(from, key);
  if (value == nullptr) return {};
  return json::decode_into(*value, to.emplace(), key);
}

Result<void> take(const json::Value& from, std::string_view key, Time& to) {
  const json::Value* value = json::find(from, key);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong(key, "a time");
  TRY(to, parse_rfc3339(value->get_string()));
  return {};
}

// {"80/tcp": {}, ...}: a set as Go prints it; sorted, so that printing is deterministic.
Result<void> take_set(const json::Value& from, std::string_view key, Strings& to) {
  const json::Value* value = json::find(from, key);
  if (value == nullptr) return {};
  if (!value->is_object()) return wrong(key, "an object");
  for (const auto& member : value->get_object()) to.emplace_back(member.key());
  std::sort(to.begin(), to.end());
  return {};
}

json::Value set_of(const Strings& keys) {
  json::Object object;
  for (const std::string& key : keys) object[key] = json::Object();
  return object;
}

template <class List>
void put_unless_empty(json::Object& to, std::string_view key, const List& value) {
  if (!value.empty()) to[key] = json::encode(value);
}

Result<std::vector<Digest>> parse_diff_ids(const json::Value& value) {
  const json::Value* rootfs = json::find(value, "rootfs");
  if (rootfs == nullptr) return wrong("rootfs", "an object");
  Strings texts;
  TRY_OK(take(*rootfs, "diff_ids", texts));
  std::vector<Digest> ids;
  for (const std::string& text : texts) {
    TRY(Digest id, annotate(Digest::parse(text), "image config: rootfs.diff_ids"));
    if (!id.is_sha256()) return wrong("rootfs.diff_ids", "sha256 digests");
    ids.push_back(std::move(id));
  }
  return ids;
}

Result<std::vector<History>> parse_history(const json::Value& value) {
  std::vector<History> list;
  const json::Value* history = json::find(value, "history");
  if (history == nullptr) return list;
  if (!history->is_array()) return wrong("history", "an array");
  for (const json::Value& element : history->get_array()) {
    if (!element.is_object()) return wrong("history", "objects");
    History item;
    TRY_OK(take(element, "created", item.created));
    TRY_OK(take(element, "created_by", item.created_by));
    TRY_OK(take(element, "author", item.author));
    TRY_OK(take(element, "comment", item.comment));
    item.empty_layer = json::bool_or(element, "empty_layer");
    list.push_back(std::move(item));
  }
  return list;
}

json::Value print_history(const History& item) {
  json::Object object;
  object["created"] = format_rfc3339(item.created);
  put_unless_empty(object, "author", item.author);
  put_unless_empty(object, "created_by", item.created_by);
  put_unless_empty(object, "comment", item.comment);
  if (item.empty_layer) object["empty_layer"] = true;
  return object;
}

}  // namespace

Result<ContainerDefaults> parse_container_defaults(const json::Value& value) {
  if (!value.is_object()) return wrong("config", "an object");
  ContainerDefaults defaults;
  TRY_OK(take(value, "User", defaults.user));
  TRY_OK(take(value, "Env", defaults.env));
  TRY_OK(take(value, "Entrypoint", defaults.entrypoint));
  TRY_OK(take(value, "Cmd", defaults.cmd));
  TRY_OK(take(value, "WorkingDir", defaults.working_dir));
  TRY_OK(take_set(value, "ExposedPorts", defaults.exposed_ports));
  TRY_OK(take_set(value, "Volumes", defaults.volumes));
  if (const json::Value* labels = json::find(value, "Labels"))
    TRY_OK(json::decode_into(*labels, defaults.labels, "Labels"));
  TRY_OK(take(value, "StopSignal", defaults.stop_signal));
  TRY_OK(take(value, "Shell", defaults.shell));
  TRY_OK(take(value, "OnBuild", defaults.on_build));
  if (const json::Value* check = json::find(value, "Healthcheck")) {
    if (!check->is_object()) return wrong("Healthcheck", "an object");
    defaults.healthcheck = *check;
  }
  return defaults;
}

json::Value print_container_defaults(const ContainerDefaults& defaults) {
  json::Object object;
  put_unless_empty(object, "User", defaults.user);
  if (!defaults.exposed_ports.empty()) object["ExposedPorts"] = set_of(defaults.exposed_ports);
  put_unless_empty(object, "Env", defaults.env);
  if (defaults.entrypoint) object["Entrypoint"] = json::encode(*defaults.entrypoint);
  if (defaults.cmd) object["Cmd"] = json::encode(*defaults.cmd);
  if (defaults.healthcheck) object["Healthcheck"] = *defaults.healthcheck;
  if (!defaults.volumes.empty()) object["Volumes"] = set_of(defaults.volumes);
  put_unless_empty(object, "WorkingDir", defaults.working_dir);
  put_unless_empty(object, "OnBuild", defaults.on_build);
  put_unless_empty(object, "Labels", defaults.labels);
  put_unless_empty(object, "StopSignal", defaults.stop_signal);
  if (defaults.shell) object["Shell"] = json::encode(*defaults.shell);
  return object;
}

Result<ImageConfig> parse_image_config(std::string_view text) {
  if (text.size() > kMaxConfig) return fail(ErrorCode::exhausted, "image config: larger than {} bytes", kMaxConfig);
  TRY(json::Value value, annotate(json::parse(text), "image config"));
  if (!value.is_object()) return fail(ErrorCode::invalid, "image config: want an object");
  ImageConfig config;
  TRY_OK(take(value, "created", config.created));
  TRY_OK(take(value, "author", config.author));
  TRY_OK(take(value, "architecture", config.architecture));
  TRY_OK(take(value, "variant", config.variant));
  TRY_OK(take(value, "os", config.os));
  if (const json::Value* inner = json::find(value, "config")) {
    TRY(config.config, parse_container_defaults(*inner));
  }
  TRY(config.diff_ids, parse_diff_ids(value));
  TRY(config.history, parse_history(value));
  return config;
}

std::string print_image_config(const ImageConfig& config) {
  json::Object object;
  object["architecture"] = config.architecture;
  put_unless_empty(object, "variant", config.variant);
  object["os"] = config.os;
  object["created"] = format_rfc3339(config.created);
  put_unless_empty(object, "author", config.author);
  object["config"] = print_container_defaults(config.config);
  json::Array diff_ids;
  for (const Digest& id : config.diff_ids) diff_ids.emplace_back(id.text());
  object["rootfs"] = json::Object{{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
  json::Array history;
  for (const History& item : config.history) history.push_back(print_history(item));
  if (!history.empty()) object["history"] = std::move(history);
  return json::print(object);
}

Platform host_platform() {
  utsname name{};
  ::uname(&name);
  std::string_view machine = name.machine;
  if (machine == "x86_64") return {"linux", "amd64", ""};
  if (machine == "aarch64") return {"linux", "arm64", "v8"};
  if (machine.starts_with("armv7")) return {"linux", "arm", "v7"};
  if (machine.starts_with("armv6")) return {"linux", "arm", "v6"};
  if (machine == "i686" || machine == "i386") return {"linux", "386", ""};
  return {"linux", std::string(machine), ""};  // riscv64, ppc64le, s390x are called the same
}

Result<Platform> parse_platform(std::string_view text) {
  Strings parts = split(text, '/');
  auto is_word = [](const std::string& part) {
    return !part.empty() &&
           part.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               std::string::npos;
  };
  if (parts.size() < 2 || parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), is_word))
    return fail(ErrorCode::invalid, "\"{}\" is an invalid platform: want os/architecture[/variant]", text);
  return Platform{parts[0], parts[1], parts.size() == 3 ? parts[2] : ""};
}

std::string print_platform(const Platform& platform) {
  std::string text = platform.os + "/" + platform.architecture;
  return platform.variant.empty() ? text : text + "/" + platform.variant;
}

}  // namespace berth::oci
