// The values of single flags of run and create: ports, mounts, limits, environment.
#include <arpa/inet.h>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "cli/container_config.h"
#include "sys/file.h"

namespace berth::cli {

namespace {

struct PortRange {
  unsigned first = 0, last = 0;
  unsigned size() const { return last - first; }
};

std::optional<PortRange> parse_port_range(std::string_view text) {
  auto [first_text, last_text] = split_once(text, '-');
  auto first = parse_number<std::uint16_t>(first_text);
  auto last = parse_number<std::uint16_t>(last_text.value_or(first_text));
  if (!first || !last || *first > *last) return {};
  return PortRange{*first, *last};
}

Result<std::string> parse_protocol(std::optional<std::string_view> text) {
  std::string protocol = to_lower(text.value_or("tcp"));
  if (protocol.empty()) protocol = "tcp";
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
    return fail(ErrorCode::invalid, "invalid proto: {}", *text);
  return protocol;
}

bool is_address(const std::string& text) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

struct MountParts {
  json::Object mount, bind, volume, volume_labels, driver_options, tmpfs;
  std::string driver;
};

Result<bool> mount_truth(std::string_view key, std::optional<std::string_view> value) {
  if (!value || *value == "true" || *value == "1") return true;
  if (*value == "false" || *value == "0") return false;
  return fail(ErrorCode::invalid, "invalid value for {}: {}", key, *value);
}

Result<void> take_mount_option(MountParts& parts, std::string_view field, std::string_view key,
                               std::string_view value) {
  if (key == "type") {
    parts.mount["Type"] = to_lower(value);
  } else if (key == "source" || key == "src") {
    bool relative = value.starts_with("./") || value.starts_with("../") || value == "." || value == "..";
    parts.mount["Source"] =
        relative ? std::filesystem::absolute(value).lexically_normal().string() : std::string(value);
  } else if (key == "target" || key == "destination" || key == "dst") {
    parts.mount["Target"] = value;
  } else if (key == "consistency") {
    parts.mount["Consistency"] = to_lower(value);
  } else if (key == "bind-propagation") {
    parts.bind["Propagation"] = to_lower(value);
  } else if (key == "bind-nonrecursive") {
    TRY(parts.bind["NonRecursive"], mount_truth(key, value));
  } else if (key == "volume-subpath") {
    parts.volume["Subpath"] = value;
  } else if (key == "volume-driver") {
    parts.driver = value;
  } else if (key == "volume-label" || key == "volume-opt") {
    auto [name, text] = split_once(value, '=');
    (key == "volume-label" ? parts.volume_labels : parts.driver_options)[name] = text.value_or("");
  } else if (key == "tmpfs-size") {
    auto size = parse_bytes(value);
    if (!size) return fail(ErrorCode::invalid, "invalid value for {}: {}", key, value);
    parts.tmpfs["SizeBytes"] = *size;
  } else if (key == "tmpfs-mode") {
    auto mode = parse_number<std::uint32_t>(value, 8);
    if (!mode) return fail(ErrorCode::invalid, "invalid value for {}: {}", key, value);
    parts.tmpfs["Mode"] = *mode;
  } else {
    return fail(ErrorCode::invalid, "unexpected key '{}' in '{}'", key, field);
  }
  return {};
}

}  // namespace

Result<void> parse_expose(std::string_view text, json::Object& exposed) {
  auto [ports, protocol_text] = split_once(text, '/');
  auto range = parse_port_range(ports);
  if (text.contains(':')) return fail(ErrorCode::invalid, "invalid port format for --expose: {}", text);
  if (!range) return fail(ErrorCode::invalid, "invalid range format for --expose: {}", ports);
  TRY(std::string protocol, parse_protocol(protocol_text));
  for (unsigned port = range->first; port <= range->last; ++port)
    exposed[fmt::format("{}/{}", port, protocol)] = json::Object{};
  return {};
}

Result<void> parse_publish(std::string_view text, json::Object& bindings, json::Object& exposed) {
  auto [address, protocol_text] = split_once(text, '/');
  std::vector<std::string> parts = split(address, ':');
  std::string container = parts.back(), host, ip;
  parts.pop_back();
  if (!parts.empty()) {
    host = parts.back();
    parts.pop_back();
  }
  ip = join(parts, ":");
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  if (!ip.empty() && !is_address(ip)) return fail(ErrorCode::invalid, "invalid IP address: {}", ip);
  if (container.empty()) return fail(ErrorCode::invalid, "no port specified: {}<empty>", text);
  auto inside = parse_port_range(container);
  if (!inside) return fail(ErrorCode::invalid, "invalid containerPort: {}", container);
  std::optional<PortRange> outside;
  if (!host.empty()) {
    outside = parse_port_range(host);
    if (!outside) return fail(ErrorCode::invalid, "invalid hostPort: {}", host);
    // One port inside may be given any of several outside; otherwise they pair up.
    if (outside->size() != inside->size() && inside->size() != 0)
      return fail(ErrorCode::invalid, "invalid ranges specified for container and host Ports: {} and {}", container,
                  host);
  }
  TRY(std::string protocol, parse_protocol(protocol_text));
  for (unsigned port = inside->first; port <= inside->last; ++port) {
    std::string key = fmt::format("{}/{}", port, protocol), host_port;
    if (outside && outside->size() == inside->size())
      host_port = std::to_string(outside->first + port - inside->first);
    else if (outside)
      host_port = host;
    exposed[key] = json::Object{};
    json::Value& list = bindings[key];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(json::Object{{"HostIp", ip}, {"HostPort", host_port}});
  }
  return {};
}

Result<json::Value> parse_mount(std::string_view text) {
  MountParts parts;
  parts.mount["Type"] = "volume";
  for (const std::string& field : split(text, ',')) {
    auto [key_text, value] = split_once(field, '=');
    std::string key = to_lower(key_text);
    if (key == "readonly" || key == "ro") {
      TRY(parts.mount["ReadOnly"], mount_truth(key, value));
    } else if (key == "volume-nocopy") {
      TRY(parts.volume["NoCopy"], mount_truth(key, value));
    } else if (!value) {
      return fail(ErrorCode::invalid, "invalid field '{}' must be a key=value pair", field);
    } else {
      TRY_OK(take_mount_option(parts, field, key, *value));
    }
  }
  if (!parts.mount.contains("Target")) return fail(ErrorCode::invalid, "target is required");
  std::string type = json::string_or(parts.mount, "Type");
  auto only_with = [&](std::string_view wanted, const json::Object& options) -> Result<void> {
    if (options.empty() || type == wanted) return {};
    return fail(ErrorCode::invalid, "cannot mix '{}-*' options with mount type '{}'", wanted, type);
  };
  if (!parts.volume_labels.empty()) parts.volume["Labels"] = parts.volume_labels;
  if (!parts.driver.empty() || !parts.driver_options.empty())
    parts.volume["DriverConfig"] = json::Object{{"Name", parts.driver}, {"Options", parts.driver_options}};
  TRY_OK(only_with("bind", parts.bind));
  TRY_OK(only_with("volume", parts.volume));
  TRY_OK(only_with("tmpfs", parts.tmpfs));
  if (!parts.bind.empty()) parts.mount["BindOptions"] = parts.bind;
  if (!parts.volume.empty()) parts.mount["VolumeOptions"] = parts.volume;
  if (!parts.tmpfs.empty()) parts.mount["TmpfsOptions"] = parts.tmpfs;
  return parts.mount;
}

Result<json::Value> parse_ulimit(std::string_view text) {
  auto [name, limits] = split_once(text, '=');
  if (!limits) return fail(ErrorCode::invalid, "invalid ulimit argument: {}", text);
  auto [soft_text, hard_text] = split_once(*limits, ':');
  auto soft = parse_number<std::int64_t>(soft_text);
  auto hard = parse_number<std::int64_t>(hard_text.value_or(soft_text));
  if (!soft || !hard)
    return fail(ErrorCode::invalid, "strconv.ParseInt: parsing \"{}\": invalid syntax", soft ? *hard_text : soft_text);
  if (*hard != -1 && (*soft > *hard || *soft == -1))
    return fail(ErrorCode::invalid, "ulimit soft limit must be less than or equal to hard limit: {} > {}", *soft,
                *hard);
  return json::Object{{"Name", name}, {"Soft", *soft}, {"Hard", *hard}};
}

Result<std::int64_t> parse_cpus(std::string_view text) {
  auto cpus = parse_number<double>(text);
  if (!cpus || !std::isfinite(*cpus)) return fail(ErrorCode::invalid, "failed to parse {} as a rational number", text);
  double nano = *cpus * 1e9;
  if (std::abs(nano) > 9e18 || std::abs(nano - std::round(nano)) > 1e-3)
    return fail(ErrorCode::invalid, "value is too precise");
  return static_cast<std::int64_t>(std::llround(nano));
}

Strings complete_env(const Strings& env) {
  Strings complete;
  for (const std::string& item : env) {
    if (item.contains('='))
      complete.push_back(item);
    else if (const char* value = std::getenv(item.c_str()); value != nullptr)
      complete.push_back(fmt::format("{}={}", item, value));
  }
  return complete;
}

Result<Strings> read_env_file(const std::string& path, bool from_environment) {
  auto text = sys::read_file(path);
  // Go's text of a file that does not open.
  if (!text && text.error().errno_value() == ENOENT)
    return fail(ErrorCode::not_found, "open {}: no such file or directory", path);
  if (!text) return std::unexpected(std::move(text).error());
  Strings items;
  std::size_t number = 0;
  for (const std::string& whole : split(*text, '\n')) {
    ++number;
    std::string_view line = whole;
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // a byte order mark
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto [name, value] = split_once(line, '=');
    if (name.empty()) return fail(ErrorCode::invalid, "no variable name on line '{}'", line);
    if (name.find_first_of(" \t") != std::string_view::npos)
      return fail(ErrorCode::invalid, "variable '{}' contains whitespaces", name);
    if (value || !from_environment)
      items.emplace_back(line);
    else
      for (std::string& item : complete_env({std::string(name)})) items.push_back(std::move(item));
  }
  return items;
}

}  // namespace berth::cli
