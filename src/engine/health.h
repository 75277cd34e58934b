// What the results of a container's health check make of its health. Pure: no time passes here.
//
// Source of the behaviour: `docker run` reference, "HEALTHCHECK"; Dockerfile reference.
#pragma once

#include <chrono>
#include <optional>

#include "engine/spec.h"
#include "engine/status.h"

namespace berth::engine {

inline constexpr std::size_t kHealthLogLength = 5;
// Of the output of a check, in bytes; what is longer is cut and ends in "...".
inline constexpr std::size_t kHealthOutputMost = 4096;

// Whether there is a command to run.
bool has_check(const std::optional<HealthSpec>& health);
// What was asked, completed with what the image says; nothing when neither has a check.
std::optional<HealthSpec> merge_health(std::optional<HealthSpec> asked, const std::optional<HealthSpec>& image);
// Docker's object, of an image or a request: {"Test": [...], "Interval": NS, ...}. invalid for wrong types.
Result<HealthSpec> decode_health(const json::Value& object);
// Docker's texts: times under a millisecond, negative retries, unknown kinds of test.
Result<void> check_health(const HealthSpec& health);

// From the end of one check, or the start of the container, to the next.
std::chrono::nanoseconds health_interval(const HealthSpec& health, const HealthStatus& status, Time started, Time now);
std::chrono::nanoseconds health_timeout(const HealthSpec& health);

// Notes the result; true when the state has changed by it.
bool note_probe(const HealthSpec& health, Time started, HealthProbe probe, HealthStatus& status);

}  // namespace berth::engine
