#include "workspace/spec.h"

#include "workspace/name.h"

namespace berth::workspace {

namespace {

// Spec as it is stored; a member may be added, never change its meaning.
struct StoredSpec {
  std::string name;
  std::string image;
  std::string keys;
  std::int64_t memory = 0;
  std::int64_t nano_cpus = 0;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(StoredSpec, (), (name, image, keys, memory, nano_cpus, number))

std::unexpected<Problem> broken(std::string_view why) {
  return refuse(ErrorCode::internal, "broken_labels", fmt::format("The labels of a workspace are broken: {}.", why));
}

json::Object label_object(const Labels& labels) {
  json::Object object;
  for (const auto& [key, value] : labels) object[key] = value;
  return object;
}

json::Object volume_mount(const std::string& volume, std::string_view target) {
  return {{"Type", "volume"}, {"Source", volume}, {"Target", target}};
}

std::string listen_at(const Settings& settings, std::uint16_t port) {
  bool v6 = settings.listen_address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", settings.listen_address, port)
            : fmt::format("{}:{}", settings.listen_address, port);
}

// images/guest-tools/root/libexec reads the environment.
json::Value ssh_activation(const Spec& spec, const Settings& settings, std::string_view image_date) {
  json::Array environment{"BERTH_KEYS=" + print_keys(spec.keys), "BERTH_IMAGE=" + spec.image,
                          fmt::format("BERTH_IMAGE_DATE={}", image_date),
                          fmt::format("BERTH_SESSION_TIMEOUT={}", settings.session_timeout)};
  json::Object exec{{"Cmd", json::Array{"/.berth/libexec/ssh-session"}},
                    {"User", "0:0"},
                    {"Env", std::move(environment)},
                    {"WorkingDir", "/"}};
  return json::Object{{"Name", "ssh"},
                      {"Listen", listen_at(settings, ssh_port(settings.port_base, spec.number))},
                      {"Exec", std::move(exec)},
                      {"MaxConnections", 64}};
}

}  // namespace

std::string print_spec(const Spec& spec) {
  return json::print(
      json::encode(StoredSpec{spec.name, spec.image, print_keys(spec.keys), spec.memory, spec.nano_cpus, spec.number}));
}

Labels labels_of(const Spec& spec) {
  return {{std::string(kNameLabel), spec.name}, {std::string(kSpecLabel), print_spec(spec)}};
}

Outcome<Spec> spec_of(const Labels& labels) {
  auto label = labels.find(std::string(kSpecLabel));
  if (label == labels.end()) return broken("there is no spec");
  TRY(auto value, json::parse(label->second));
  TRY(auto stored, json::decode<StoredSpec>(value));
  TRY_OK(check_name(stored.name));
  TRY(auto keys, parse_keys(stored.keys));
  if (stored.number < 1) return broken("there is no number");
  return Spec{std::move(stored.name), std::move(stored.image), std::move(keys),
              stored.memory,          stored.nano_cpus,        stored.number};
}

Labels volume_labels(const Spec& spec) {
  return {{std::string(kNameLabel), spec.name}, {std::string(kKeysLabel), print_keys(spec.keys)}};
}

json::Value container_body(const Spec& spec, const Settings& settings, std::string_view image_date) {
  json::Object host{{"NetworkMode", settings.network},
                    {"Memory", spec.memory},
                    {"NanoCpus", spec.nano_cpus},
                    {"PidsLimit", settings.pids_limit},
                    {"Mounts", json::Array{volume_mount(home_volume(spec.name), "/home/user"),
                                           volume_mount(state_volume(spec.name), "/media/state")}},
                    {"LogConfig", json::Object{{"Type", "json-file"},
                                               {"Config", json::Object{{"max-size", "1m"}, {"max-file", "2"}}}}}};
  json::Object berth{{"Activations", json::Array{ssh_activation(spec, settings, image_date)}},
                     {"IdleTimeout", settings.idle_timeout},
                     {"GuestTools", true}};
  return json::Object{{"Image", spec.image},
                      {"Hostname", host_name(spec.name)},
                      {"User", "0:0"},
                      {"WorkingDir", "/"},
                      {"Entrypoint", json::Array{"/.berth/bin/init", "-P"}},
                      {"Cmd", json::Array{}},
                      {"StopSignal", "SIGTERM"},
                      {"Labels", label_object(labels_of(spec))},
                      {"HostConfig", std::move(host)},
                      {"Berth", std::move(berth)}};
}

json::Value announcement_body(const Spec& spec) {
  Labels labels{{std::string(kNextLabel), spec.name}, {std::string(kSpecLabel), print_spec(spec)}};
  return json::Object{{"Image", spec.image},
                      {"User", "0:0"},
                      {"Entrypoint", json::Array{"/.berth/bin/init", "-P"}},
                      {"Cmd", json::Array{}},
                      {"Labels", label_object(labels)},
                      {"HostConfig", json::Object{{"NetworkMode", "none"}}}};
}

}  // namespace berth::workspace
