// Variables in the texts of a Compose file: $A, ${A}, ${A:-b}, ${A-b}, ${A:?why}, ${A?why}, ${A:+b}, ${A+b}, and $$ for
// a dollar. Defaults may hold variables themselves.
//
// Source: Compose specification, 12-interpolation.
// Thread: one.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth::compose {

using Variables = std::map<std::string, std::string, std::less<>>;

class Interpolator {
 public:
  // variables must outlive it.
  explicit Interpolator(const Variables& variables) : variables_(variables) {}

  // Errors are `invalid`; a variable that is not set and has no default is empty and remembered.
  Result<std::string> expand(std::string_view text);

  // Names that were used without being set, each once, in order.
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  Result<std::string> expand_nested(std::string_view text, unsigned depth);
  Result<std::string> expand_braced(std::string_view body, unsigned depth);
  std::string lookup(std::string_view name);

  const Variables& variables_;
  std::vector<std::string> missing_;
  std::size_t produced_ = 0;  // bytes of all results: what hostile files may cost is bounded
};

}  // namespace berth::compose
