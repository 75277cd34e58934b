#include "docker/options.h"

#include <functional>

#include "base/json.h"
#include "base/text.h"
#include "network/address.h"
#include "sys/file.h"

namespace berth::docker {

namespace {

// One setting: set() takes each value that is given for it.
struct Setting {
  const char* name;
  const char* value;  // what --help shows; nullptr for a switch, which takes no value
  const char* help;
  std::function<Result<void>(Options&, const std::string&)> set;
};

template <class T>
auto text(T Options::* part, std::string T::* member) {
  return [part, member](Options& options, const std::string& value) -> Result<void> {
    options.*part.*member = value;
    return {};
  };
}

auto text(std::string Options::* member) {
  return [member](Options& options, const std::string& value) -> Result<void> {
    options.*member = value;
    return {};
  };
}

auto list(std::vector<std::string> Options::* member) {
  return [member](Options& options, const std::string& value) -> Result<void> {
    (options.*member).push_back(value);
    return {};
  };
}

auto flag(bool Options::* member) {
  return [member](Options& options, const std::string&) -> Result<void> {
    options.*member = true;
    return {};
  };
}

Result<void> set_log_level(Options& options, const std::string& value) {
  if (value == "debug")
    options.log_level = log::Level::debug;
  else if (value == "info")
    options.log_level = log::Level::info;
  else if (value == "warning")
    options.log_level = log::Level::warning;
  else if (value == "error")
    options.log_level = log::Level::error;
  else
    return fail(ErrorCode::invalid, "log-level is debug, info, warning or error, not \"{}\"", value);
  return {};
}

Result<void> add_pool(Options& options, const std::string& value) {
  TRY(network::Subnet pool, network::Subnet::parse(value));
  options.network.pools.push_back(pool);
  return {};
}

Result<void> add_runtime(Options& options, const std::string& value) {
  auto [name, path] = split_once(value, '=');
  if (!path || name.empty() || !path->starts_with('/'))
    return fail(ErrorCode::invalid, "add-runtime wants NAME=/PATH, not \"{}\"", value);
  options.engine.runtimes[std::string(name)] = *path;
  return {};
}

Result<void> set_userns_first(Options& options, const std::string& value) {
  auto number = parse_number<std::uint32_t>(value);
  if (!number || *number < 65536) return fail(ErrorCode::invalid, "userns-first wants a user id from 65536 on");
  options.engine.userns_first = *number;
  return {};
}

Result<void> set_userns_count(Options& options, const std::string& value) {
  auto number = parse_number<std::uint32_t>(value);
  if (!number || *number == 0) return fail(ErrorCode::invalid, "userns-count wants a number of containers");
  options.engine.userns_count = *number;
  return {};
}

Result<void> set_max_containers(Options& options, const std::string& value) {
  auto number = parse_number<std::size_t>(value);
  if (!number) return fail(ErrorCode::invalid, "max-containers wants a number");
  options.engine.max_containers = *number;
  return {};
}

Result<void> set_max_layer_size(Options& options, const std::string& value) {
  TRY(std::int64_t bytes, parse_bytes(value));
  if (bytes <= 0) return fail(ErrorCode::invalid, "max-layer-size wants a size such as 64g");
  options.image_limits.layer_bytes = static_cast<std::uint64_t>(bytes);
  return {};
}

Result<void> set_max_layer_entries(Options& options, const std::string& value) {
  auto number = parse_number<std::uint32_t>(value);
  if (!number || *number == 0) return fail(ErrorCode::invalid, "max-layer-entries wants a number of files");
  options.image_limits.layer_entries = *number;
  return {};
}

const std::vector<Setting>& settings() {
  using engine::EngineConfig;
  static const std::vector<Setting> kSettings = {
      {"state-dir", "DIR", "images, containers and volumes (/var/lib/berth)",
       text(&Options::engine, &EngineConfig::state_dir)},
      {"run-dir", "DIR", "sockets and what lives as long as the machine runs (/run/berth)",
       text(&Options::engine, &EngineConfig::run_dir)},
      {"socket", "PATH", "of the API (RUN-DIR/engine.sock)", text(&Options::socket)},
      {"socket-group", "GROUP", "may use the API too: that is as good as root", text(&Options::socket_group)},
      {"portal-socket", "PATH", "of the restricted API for the portal (RUN-DIR/engine-portal.sock)",
       text(&Options::portal_socket)},
      {"portal-group", "GROUP", "may use the restricted API", text(&Options::portal_group)},
      {"log-level", "LEVEL", "debug, info, warning or error (info)", set_log_level},
      {"insecure-registry", "HOST", "registry without verified TLS; repeatable", list(&Options::insecure_registries)},
      {"registry-mirror", "URL", "asked before Docker Hub; repeatable", list(&Options::registry_mirrors)},
      {"max-layer-size", "SIZE", "an image layer with more is refused (64g)", set_max_layer_size},
      {"max-layer-entries", "NUMBER", "an image layer with more files is refused (5000000)", set_max_layer_entries},
      {"runtime", "NAME", "default OCI runtime: crun, runc or one of --add-runtime",
       text(&Options::engine, &EngineConfig::default_runtime)},
      {"add-runtime", "NAME=PATH", "a further OCI runtime; repeatable", add_runtime},
      {"cgroup-parent", "PATH", "where the containers' control groups are (/berth)",
       text(&Options::engine, &EngineConfig::cgroup_parent)},
      {"address-pool", "SUBNET", "networks are cut from these instead of the built-in ones; repeatable", add_pool},
      {"interface-prefix", "NAME", "of bridges and veth interfaces, 1 to 6 letters or digits (berth)",
       text(&Options::network, &network::Config::prefix)},
      {"nft-table", "NAME", "of the firewall tables (berth)", text(&Options::network, &network::Config::table)},
      {"userns-first", "UID", "first user id of the containers' ranges (2000000)", set_userns_first},
      {"userns-count", "N", "how many ranges of 65536 ids there are (2000)", set_userns_count},
      {"max-containers", "N", "how many containers this engine holds (4096)", set_max_containers},
      {"guest-tools", "DIR", "mounted at /.berth in workspaces (beside this program: guest)",
       text(&Options::engine, &EngineConfig::guest_tools_dir)},
      {"init-program", "PATH", "for --init (catatonit or tini-static)",
       text(&Options::engine, &EngineConfig::init_program)},
      {"remove-from-host", nullptr, "delete this instance's bridges, firewall rules and cgroups, and end",
       flag(&Options::remove_from_host)},
      {"list-crash-points", nullptr, "print the places where a crash can be simulated, and end",
       flag(&Options::list_crash_points)},
      {"version", nullptr, "print the version, and end", flag(&Options::version)},
      {"help", nullptr, "print this, and end", flag(&Options::help)},
  };
  return kSettings;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : settings())
    if (setting.name == name) return &setting;
  return nullptr;
}

Result<void> read_config(const std::string& path, Options& options) {
  TRY(std::string bytes, sys::read_file(path));
  TRY(json::Value value, json::parse(bytes));
  if (!value.is_object()) return fail(ErrorCode::invalid, "want an object");
  for (const auto& member : value.get_object()) {
    std::string key(member.key());
    const Setting* setting = find_setting(key);
    if (setting == nullptr || setting->value == nullptr) return fail(ErrorCode::invalid, "unknown key \"{}\"", key);
    json::Array one{member.value()};
    const json::Array& values = member.value().is_array() ? member.value().get_array() : one;
    for (const json::Value& each : values) {
      if (!each.is_string() && !each.is_int64()) return fail(ErrorCode::invalid, "\"{}\" wants a string", key);
      std::string word = each.is_string() ? std::string(each.get_string()) : std::to_string(each.get_int64());
      TRY_OK(setting->set(options, word));
    }
  }
  return {};
}

struct Given {
  const Setting* setting;
  std::string value;
};

// The flags in order; config is set by --config.
Result<std::vector<Given>> read_flags(const std::vector<std::string>& arguments, std::optional<std::string>& config) {
  std::vector<Given> given;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with("--")) return fail(ErrorCode::invalid, "unexpected argument: {}", arguments[i]);
    auto [name, value] = split_once(std::string_view(arguments[i]).substr(2), '=');
    const Setting* setting = find_setting(name);
    bool is_config = name == "config";
    if (setting == nullptr && !is_config) return fail(ErrorCode::invalid, "unknown flag: --{}", name);
    bool wants_value = is_config || setting->value != nullptr;
    if (wants_value && !value && i + 1 == arguments.size())
      return fail(ErrorCode::invalid, "flag needs an argument: --{}", name);
    std::string word = value ? std::string(*value) : wants_value ? arguments[++i] : "";
    if (is_config)
      config = std::move(word);
    else
      given.push_back({setting, std::move(word)});
  }
  return given;
}

