#include "engine/health.h"

#include <algorithm>

namespace berth::engine {

namespace {

constexpr std::chrono::seconds kInterval{30};
constexpr std::chrono::seconds kTimeout{30};
constexpr std::chrono::seconds kStartInterval{5};
constexpr int kRetries = 3;

std::chrono::nanoseconds or_default(std::int64_t asked, std::chrono::nanoseconds fallback) {
  return asked == 0 ? fallback : std::chrono::nanoseconds(asked);
}

bool in_start_period(const HealthSpec& health, Time started, Time moment) {
  return moment.nanoseconds - started.nanoseconds < health.start_period;
}

}  // namespace

bool has_check(const std::optional<HealthSpec>& health) {
  return health && !health->test.empty() && health->test.front() != "NONE";
}

std::optional<HealthSpec> merge_health(std::optional<HealthSpec> asked, const std::optional<HealthSpec>& image) {
  if (!asked) return image;
  if (!image) return asked;
  // Times alone may be asked for; the command is then the image's.
  if (asked->test.empty()) asked->test = image->test;
  for (auto member :
       {&HealthSpec::interval, &HealthSpec::timeout, &HealthSpec::start_period, &HealthSpec::start_interval})
    if ((*asked).*member == 0) (*asked).*member = (*image).*member;
  if (asked->retries == 0) asked->retries = image->retries;
  return asked;
}

namespace {

// The members of Docker's object, as they are named there.
struct DockerHealth {
  std::vector<std::string> Test;
  std::int64_t Interval = 0;
  std::int64_t Timeout = 0;
  std::int64_t StartPeriod = 0;
  std::int64_t StartInterval = 0;
  int Retries = 0;
};
BOOST_DESCRIBE_STRUCT(DockerHealth, (), (Test, Interval, Timeout, StartPeriod, StartInterval, Retries))

}  // namespace

Result<HealthSpec> decode_health(const json::Value& object) {
  TRY(DockerHealth said, json::decode<DockerHealth>(object));
  return HealthSpec{std::move(said.Test), said.Interval,      said.Timeout,
                    said.StartPeriod,     said.StartInterval, said.Retries};
}

Result<void> check_health(const HealthSpec& health) {
  constexpr std::int64_t kLeast = 1'000'000;
  struct Named {
    const char* name;
    std::int64_t value;
  };
  for (const Named& each : {Named{"Interval", health.interval}, Named{"Timeout", health.timeout},
                            Named{"StartPeriod", health.start_period}, Named{"StartInterval", health.start_interval}})
    if (each.value != 0 && each.value < kLeast)
      return fail(ErrorCode::invalid, "{} in Healthcheck cannot be less than 1ms", each.name);
  if (health.retries < 0) return fail(ErrorCode::invalid, "Retries in Healthcheck cannot be negative");
  if (!has_check(health)) return {};
  const std::string& kind = health.test.front();
  if (kind != "CMD" && kind != "CMD-SHELL")
    return fail(ErrorCode::invalid, "Unknown healthcheck type '{}' (expected 'CMD')", kind);
  if (health.test.size() < 2) return fail(ErrorCode::invalid, "Healthcheck.Test: {} needs a command", kind);
  return {};
}

std::chrono::nanoseconds health_interval(const HealthSpec& health, const HealthStatus& status, Time started, Time now) {
  // Without a period of its own the start is as any other time.
  if (status.state == "starting" && in_start_period(health, started, now))
    return or_default(health.start_interval, kStartInterval);
  return or_default(health.interval, kInterval);
}

std::chrono::nanoseconds health_timeout(const HealthSpec& health) { return or_default(health.timeout, kTimeout); }

bool note_probe(const HealthSpec& health, Time started, HealthProbe probe, HealthStatus& status) {
  std::string before = status.state;
  if (probe.exit_code == 0) {
    status.failing_streak = 0;
    status.state = "healthy";
  } else if (status.state != "starting" || !in_start_period(health, started, probe.start)) {
    ++status.failing_streak;
    if (status.failing_streak >= (health.retries == 0 ? kRetries : health.retries)) status.state = "unhealthy";
  }
  status.log.push_back(std::move(probe));
  if (status.log.size() > kHealthLogLength)
    status.log.erase(status.log.begin(), status.log.end() - static_cast<std::ptrdiff_t>(kHealthLogLength));
  return status.state != before;
}

}  // namespace berth::engine
