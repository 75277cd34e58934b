#include "engine/status.h"

#include <fmt/format.h>

namespace berth::engine {

std::string_view state_name(State state) {
  switch (state) {
    case State::created:
      return "created";
    case State::starting:
    case State::running:
      return "running";
    case State::paused:
      return "paused";
    case State::exited:
      return "exited";
    case State::removing:
      return "removing";
    case State::dead:
      return "dead";
    case State::restarting:
      return "restarting";
  }
  return "dead";
}

std::optional<State> next_state(State state, Change change) {
  struct Row {
    State from;
    Change change;
    State to;
  };
  static constexpr Row kTable[] = {
      {State::created, Change::start, State::starting},
      {State::exited, Change::start, State::starting},
      {State::starting, Change::started, State::running},
      {State::starting, Change::start_failed, State::exited},
      {State::starting, Change::never_started, State::created},
      {State::starting, Change::exit, State::exited},
      {State::starting, Change::shim_lost, State::dead},
      {State::running, Change::pause, State::paused},
      {State::running, Change::exit, State::exited},
      {State::running, Change::exit_to_restart, State::restarting},
      {State::running, Change::shim_lost, State::dead},
      {State::paused, Change::unpause, State::running},
      {State::paused, Change::exit, State::exited},
      {State::paused, Change::exit_to_restart, State::restarting},
      {State::paused, Change::shim_lost, State::dead},
      {State::restarting, Change::start, State::starting},
      {State::restarting, Change::give_up, State::exited},
      {State::created, Change::remove, State::removing},
      {State::exited, Change::remove, State::removing},
      {State::dead, Change::remove, State::removing},
      {State::removing, Change::remove, State::removing},
  };
  for (const Row& row : kTable)
    if (row.from == state && row.change == change) return row.to;
  return {};
}

namespace {

// " (healthy)", " (health: starting)", or nothing.
std::string health_text(const ContainerStatus& status) {
  if (!status.health) return {};
  return status.health->state == "starting" ? " (health: starting)" : " (" + status.health->state + ")";
}

}  // namespace

std::string status_text(const ContainerStatus& status, Time now) {
  auto since = [now](Time then) {
    return human_duration(std::chrono::nanoseconds(now.nanoseconds - then.nanoseconds));
  };
  switch (status.state) {
    case State::created:
      return "Created";
    case State::starting:
      return "Up Less than a second" + health_text(status);
    case State::running:
      return "Up " + since(status.started_at) + health_text(status);
    case State::paused:
      return "Up " + since(status.started_at) + " (Paused)";
    case State::exited:
      return fmt::format("Exited ({}) {} ago", status.exit_code, since(status.finished_at));
    case State::restarting:
      return fmt::format("Restarting ({}) {} ago", status.exit_code, since(status.finished_at));
    case State::removing:
      return "Removal In Progress";
    case State::dead:
      return "Dead";
  }
  return "";
}

}  // namespace berth::engine
