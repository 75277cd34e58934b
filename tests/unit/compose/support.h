// A project in a directory of its own, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "compose/project.h"
#include "compose/yaml.h"

namespace berth::compose {

class Directory {
 public:
  explicit Directory(std::initializer_list<std::pair<std::string, std::string>> files) {
    std::string name = (std::filesystem::temp_directory_path() / "compose-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    for (const auto& [file, text] : files) write(file, text);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  void write(const std::string& file, const std::string& text) const {
    std::filesystem::path path = std::filesystem::path(path_) / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  const std::string& path() const { return path_; }

  LoadOptions options(Variables environment = {}) const {
    LoadOptions options;
    options.project_name = "p";
    options.working_directory = path_;
    options.environment = std::move(environment);
    return options;
  }
  // With the directory's own name, which differs from run to run, as DIR.
  std::string shown(std::string text) const {
    for (std::size_t at; (at = text.find(path_)) != std::string::npos;) text.replace(at, path_.size(), "DIR");
    return text;
  }

 private:
  std::string path_;
};

inline json::Value sorted(const json::Value& value) {
  if (value.is_array()) {
    json::Array array;
    for (const json::Value& item : value.get_array()) array.push_back(sorted(item));
    return array;
  }
  if (!value.is_object()) return value;
  std::map<std::string, json::Value> members;
  for (const auto& member : value.get_object()) members[std::string(member.key())] = sorted(member.value());
  json::Object object;
  for (auto& [key, member] : members) object[key] = std::move(member);
  return object;
}

// Maps written in YAML as one, in the order in which `config` prints it.
inline std::string canonical(const std::string& yaml, const std::string& more = "") {
  json::Object whole;
  for (const std::string& text : {yaml, more}) {
    auto documents = parse_yaml(text, "expected");
    if (!documents) return documents.error().text();
    for (const Node& document : *documents)
      for (const Member& member : document.members) whole[member.key] = to_json(member.value);
  }
  return print_yaml(sorted(whole));
}

// The configuration of one service, or the error.
inline std::string service_of(const Directory& directory, const LoadOptions& options, const std::string& name = "a") {
  auto project = load_project(options);
  if (!project) return directory.shown(project.error().text());
  auto config = config_of(*project);
  const json::Value* service = json::find(*json::find(config, "services"), name);
  return service == nullptr ? "no such service" : directory.shown(print_yaml(*service));
}

}  // namespace berth::compose
