#include "docker/create_request.h"

#include "docker/detail/host_config.h"
#include "docker/fields.h"

namespace berth::docker {

namespace {

using engine::ContainerSpec;

Result<void> decode_healthcheck(const json::Value* value) {
  if (value == nullptr) return {};
  Fields fields(*value, "Healthcheck");
  auto test = fields.take_words("Test").value_or(std::vector<std::string>());
  if (test.empty() || test == std::vector<std::string>{"NONE"}) return {};
  return fail(ErrorCode::invalid, "Healthcheck is not supported by this engine");
}

Result<std::vector<std::string>> decode_exposed(Fields& config) {
  std::vector<std::string> exposed;
  for (const std::string& text : config.take_keys("ExposedPorts")) {
    TRY(auto port, detail::parse_port(text));
    exposed.push_back(fmt::format("{}/{}", port.first, port.second));
  }
  return exposed;
}

Result<void> decode_config(Fields& config, engine::CreateRequest& request) {
  ContainerSpec& spec = request.spec;
  spec.image = config.take<std::string>("Image");
  spec.hostname = config.take<std::string>("Hostname");
  spec.domainname = config.take<std::string>("Domainname");
  spec.process.user = config.take<std::string>("User");
  spec.process.env = config.take<std::vector<std::string>>("Env");
  spec.process.working_dir = config.take<std::string>("WorkingDir");
  spec.process.tty = config.take<bool>("Tty");
  spec.open_stdin = config.take<bool>("OpenStdin");
  spec.stdin_once = config.take<bool>("StdinOnce");
  spec.attach_stdin = config.take<bool>("AttachStdin");
  spec.attach_stdout = config.take<bool>("AttachStdout");
  spec.attach_stderr = config.take<bool>("AttachStderr");
  spec.labels = config.take<std::map<std::string, std::string>>("Labels");
  spec.volumes = config.take_keys("Volumes");
  spec.stop_signal = config.take<std::string>("StopSignal");
  spec.stop_timeout = config.take<std::optional<int>>("StopTimeout");
  request.entrypoint = config.take_words("Entrypoint");
  request.cmd = config.take_words("Cmd");
  TRY(spec.exposed_ports, decode_exposed(config));
  TRY_OK(decode_healthcheck(config.take_value("Healthcheck")));
  // Facts about how an image was built, which some clients copy from it; Name is the old place of the query's name.
  config.drop({"OnBuild", "ArgsEscaped", "Shell", "Name"});
  return {};
}

engine::ProcessSpec decode_activation_exec(const json::Value* value, Fields& activation) {
  engine::ProcessSpec process;
  if (value == nullptr) return process;
  Fields exec(*value, activation.path_of("Exec"));
  process.args = exec.take<std::vector<std::string>>("Cmd");
  process.env = exec.take<std::vector<std::string>>("Env");
  process.user = exec.take<std::string>("User");
  process.working_dir = exec.take<std::string>("WorkingDir");
  activation.note(exec.finish());
  return process;
}

Result<engine::ActivationSpec> decode_activation(const json::Value& value, std::string path) {
  Fields fields(value, path);
  engine::ActivationSpec activation;
  activation.name = fields.take<std::string>("Name");
  activation.listen = fields.take<std::string>("Listen");
  activation.exec = decode_activation_exec(fields.take_value("Exec"), fields);
  int most = fields.take<int>("MaxConnections");
  if (most != 0) activation.max_connections = most;
  TRY_OK(fields.finish());
  if (most < 0) return fail(ErrorCode::invalid, "{}.MaxConnections must not be negative", path);
  if (activation.name.empty() || activation.listen.empty() || activation.exec.args.empty())
    return fail(ErrorCode::invalid, "{} needs Name, Listen and Exec.Cmd", path);
  return activation;
}

Result<void> decode_berth(const json::Value& value, ContainerSpec& spec) {
  Fields berth(value, "Berth");
  auto activations = berth.take<std::vector<json::Value>>("Activations");
  for (std::size_t i = 0; i < activations.size(); ++i) {
    TRY(auto activation, decode_activation(activations[i], fmt::format("Berth.Activations[{}]", i)));
    spec.activations.push_back(std::move(activation));
  }
  spec.idle_timeout = berth.take<std::int64_t>("IdleTimeout");
  spec.guest_tools = berth.take<bool>("GuestTools");
  TRY_OK(berth.finish());
  if (spec.idle_timeout < 0) return fail(ErrorCode::invalid, "Berth.IdleTimeout must not be negative");
  return {};
}

}  // namespace

Result<engine::CreateRequest> decode_create_request(const json::Value& body, std::string name) {
  if (body.is_null()) return fail(ErrorCode::invalid, "invalid JSON: got EOF while reading request body");
  engine::CreateRequest request;
  request.spec.name = std::move(name);
  Fields config(body, "");
  TRY_OK(decode_config(config, request));
  if (const json::Value* host = config.take_value("HostConfig"))
    TRY_OK(detail::decode_host_config(*host, request.spec));
  if (const json::Value* networking = config.take_value("NetworkingConfig"))
    TRY_OK(detail::decode_networking(*networking, request.spec));
  if (const json::Value* berth = config.take_value("Berth")) TRY_OK(decode_berth(*berth, request.spec));
  TRY_OK(config.finish_body({"MacAddress", "NetworkDisabled"}));
  return request;
}

}  // namespace berth::docker