void fill_in(Options& options, const network::Config& defaults) {
  const std::string& run_dir = options.engine.run_dir;
  if (options.socket.empty()) options.socket = run_dir + "/engine.sock";
  if (options.portal_socket.empty()) options.portal_socket = run_dir + "/engine-portal.sock";
  if (options.engine.guest_tools_dir.empty() && sys::exists(options.engine.libexec_dir + "/guest"))
    options.engine.guest_tools_dir = options.engine.libexec_dir + "/guest";
  if (options.network.pools.empty()) options.network.pools = defaults.pools;
  options.network.state_dir = options.engine.state_dir + "/network";
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments, std::string libexec) {
  Options options;
  network::Config defaults = options.network;
  options.network.pools.clear();
  options.engine.libexec_dir = std::move(libexec);
  std::optional<std::string> config;
  TRY(std::vector<Given> given, read_flags(arguments, config));
  if (config || sys::exists(kDefaultConfigFile)) {
    std::string path = config.value_or(kDefaultConfigFile);
    TRY_OK(annotate(read_config(path, options), "{}", path));
  }
  for (const Given& each : given) TRY_OK(each.setting->set(options, each.value));
  fill_in(options, defaults);
  return options;
}

std::string usage() {
  std::string help = fmt::format(
      "Usage:  berth-engine [OPTIONS]\n\nThe engine: containers behind the Docker Engine API\n\nOptions:\n"
      "      --{:<28} {}\n",
      "config FILE", fmt::format("the same words as keys of a JSON object ({})", kDefaultConfigFile));
  for (const Setting& setting : settings()) {
    std::string left = setting.value == nullptr ? setting.name : fmt::format("{} {}", setting.name, setting.value);
    help += fmt::format("      --{:<28} {}\n", left, setting.help);
  }
  return help;
}

}  // namespace berth::docker
