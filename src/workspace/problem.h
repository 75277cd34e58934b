// What a person is told when something about a workspace cannot be done: an Error, a stable name of the problem for
// programs, and the next step to take.
//
// Outcome<T> is Result<T> with this richer error; a plain Error turns into a Problem by itself, so TRY works.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace berth::workspace {

class [[nodiscard]] Problem {
 public:
  Problem(Error error)  // NOLINT(google-explicit-constructor): an Error is a Problem without advice
      : error_(std::move(error)), name_(error_code_name(error_.code())) {}
  Problem(ErrorCode code, std::string name, std::string message, std::string hint = {})
      : error_(code, std::move(message)), name_(std::move(name)), hint_(std::move(hint)) {}

  const Error& error() const { return error_; }
  // Stable, for programs: "name_taken".
  const std::string& name() const { return name_; }
  // One line that says what to do; may be empty.
  const std::string& hint() const { return hint_; }

 private:
  Error error_;
  std::string name_;
  std::string hint_;
};

template <class T = void>
using Outcome = std::expected<T, Problem>;

inline std::unexpected<Problem> refuse(ErrorCode code, std::string name, std::string message, std::string hint = {}) {
  return std::unexpected(Problem(code, std::move(name), std::move(message), std::move(hint)));
}

}  // namespace berth::workspace
