#include "cli/compose_wait.h"

#include <thread>

#include "cli/compose_tasks.h"
#include "cli/output.h"

namespace berth::cli {

namespace {

// The engine has no call that waits for health; this is how often its word is asked.
constexpr std::chrono::milliseconds kInterval{200};

struct Look {
  std::string status, health;  // health is empty without a check
  int exit_code = 0;
};

Result<Look> look_at(const EngineClient& engine, const std::string& id) {
  TRY(json::Value container, engine.get(fmt::format("/containers/{}/json", escape_path(id))));
  Look look;
  const json::Value* state = json::find(container, "State");
  if (state == nullptr) return look;
  look.status = json::string_or(*state, "Status");
  look.exit_code = static_cast<int>(json::int_or(*state, "ExitCode"));
  if (const json::Value* health = json::find(*state, "Health")) look.health = json::string_or(*health, "Status");
  if (look.health == "none") look.health.clear();
  return look;
}

bool has_ended(const Look& look) { return look.status == "exited" || look.status == "dead"; }

// Until it is healthy. without_check: what it is worth that there is no health check.
Result<void> wait_healthy(const EngineClient& engine, const ComposeContainer& container, bool check_needed,
                          std::optional<std::chrono::steady_clock::time_point> deadline) {
  while (true) {
    TRY(Look look, look_at(engine, container.id));
    if (has_ended(look)) return fail(ErrorCode::io, "container {} exited ({})", container.name, look.exit_code);
    if (look.health.empty()) {
      if (check_needed) return fail(ErrorCode::invalid, "container {} has no healthcheck configured", container.name);
      if (look.status == "running") return {};
    }
    if (look.health == "healthy") return {};
    if (look.health == "unhealthy") return fail(ErrorCode::io, "container {} is unhealthy", container.name);
    if (deadline && std::chrono::steady_clock::now() > *deadline)
      return fail(ErrorCode::timeout, "timeout waiting for dependencies");
    std::this_thread::sleep_for(kInterval);
  }
}

Result<void> wait_condition(const EngineClient& engine, const ComposeContainer& container,
                            const compose::Dependency& dependency) {
  print_step("Container", container.name, "Waiting");
  if (dependency.condition == compose::Condition::completed) {
    TRY(int code, wait_for_end(engine, container.id));
    if (code != 0)
      return fail(ErrorCode::io, "service \"{}\" didn't complete successfully: exit {}", dependency.service, code);
    print_step("Container", container.name, "Exited");
    return {};
  }
  auto healthy = wait_healthy(engine, container, true, {});
  if (!healthy) {
    print_step("Container", container.name, "Error");
    return fail(healthy.error().code(), "dependency failed to start: {}", healthy.error().text());
  }
  print_step("Container", container.name, "Healthy");
  return {};
}

}  // namespace

Result<int> wait_for_end(const EngineClient& engine, const std::string& id) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = fmt::format("/containers/{}/wait", escape_path(id));
  TRY(auto response, engine.open_stream(std::move(request)));
  TRY(std::string text, response.read_all());
  TRY(json::Value answer, json::parse(text));
  return static_cast<int>(json::int_or(answer, "StatusCode"));
}

Result<void> wait_for_dependency(const EngineClient& engine, const std::string& project,
                                 const compose::Dependency& dependency) {
  if (dependency.condition == compose::Condition::started) return {};
  TRY(auto containers, list_containers(engine, project, OneOff::without, {dependency.service}));
  auto done = for_each_together(
      containers, [&](const ComposeContainer& container) { return wait_condition(engine, container, dependency); });
  if (done || dependency.required) return done;
  print_error(fmt::format("WARN[0000] optional dependency \"{}\": {}\n", dependency.service, done.error().text()));
  return {};
}

Result<void> wait_until_ready(const EngineClient& engine, const std::vector<ComposeContainer>& containers,
                              std::optional<std::chrono::seconds> limit) {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (limit) deadline = std::chrono::steady_clock::now() + *limit;
  return for_each_together(containers, [&](const ComposeContainer& container) -> Result<void> {
    print_step("Container", container.name, "Waiting");
    TRY_OK(wait_healthy(engine, container, false, deadline));
    print_step("Container", container.name, "Healthy");
    return {};
  });
}

}  // namespace berth::cli
