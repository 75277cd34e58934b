// Docker's seccomp profiles (docs.docker.com, "Seccomp security profiles") in the shape of the OCI runtime
// specification.
#include <sys/utsname.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "engine/seccomp.h"

namespace berth::engine {

namespace {

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "SCMP_ARCH_X86_64";
constexpr std::string_view kGoArchitecture = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "SCMP_ARCH_AARCH64";
constexpr std::string_view kGoArchitecture = "arm64";
#else
constexpr std::string_view kArchitecture = "";
constexpr std::string_view kGoArchitecture = "";
#endif

std::vector<std::string> words_of(const json::Value& object, std::string_view key) {
  std::vector<std::string> words;
  const json::Value* list = json::find(object, key);
  if (list == nullptr || !list->is_array()) return words;
  for (const json::Value& word : list->get_array())
    if (word.is_string()) words.emplace_back(word.get_string());
  return words;
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// "4.8": whether this kernel is at least that.
bool kernel_is(std::string_view wanted) {
  utsname name{};
  ::uname(&name);
  auto number = [](std::string_view& text) {
    std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    int value = parse_number<int>(text.substr(0, digits)).value_or(0);
    text.remove_prefix(std::min(digits + 1, text.size()));
    return value;
  };
  std::string_view have = name.release;
  int have_major = number(have), have_minor = number(have);
  int want_major = number(wanted), want_minor = number(wanted);
  return have_major != want_major ? have_major > want_major : have_minor >= want_minor;
}

bool applies(const json::Value& rule, const std::set<std::string>& capabilities) {
  auto has = [&](const std::string& capability) { return capabilities.contains(capability); };
  if (const json::Value* includes = json::find(rule, "includes")) {
    std::vector<std::string> architectures = words_of(*includes, "arches"), caps = words_of(*includes, "caps");
    if (!architectures.empty() && !contains(architectures, kGoArchitecture)) return false;
    if (!std::ranges::all_of(caps, has)) return false;
    if (std::string kernel = json::string_or(*includes, "minKernel"); !kernel.empty() && !kernel_is(kernel))
      return false;
  }
  if (const json::Value* excludes = json::find(rule, "excludes")) {
    if (contains(words_of(*excludes, "arches"), kGoArchitecture)) return false;
    if (std::ranges::any_of(words_of(*excludes, "caps"), has)) return false;
    if (std::string kernel = json::string_or(*excludes, "minKernel"); !kernel.empty() && kernel_is(kernel))
      return false;
  }
  return true;
}

json::Value architectures_of(const json::Value& profile) {
  if (const json::Value* given = json::find(profile, "architectures")) return *given;
  json::Array list;
  const json::Value* map = json::find(profile, "archMap");
  if (map == nullptr || !map->is_array()) return list;
  for (const json::Value& entry : map->get_array()) {
    if (json::string_or(entry, "architecture") != kArchitecture) continue;
    list.emplace_back(kArchitecture);
    for (const std::string& sub : words_of(entry, "subArchitectures")) list.emplace_back(sub);
  }
  return list;
}

}  // namespace

json::Value convert_profile(const json::Value& profile, const std::set<std::string>& capabilities) {
  json::Object converted{{"defaultAction", json::string_or(profile, "defaultAction", "SCMP_ACT_ERRNO")}};
  for (const char* key : {"defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"})
    if (const json::Value* value = json::find(profile, key)) converted[key] = *value;
  json::Value architectures = architectures_of(profile);
  if (architectures.is_array() && !architectures.get_array().empty())
    converted["architectures"] = std::move(architectures);
  json::Array rules;
  const json::Value* syscalls = json::find(profile, "syscalls");
  if (syscalls != nullptr && syscalls->is_array()) {
    for (const json::Value& rule : syscalls->get_array()) {
      if (!applies(rule, capabilities)) continue;
      json::Object kept{{"action", json::string_or(rule, "action")}};
      // Old profiles name one call a rule.
      std::vector<std::string> names = words_of(rule, "names");
      if (std::string name = json::string_or(rule, "name"); !name.empty()) names.push_back(name);
      kept["names"] = json::encode(names);
      if (const json::Value* error = json::find(rule, "errnoRet")) kept["errnoRet"] = *error;
      const json::Value* arguments = json::find(rule, "args");
      if (arguments != nullptr && arguments->is_array() && !arguments->get_array().empty()) kept["args"] = *arguments;
      rules.push_back(std::move(kept));
    }
  }
  converted["syscalls"] = std::move(rules);
  return converted;
}

}  // namespace berth::engine
