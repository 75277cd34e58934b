// inspect, and its forms of one kind: container inspect, image inspect, network inspect, volume inspect.
#include <algorithm>

#include "base/text.h"
#include "cli/inspect.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct Kind {
  std::string_view name;  // of --type
  std::string_view path;  // "/containers/{}/json" is path + name + suffix
  std::string_view suffix;
};

// In the order in which a bare name is looked for.
constexpr Kind kKinds[] = {{"container", "/containers/", "/json"},
                           {"image", "/images/", "/json"},
                           {"network", "/networks/", ""},
                           {"volume", "/volumes/", ""}};

struct InspectOptions : ListOptions {
  std::string type;
  bool size = false;
};

void declare(Flags& flags, InspectOptions& options) {
  flags.add("format,f", options.format, "A Go template for each object; 'json' prints JSON");
  flags.add("output,o", options.output, "'json' prints JSON, as is the default");
  flags.add("size,s", options.size, "Show what a container's files take");
  flags.add("type", options.type, "Only objects of this type: container, image, network, volume");
}

struct InspectOneOptions : ListOptions {
  bool size = false;
};

void declare_one(Flags& flags, InspectOneOptions& options) {
  flags.add("format,f", options.format, "A Go template for each object; 'json' prints JSON");
  flags.add("output,o", options.output, "'json' prints JSON, as is the default");
}

void declare_container(Flags& flags, InspectOneOptions& options) {
  declare_one(flags, options);
  flags.add("size,s", options.size, "Show what its files take");
}

Result<json::Value> get_object(const EngineClient& engine, const Kind& kind, const std::string& name, bool size) {
  return engine.get(fmt::format("{}{}{}{}", kind.path, escape_path(name), kind.suffix,
                                size && kind.name == "container" ? "?size=1" : ""));
}

Result<json::Value> find_object(const EngineClient& engine, const std::string& name, bool size) {
  for (const Kind& kind : kKinds) {
    auto found = get_object(engine, kind, name, size);
    // A name that one kind cannot have ("invalid reference format") may still be another's.
    bool elsewhere =
        !found && (found.error().code() == ErrorCode::not_found || found.error().code() == ErrorCode::invalid ||
                   found.error().code() == ErrorCode::unsupported);
    if (!elsewhere) return found;
  }
  return fail(ErrorCode::not_found, "Error: No such object: {}", name);
}

Result<int> inspect_kind(Context& context, const ListOptions& options, bool size, const Kind& kind,
                         const Words& words) {
  TRY(auto engine, context.engine());
  return inspect_each(words, options, [&](const std::string& name) { return get_object(engine, kind, name, size); });
}

Result<int> inspect(Context& context, const InspectOptions& options, const Words& words) {
  if (!options.type.empty()) {
    const Kind* kind = std::ranges::find(kKinds, options.type, &Kind::name);
    if (kind == std::end(kKinds))
      return fail(ErrorCode::invalid,
                  "unknown type: \"{}\": must be one of \"container\", \"image\", \"network\", \"volume\"",
                  options.type);
    return inspect_kind(context, options, options.size, *kind, words);
  }
  TRY(auto engine, context.engine());
  return inspect_each(words, options, [&](const std::string& name) { return find_object(engine, name, options.size); });
}

template <std::size_t kIndex>
Result<int> inspect_one(Context& context, const InspectOneOptions& options, const Words& words) {
  return inspect_kind(context, options, options.size, kKinds[kIndex], words);
}

}  // namespace

Result<int> inspect_each(const Words& names, const ListOptions& options,
                         const std::function<Result<json::Value>(const std::string&)>& get) {
  // What was found is printed even when something else was not.
  json::Array found;
  std::string text, errors;
  bool templated = !options.format.empty() && options.format != "json";
  for (const std::string& name : names) {
    auto object = get(name);
    if (!object) {
      errors += object.error().text() + "\n";
      continue;
    }
    if (!templated) {
      found.push_back(std::move(*object));
      continue;
    }
    if (auto line = render_documents({std::move(*object)}, options))
      text += *line;
    else
      errors += line.error().text() + "\n";
  }
  if (!templated) {
    TRY(text, render_documents(found, options));
  } else if (text.empty()) {
    text = "\n";
  }
  TRY_OK(print_out(text));
  print_error(errors);
  return errors.empty() ? 0 : 1;
}

constexpr Command kInspect = command<declare, inspect>({
    .usage = "[OPTIONS] NAME|ID [NAME|ID...]",
    .summary = "Show all that is known of containers, images, networks and volumes",
    .arity = kSomeWords,
    .examples = "inspect web\ninspect -f '{{.State.Status}} {{json .NetworkSettings.Ports}}' web\n"
                "inspect --type image debian:bookworm",
});

constexpr Command kInspectContainer = command<declare_container, inspect_one<0>>({
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Show all that is known of containers",
    .arity = kSomeWords,
    .examples = "container inspect web",
});

constexpr Command kInspectImage = command<declare_one, inspect_one<1>>({
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Show all that is known of images",
    .arity = kSomeWords,
    .examples = "image inspect -f '{{.Config.Cmd}}' debian:bookworm",
});

constexpr Command kNetworkInspect = command<declare_one, inspect_one<2>>({
    .usage = "[OPTIONS] NETWORK [NETWORK...]",
    .summary = "Show all that is known of networks",
    .arity = kSomeWords,
    .examples = "network inspect bridge",
});

constexpr Command kVolumeInspect = command<declare_one, inspect_one<3>>({
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "Show all that is known of volumes",
    .arity = kSomeWords,
    .examples = "volume inspect data",
});

}  // namespace berth::cli
