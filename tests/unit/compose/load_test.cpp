// Several files as one project: finding, merging, extends, include, profiles, names, and what the parts say of each
// other.
#include "base/text.h"
#include "support.h"

namespace berth::compose {
namespace {

std::string error_of(const Directory& directory, const LoadOptions& options) {
  auto project = load_project(options);
  return project ? "no error" : directory.shown(project.error().text());
}

std::string names_of(const Services& services) {
  std::vector<std::string> names;
  for (const auto& [name, service] : services) names.push_back(name);
  return join(names, " ");
}

TEST(Files, AreFoundByName) {
  Directory directory{{"docker-compose.yml", "services: {a: {image: old}}"},
                      {"compose.yaml", "services: {a: {image: new}}"},
                      {"compose.override.yml", "services: {a: {hostname: h}}"},
                      {"sub/file", ""}};
  EXPECT_EQ(service_of(directory, directory.options()), canonical("{hostname: h, image: new, networks: {default: }}"));
  LoadOptions below = directory.options();
  below.working_directory += "/sub";
  EXPECT_EQ(load_project(below)->directory, directory.path());
  LoadOptions named = directory.options();
  named.files = {"docker-compose.yml"};
  EXPECT_EQ(service_of(directory, named), canonical("{image: old, networks: {default: }}"));
  EXPECT_EQ(service_of(directory, directory.options({{"COMPOSE_FILE", "docker-compose.yml:compose.override.yml"}})),
            canonical("{hostname: h, image: old, networks: {default: }}"));
  named.files = {"nope.yaml"};
  EXPECT_EQ(error_of(directory, named), "open DIR/nope.yaml: no such file or directory");
  Directory empty{};
  EXPECT_EQ(error_of(empty, empty.options()), "no configuration file provided: not found");
  Directory nothing{{"compose.yaml", "# nothing"}};
  EXPECT_EQ(error_of(nothing, nothing.options()), "DIR/compose.yaml: empty compose file");
}

TEST(Files, NamesOfProjects) {
  Directory directory{{"My App.d/compose.yaml", "services: {}"}, {"named/compose.yaml", "name: ${X:-from}-file"}};
  LoadOptions options = directory.options();
  options.project_name.clear();
  options.files = {"My App.d/compose.yaml"};
  EXPECT_EQ(load_project(options)->name, "myappd");
  options.files = {"named/compose.yaml"};
  EXPECT_EQ(load_project(options)->name, "from-file");
  options.environment = {{"COMPOSE_PROJECT_NAME", "of-env"}};
  EXPECT_EQ(load_project(options)->name, "of-env");
  options.project_name = "given";
  EXPECT_EQ(load_project(options)->name, "given");
  options.project_name = "Not Good";
  EXPECT_TRUE(error_of(directory, options).starts_with("invalid project name \"Not Good\""));
}

TEST(Files, Variables) {
  Directory directory{{"compose.yaml", "services: {a: {image: 'i:$TAG', hostname: $COMPOSE_PROJECT_NAME}}"},
                      {".env", "TAG=dot"},
                      {"other.env", "TAG=other"}};
  LoadOptions options = directory.options();
  EXPECT_TRUE(service_of(directory, options).contains("image: i:dot\n"));
  EXPECT_TRUE(service_of(directory, options).contains("hostname: p\n"));
  options.env_files = {"other.env"};
  EXPECT_TRUE(service_of(directory, options).contains("image: i:other\n"));
  options.environment = {{"TAG", "env"}};
  EXPECT_TRUE(service_of(directory, options).contains("image: i:env\n"));
  options.env_files = {"nope.env"};
  EXPECT_EQ(error_of(directory, options), "couldn't find env file: DIR/nope.env");
  directory.write(".env", "");
  EXPECT_EQ(load_project(directory.options())->warnings,
            (std::vector<std::string>{"The \"TAG\" variable is not set. Defaulting to a blank string."}));
}

TEST(Files, EnvFilesOfServices) {
  Directory directory{{"compose.yaml",
                       "services:\n  a:\n    image: i\n    network_mode: none\n    env_file: [a.env, {path: nope.env, "
                       "required: false}, "
                       "{path: raw.env, format: raw}]\n    environment: {OWN: o, OVER: own}\n"},
                      {"a.env", "OVER=file\nX='${Y}'\nPASSED\n"},
                      {"raw.env", "R='q'\n"}};
  EXPECT_EQ(service_of(directory, directory.options({{"PASSED", "p"}})),
            canonical("{image: i, network_mode: none}",
                      "environment: {OVER: own, X: '${Y}', PASSED: p, R: \"'q'\", OWN: o}"));
}

struct Merge {
  const char* first;
  const char* second;
  const char* expected;
};

TEST(Files, AreMerged) {
  for (const Merge& merge : {
           Merge{"command: a b", "command: c", "command: [c]"},
           {"environment: {A: 1, B: 2}", "environment: [B=3, C=4]", "environment: {A: '1', B: '3', C: '4'}"},
           {"dns: [a]", "dns: b", "dns: [a, b]"},
           {"cap_add: [A]", "cap_add: [A, B]", "cap_add: [A, B]"},
           {"expose: [80]", "expose: ['81']", "expose: ['80', '81']"},
           {"ports: ['80:80']", "ports: ['80:80', '81:80']",
            "ports: [{mode: ingress, protocol: tcp, published: '80', target: 80}, {mode: ingress, protocol: tcp, "
            "published: '81', target: 80}]"},
           {"volumes: [/a, '/x:/b']", "volumes: ['/y:/b']",
            "volumes: [{target: /a, type: volume}, {bind: {create_host_path: true}, source: /y, target: /b, type: "
            "bind}]"},
           {"healthcheck: {test: a, interval: 1s}", "healthcheck: {test: [CMD, b]}",
            "healthcheck: {interval: 1s, test: [CMD, b]}"},
           {"logging: {driver: local, options: {a: b}}", "logging: {driver: json-file}",
            "logging: {driver: json-file}"},
           {"logging: {driver: local, options: {a: b}}", "logging: {options: {c: d}}",
            "logging: {driver: local, options: {a: b, c: d}}"},
           {"ports: ['80:80']", "ports: !reset []", ""},
           {"ports: ['80:80']", "ports: !reset", ""},
           {"environment: {A: 1, B: 2}", "environment: {A: !reset null}", "environment: {B: '2'}"},
           {"dns: [a]", "dns: !override [b]", "dns: [b]"},
           {"environment: {A: 1}", "environment: !override {B: 2}", "environment: {B: '2'}"},
           {"ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 5}", "ulimits: {nofile: {hard: 5, soft: 5}}"},
           {"hostname: a", "hostname:", "hostname: a"},
       }) {
    auto text = [](const char* line) {
      return "services:\n  a:\n    image: i\n    network_mode: none\n    " + std::string(line) + "\n";
    };
    Directory directory{{"1.yaml", text(merge.first)}, {"2.yaml", text(merge.second)}};
    LoadOptions options = directory.options();
    options.files = {"1.yaml", "2.yaml"};
    std::string loaded = service_of(directory, options);
    EXPECT_EQ(loaded, canonical("{image: i, network_mode: none}", merge.expected))
        << merge.first << " + " << merge.second;
  }
}

TEST(Files, DependenciesAreMerged) {
  Directory directory{{"1.yaml", "services: {a: {image: i, depends_on: [b]}, b: {image: i}}"},
                      {"2.yaml", "services: {a: {depends_on: {b: {condition: service_healthy, restart: true}}}}"}};
  LoadOptions options = directory.options();
  options.files = {"1.yaml", "2.yaml"};
  auto project = load_project(options);
  ASSERT_TRUE(project) << project.error().text();
  const Dependency& dependency = project->services.find("a")->second.depends_on.at(0);
  EXPECT_EQ(dependency.condition, Condition::healthy);
  EXPECT_TRUE(dependency.restart);
  EXPECT_TRUE(dependency.required);
}

TEST(Files, Extends) {
  Directory directory{
      {"compose.yaml",
       "services:\n  a:\n    extends: {file: base/base.yaml, service: x}\n    environment: {B: own}\n"
       "  c:\n    extends: a\n    hostname: c\n"},
      {"base/base.yaml",
       "services:\n  x: {extends: y, volumes: ['./v:/v'], environment: {A: 1, B: 2}}\n  y: {image: i, user: u}\n"}};
  std::string a = service_of(directory, directory.options());
  EXPECT_TRUE(a.contains("source: DIR/base/v")) << a;
  EXPECT_TRUE(a.contains("user: u") && a.contains("B: own") && a.contains("A: \"1\"")) << a;
  EXPECT_TRUE(service_of(directory, directory.options(), "c").contains("hostname: c"));
  EXPECT_TRUE(service_of(directory, directory.options(), "c").contains("user: u"));

  Directory cycle{{"compose.yaml", "services: {a: {extends: b, image: i}, b: {extends: a}}"}};
  EXPECT_EQ(error_of(cycle, cycle.options()),
            "DIR/compose.yaml:1: circular reference: a in DIR/compose.yaml -> b in DIR/compose.yaml -> a in "
            "DIR/compose.yaml");
  Directory missing{{"compose.yaml", "services: {a: {extends: b, image: i}}"}};
  EXPECT_EQ(error_of(missing, missing.options()), "cannot extend service \"b\" in DIR/compose.yaml: service not found");
}

TEST(Files, Include) {
  Directory directory{{"compose.yaml", "include: [inner/compose.yaml]\nservices: {a: {image: i, depends_on: [b]}}"},
                      {"inner/compose.yaml", "services: {b: {image: '$TAG', volumes: ['./v:/v']}}\nvolumes: {d: }"},
                      {"inner/.env", "TAG=inner"},
                      {".env", "OTHER=1"}};
  std::string b = service_of(directory, directory.options(), "b");
  EXPECT_TRUE(b.contains("image: inner") && b.contains("source: DIR/inner/v")) << b;
  EXPECT_TRUE(load_project(directory.options())->volumes.contains("d"));
  directory.write("compose.yaml", "include: [inner/compose.yaml]\nservices: {b: {image: other}}");
  EXPECT_EQ(error_of(directory, directory.options()),
            "DIR/compose.yaml:2: services.b conflicts with imported resource");
  directory.write("inner/compose.yaml", "include: ['../compose.yaml']");
  EXPECT_TRUE(error_of(directory, directory.options()).contains("include cycle detected"))
      << error_of(directory, directory.options());
}

TEST(Project, Profiles) {
  Directory directory{{"compose.yaml",
                       "services: {a: {image: i}, b: {image: i, profiles: [x], depends_on: [c]}, c: {image: i, "
                       "profiles: [x, y]}, d: {image: i, profiles: [z]}}"}};
  auto enabled = [&](const std::vector<std::string>& profiles, Variables environment = {}) {
    LoadOptions options = directory.options(std::move(environment));
    options.profiles = profiles;
    auto project = load_project(options);
    return project ? names_of(project->services) : project.error().text();
  };
  EXPECT_EQ(enabled({}), "a");
  EXPECT_EQ(enabled({"x"}), "a b c");
  EXPECT_EQ(enabled({"*"}), "a b c d");
  EXPECT_EQ(enabled({}, {{"COMPOSE_PROFILES", "y,z"}}), "a c d");
  auto project = load_project(directory.options());
  ASSERT_TRUE(enable_services(*project, {"b"}));
  EXPECT_EQ(names_of(project->services), "a b c");
  EXPECT_EQ(enable_services(*project, {"nope"}).error().text(), "no such service: nope");
}

TEST(Project, Order) {
  Directory directory{{"compose.yaml",
                       "services: {web: {image: i, depends_on: [api], links: ['db:data']}, api: {image: i, "
                       "network_mode: 'service:net'}, db: {image: i}, net: {image: i}}"}};
  auto project = load_project(directory.options());
  ASSERT_TRUE(project) << project.error().text();
  auto order = [&](const std::vector<std::string>& names, bool with_dependencies) {
    auto list = start_order(*project, names, with_dependencies);
    return list ? join(*list, " ") : list.error().text();
  };
  EXPECT_EQ(order({}, true), "net api db web");
  EXPECT_EQ(order({"api"}, true), "net api");
  EXPECT_EQ(order({"web", "api"}, false), "api web");
  EXPECT_EQ(order({"nope"}, true), "no such service: nope");
}

TEST(Project, WhatDoesNotFitIsRefused) {
  for (const auto& [text, message] : std::initializer_list<std::pair<std::string, std::string>>{
           {"services: {a: {}}", "service \"a\" has neither an image nor a build context specified"},
           {"services: {a: {image: i, networks: [n]}}", "service \"a\" refers to undefined network n"},
           {"services: {a: {image: i, secrets: [n]}}", "service \"a\" refers to undefined secret n"},
           {"services: {a: {image: i, configs: [n]}}", "service \"a\" refers to undefined config n"},
           {"services: {a: {image: i, depends_on: [b]}}", "service \"a\" depends on undefined service \"b\""},
           {"services: {a: {image: i, depends_on: [b]}, b: {image: i, profiles: [x]}}",
            "service \"b\" is required by \"a\" but is disabled. Can be enabled by profiles [x]"},
           {"services: {a: {image: i, network_mode: host, networks: [default]}}",
            "service \"a\" declares mutually exclusive `network_mode` and `networks`"},
           {"services: {a: {image: i, container_name: x}, b: {image: i, container_name: x}}",
            "services \"a\" and \"b\" have the same container_name \"x\""},
       }) {
    Directory directory{{"compose.yaml", text}};
    EXPECT_EQ(error_of(directory, directory.options()), message + ": invalid compose project") << text;
  }
  for (const auto& [text, message] : std::initializer_list<std::pair<std::string, std::string>>{
           {"services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [a]}}",
            "dependency cycle detected: a -> b -> a"},
           {"services: {'a b': {image: i}}",
            "DIR/compose.yaml:1: services: invalid name \"a b\": only letters, digits, '.', '_' and '-' are allowed"},
           {"serices: {}",
            "DIR/compose.yaml:1: the file: additional properties 'serices' not allowed; did you mean "
            "services?"},
           {"secrets: {s: {file: a, environment: B}}",
            "DIR/compose.yaml:1: secrets.s: exactly one of file, environment and content is needed"},
           {"secrets: {s: {environment: NOPE}}",
            "DIR/compose.yaml:1: environment variable \"NOPE\" required by secrets \"s\" is not set"},
           {"secrets: {s: {external: true}}",
            "DIR/compose.yaml:1: secrets.s.external is not supported: it is for swarm services, which the engine does "
            "not have"},
           {"networks: {n: {external: true, driver: x}}",
            "DIR/compose.yaml:1: networks.n: conflicting parameters \"external\" and \"driver\" specified"},
           {"services: {a: {image: i, scale: 2, deploy: {replicas: 3}}}",
            "DIR/compose.yaml:1: services.a: can't set distinct values on 'scale' and 'deploy.replicas': invalid "
            "compose project"},
           {"[1]", "DIR/compose.yaml:1: top-level object must be a mapping"},
       }) {
    Directory directory{{"compose.yaml", text}};
    EXPECT_EQ(error_of(directory, directory.options()), message) << text;
  }
  Directory optional{{"compose.yaml", "services: {a: {image: i, depends_on: {b: {required: false}}}}"}};
  EXPECT_EQ(error_of(optional, optional.options()), "no error");
}

TEST(Project, HashChangesWithWhatAContainerComesFrom) {
  auto hash = [](const std::string& service, const std::string& rest = "") {
    Directory directory{{"compose.yaml", "services: {a: {image: i, " + service + "}, b: {image: i}}\n" + rest}};
    auto project = load_project(directory.options());
    return project ? config_hash(*project, project->services.find("a")->second) : project.error().text();
  };
  std::string plain = hash("hostname: h");
  EXPECT_EQ(plain.size(), 64U);
  EXPECT_EQ(plain, hash("hostname: h, scale: 3"));
  EXPECT_EQ(plain, hash("hostname: h, depends_on: [b]"));
  EXPECT_EQ(plain, hash("hostname: h, pull_policy: always"));
  EXPECT_NE(plain, hash("hostname: other"));
  EXPECT_EQ(hash("labels: {a: b, c: d}"), hash("labels: [c=d, a=b]"));
  EXPECT_NE(hash("configs: [c]", "configs: {c: {content: one}}"), hash("configs: [c]", "configs: {c: {content: two}}"));
}

}  // namespace
}  // namespace berth::compose
