#include "compose/detail/files.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "compose/detail/canonical.h"
#include "compose/detail/merge.h"
#include "compose/env_file.h"
#include "sys/file.h"

namespace berth::compose {

namespace {

constexpr std::size_t kLongestChain = 32;

std::string directory_of(const std::string& file) { return std::filesystem::path(file).parent_path().string(); }

}  // namespace

void FileLoader::warn(std::string text) {
  if (std::ranges::find(warnings_, text) == warnings_.end()) warnings_.push_back(std::move(text));
}

Result<std::vector<Node>> FileLoader::read(const std::string& file) {
  if (auto known = parsed_.find(file); known != parsed_.end()) return known->second;
  auto text = sys::read_file(file == "-" ? "/dev/stdin" : file, YamlLimits{}.bytes);
  if (!text && text.error().errno_value() == ENOENT)
    return fail(ErrorCode::not_found, "open {}: no such file or directory", file);
  if (!text) return std::unexpected(std::move(text).error());
  TRY(auto documents, parse_yaml(*text, file));
  for (const Node& document : documents)
    if (!document.is_map()) return fail_at(document.mark, "top-level object must be a mapping");
  if (documents.empty()) return fail(ErrorCode::invalid, "{}: empty compose file", file);
  return parsed_[file] = std::move(documents);
}

Result<void> FileLoader::interpolate(Node& node, const std::string& path, Interpolator& interpolator) {
  if (node.is_text() || node.kind == Node::Kind::real) {
    if (!node.text.contains('$')) return {};
    auto text = interpolator.expand(node.text);
    if (!text) return fail_at(node.mark, "error while interpolating {}: {}", path, text.error().text());
    node.text = std::move(*text);
  }
  for (Member& member : node.members)
    TRY_OK(interpolate(member.value, path.empty() ? member.key : fmt::format("{}.{}", path, member.key), interpolator));
  for (std::size_t i = 0; i < node.items.size(); ++i)
    TRY_OK(interpolate(node.items[i], fmt::format("{}[{}]", path, i), interpolator));
  return {};
}

Result<std::vector<Node>> FileLoader::read_canonical(const std::string& file, const FileSet& set) {
  TRY(auto documents, read(file));
  Interpolator interpolator(set.variables);
  Walk walk{set.directory};
  for (Node& document : documents) {
    TRY_OK(interpolate(document, "", interpolator));
    TRY(document, make_canonical(std::move(document), kProjectShape, Place{"", walk}));
    if (document.find("version") != nullptr)
      warn(
          fmt::format("{}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid "
                      "potential confusion",
                      file));
  }
  for (const std::string& name : interpolator.missing())
    if (missing_.insert(name).second)
      warn(fmt::format("The \"{}\" variable is not set. Defaulting to a blank string.", name));
  return documents;
}

Result<Node> FileLoader::extended(const Node& tree, const std::string& name, const std::string& file,
                                  const FileSet& set, std::vector<std::string> chain) {
  const Node* services = tree.find("services");
  const Node* service = services == nullptr ? nullptr : services->find(name);
  if (service == nullptr)
    return fail(ErrorCode::invalid, "cannot extend service \"{}\" in {}: service not found", name, file);
  const Node* extends = service->find("extends");
  if (extends == nullptr || !extends->is_map()) return *service;
  std::string link = fmt::format("{} in {}", name, file);
  if (std::ranges::find(chain, link) != chain.end() || chain.size() >= kLongestChain)
    return fail_at(extends->mark, "circular reference: {} -> {}", join(chain, " -> "), link);
  chain.push_back(link);

  std::string base_name = extends->text_of("service"), base_file = extends->text_of("file");
  if (base_name.empty()) return fail_at(extends->mark, "services.{}.extends.service is required", name);
  Node base;
  if (base_file.empty() || base_file == file) {
    TRY(base, extended(tree, base_name, file, set, std::move(chain)));
  } else {
    FileSet base_set{{base_file}, directory_of(base_file), set.variables};
    TRY(auto documents, read_canonical(base_file, base_set));
    Node whole = Node::make_map();
    for (Node& document : documents) whole = merge(std::move(whole), std::move(document), kProjectShape);
    TRY(base, extended(whole, base_name, base_file, base_set, std::move(chain)));
  }
  Node own = *service;
  own.erase("extends");
  return merge(std::move(base), std::move(own), kServiceShape);
}

Result<void> FileLoader::apply_extends(Node& tree, const std::string& file, const FileSet& set) {
  Node* services = tree.find("services");
  if (services == nullptr || !services->is_map()) return {};
  Node result = *services;
  for (Member& member : result.members) {
    if (!member.value.is_map() || member.value.find("extends") == nullptr) continue;
    TRY(member.value, extended(tree, member.key, file, set, {}));
  }
  *services = std::move(result);
  return {};
}

Result<void> FileLoader::add_included(Node& tree, Node included) {
  for (std::string_view section : {"services", "networks", "volumes", "configs", "secrets"}) {
    Node* from = included.find(section);
    if (from == nullptr) continue;
    Node* to = tree.find(section);
    if (to == nullptr || !to->is_map()) to = &tree.set(section, Node::make_map());
    for (Member& member : from->members) {
      const Node* other = to->find(member.key);
      if (other != nullptr && !same_value(*other, member.value))
        return fail_at(other->mark, "{}.{} conflicts with imported resource", section, member.key);
      if (other == nullptr) to->members.push_back(std::move(member));
    }
  }
  return {};
}

Result<void> FileLoader::apply_includes(Node& tree, const FileSet& set) {
  const Node* found = tree.find("include");
  if (found == nullptr) return {};
  Node includes = *found;
  tree.erase("include");
  for (const Node& entry : includes.items) {
    const Node* paths = entry.find("path");
    if (paths == nullptr || paths->items.empty()) return fail_at(entry.mark, "include: path is missing");
    FileSet inner;
    for (const Node& path : paths->items) {
      if (std::ranges::find(including_, path.text) != including_.end() || including_.size() >= kLongestChain)
        return fail_at(entry.mark, "include cycle detected: {} -> {}", join(including_, " -> "), path.text);
      inner.files.push_back(path.text);
    }
    inner.directory = entry.text_of("project_directory");
    if (inner.directory.empty()) inner.directory = directory_of(inner.files.front());
    std::vector<std::string> env_files;
    const Node* listed = entry.find("env_file");
    if (listed != nullptr)
      for (const Node& file : listed->items) env_files.push_back(file.text);
    else
      env_files.push_back(inner.directory + "/.env");
    TRY(EnvResult env, read_variables(env_files, set.variables, listed == nullptr));
    inner.variables = std::move(env.variables);
    TRY(Node included, load(inner));
    TRY_OK(add_included(tree, std::move(included)));
  }
  return {};
}

Result<Node> FileLoader::load(const FileSet& set) {
  std::size_t outer = including_.size();
  including_.insert(including_.end(), set.files.begin(), set.files.end());
  Node tree = Node::make_map();
  for (const std::string& file : set.files) {
    TRY(auto documents, read_canonical(file, set));
    for (Node& document : documents) {
      TRY_OK(apply_extends(document, file, set));
      tree = merge(std::move(tree), std::move(document), kProjectShape);
    }
  }
  TRY_OK(apply_includes(tree, set));
  including_.resize(outer);
  drop_resets(tree);
  return tree;
}

Result<std::string> FileLoader::find_name(const FileSet& set) {
  std::string name;
  for (const std::string& file : set.files) {
    TRY(auto documents, read(file));
    for (const Node& document : documents) {
      const Node* node = document.find("name");
      if (node == nullptr || !node->is_text()) continue;
      Interpolator interpolator(set.variables);
      auto text = interpolator.expand(node->text);
      if (!text) return fail_at(node->mark, "error while interpolating name: {}", text.error().text());
      name = *text;
    }
  }
  return name;
}

Result<EnvResult> read_variables(const std::vector<std::string>& files, const Variables& environment, bool optional) {
  EnvResult result{environment, {}};
  Variables from_files;
  for (const std::string& file : files) {
    if (optional && !sys::exists(file)) continue;
    auto text = sys::read_file(file, 4 << 20);
    if (!text && text.error().errno_value() == ENOENT)
      return fail(ErrorCode::not_found, "couldn't find env file: {}", file);
    if (!text) return std::unexpected(std::move(text).error());
    Variables known = from_files;
    for (const auto& [name, value] : environment) known.insert_or_assign(name, value);
    TRY(EnvLines lines, parse_env_file(*text, file, known));
    for (auto& [name, value] : lines)
      if (value) from_files.insert_or_assign(name, *value);
    result.files.push_back(file);
  }
  // insert() keeps what the environment says.
  result.variables.insert(from_files.begin(), from_files.end());
  return result;
}

}  // namespace berth::compose
