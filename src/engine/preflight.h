// What the host offers, and what it lacks with the command that mends it: `berth doctor`, and the engine's first act.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace berth::engine {

struct Check {
  std::string name;
  std::string status;  // ok, warn, fail
  std::string detail;
  std::string fix;  // a command or a sentence; empty when ok
};
BOOST_DESCRIBE_STRUCT(Check, (), (name, status, detail, fix))

struct Preflight {
  std::vector<Check> checks;
};
BOOST_DESCRIBE_STRUCT(Preflight, (), (checks))

}  // namespace berth::engine
