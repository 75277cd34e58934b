// Errors as values. message is one line for a person, with the intent first; errno_value is 0 where no system call
// failed.
#pragma once

#include <string.h>

#include <expected>
#include <utility>

#include "shim/buffer.h"

namespace berth::shim {

struct [[nodiscard]] Error {
  int errno_value = 0;
  Buffer message;
};

template <class T = void>
using Result = std::expected<T, Error>;

// fail(errno, "open ", path) says "open PATH: No such file or directory"; with 0 the parts are the whole message.
std::unexpected<Error> fail(int errno_value, const auto&... parts) {
  Buffer message = concat(parts...);
  if (errno_value != 0) {
    const char* reason = strerrordesc_np(errno_value);
    message.append(": ").append(reason != nullptr ? reason : "unknown error");
  }
  return std::unexpected(Error{errno_value, std::move(message)});
}

}  // namespace berth::shim

// SHIM_TRY(expr); returns the error of a Result<>.
#define SHIM_TRY(expr) \
  if (auto try_result = (expr); !try_result) return std::unexpected(std::move(try_result).error())
