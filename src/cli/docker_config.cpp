#include "cli/docker_config.h"

#include <algorithm>
#include <cstdlib>

#include "cli/output.h"
#include "sys/file.h"

namespace berth::cli {

std::string config_directory() {
  if (const char* directory = std::getenv("DOCKER_CONFIG"); directory != nullptr && *directory != '\0')
    return directory;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/root" : home) + "/.docker";
}

Result<json::Object> read_config() {
  std::string path = config_directory() + "/config.json";
  if (!sys::exists(path)) return json::Object{};
  TRY(std::string text, sys::read_file(path));
  TRY(json::Value value, annotate(json::parse(text), "read {}", path));
  if (!value.is_object()) return fail(ErrorCode::invalid, "{} is not a JSON object", path);
  return value.get_object();
}

Result<void> write_config(const json::Object& config) {
  TRY_OK(sys::ensure_directories(config_directory(), 0700));
  return sys::replace_file(config_directory() + "/config.json", pretty_json(config) + "\n", 0600);
}

// contexts/meta/ID/meta.json, and contexts/tls/ID/docker/{ca,cert,key}.pem beside it. ID is made from the name, which
// the file tells too.
Result<std::vector<StoredContext>> stored_contexts() {
  std::vector<StoredContext> contexts;
  std::string meta = config_directory() + "/contexts/meta";
  if (!sys::exists(meta)) return contexts;
  TRY(auto ids, sys::list_directory(meta));
  for (const std::string& id : ids) {
    std::string path = fmt::format("{}/{}/meta.json", meta, id);
    auto text = sys::read_file(path);
    if (!text) continue;
    StoredContext context{.metadata_path = fmt::format("{}/{}", meta, id)};
    TRY(context.metadata, annotate(json::parse(*text), "read {}", path));
    context.name = json::string_or(context.metadata, "Name");
    if (const json::Value* endpoints = json::find(context.metadata, "Endpoints"))
      if (const json::Value* endpoint = json::find(*endpoints, "docker"))
        context.host = json::string_or(*endpoint, "Host");
    std::string tls = fmt::format("{}/contexts/tls/{}/docker", config_directory(), id);
    if (sys::exists(tls + "/ca.pem")) context.tls_directory = tls;
    contexts.push_back(std::move(context));
  }
  std::ranges::sort(contexts, {}, &StoredContext::name);
  return contexts;
}

Result<StoredContext> find_context(const std::string& name) {
  TRY(auto contexts, stored_contexts());
  auto found = std::ranges::find(contexts, name, &StoredContext::name);
  if (found == contexts.end())
    return fail(ErrorCode::not_found,
                "context \"{}\": context not found: open {}/contexts/meta: no such file or directory", name,
                config_directory());
  return *found;
}

}  // namespace berth::cli
