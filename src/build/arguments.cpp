#include "build/arguments.h"

#include <algorithm>
#include <array>

#include "build/metadata.h"

namespace berth::build {

namespace {

constexpr std::array<std::string_view, 10> kProxies = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                                       "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                                       "ALL_PROXY",  "all_proxy"};

bool is_proxy(std::string_view name) { return std::find(kProxies.begin(), kProxies.end(), name) != kProxies.end(); }

void add_platform(std::map<std::string, std::string>& to, const std::string& prefix, const oci::Platform& platform) {
  to[prefix + "PLATFORM"] = oci::print_platform(platform);
  to[prefix + "OS"] = platform.os;
  to[prefix + "ARCH"] = platform.architecture;
  to[prefix + "VARIANT"] = platform.variant;
}

}  // namespace

Arguments::Arguments(std::map<std::string, std::optional<std::string>> given, const oci::Platform& host,
                     const oci::Platform& target)
    : given_(std::move(given)) {
  add_platform(platform_, "BUILD", host);
  add_platform(platform_, "TARGET", target);
  for (const auto& [name, value] : platform_) global_[name] = value;
}

void Arguments::declare_global(const std::string& name, std::optional<std::string> fallback) {
  auto given = given_.find(name);
  used_.insert(name);
  if (given != given_.end() && given->second)
    global_[name] = given->second;
  else if (fallback || !platform_.contains(name))
    global_[name] = std::move(fallback);
}

std::optional<std::string> Arguments::global(std::string_view name) const {
  auto found = global_.find(name);
  return found == global_.end() ? std::nullopt : found->second;
}

void Arguments::declare(const std::string& name, std::optional<std::string> fallback) {
  auto given = given_.find(name);
  used_.insert(name);
  if (given != given_.end() && given->second)
    stage_[name] = given->second;
  else if (fallback)
    stage_[name] = std::move(fallback);
  else
    stage_[name] = global(name);
}

std::optional<std::string> Arguments::find(std::string_view name, const std::vector<std::string>& env) const {
  if (auto value = variables_of(env)(name)) return value;
  auto found = stage_.find(name);
  return found == stage_.end() ? std::nullopt : found->second;
}

std::vector<std::string> Arguments::declared(const std::vector<std::string>& env) const {
  std::vector<std::string> values;
  Lookup in_env = variables_of(env);
  for (const auto& [name, value] : stage_)
    if (value && !in_env(name)) values.push_back(name + "=" + *value);
  return values;
}

std::vector<std::string> Arguments::for_run(const std::vector<std::string>& env) const {
  std::vector<std::string> values = declared(env);
  Lookup in_env = variables_of(env);
  for (const auto& [name, value] : given_)
    if (is_proxy(name) && value && !stage_.contains(name) && !in_env(name)) values.push_back(name + "=" + *value);
  return values;
}

std::vector<std::string> Arguments::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : given_)
    if (!used_.contains(name) && !is_proxy(name)) names.push_back(name);
  return names;
}

}  // namespace berth::build
