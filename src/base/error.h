// Errors as values: what every fallible function of Berth returns.
//
// A function returns Result<T>; it either logs an error or returns it, never both. The message is written for the
// person who asked ("No such container: web"), and frames add the intent of the layers above, one each, outermost
// last. The code decides the HTTP status and the exit code; nothing else does.
//
// Thread: values, free of shared state. Exceptions come only from libraries and stop at the root of a task.
#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth {

enum class ErrorCode {
  not_found,    // 404
  conflict,     // 409  a name is taken, a state forbids it
  invalid,      // 400  the request is wrong
  denied,       // 403
  busy,         // 409  in use
  unsupported,  // 501
  exhausted,    // 503  a limit is reached
  timeout,      // 504
  cancelled,    // 499  the asker went away
  io,           // 500  the kernel, the disk or the network refused
  internal,     // 500  a bug, or a state that must not be
  not_modified  // 304  already so; Docker's answer to starting a running container
};

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  // An error of a system call: "INTENT: strerror(errno_value)". ENOENT, EEXIST, EACCES, EPERM, EBUSY, ENOSPC, EINVAL
  // and ETIMEDOUT get the code that says so, everything else is io.
  static Error from_errno(int errno_value, std::string intent);

  ErrorCode code() const { return code_; }
  // 0 unless the error came from a system call.
  int errno_value() const { return errno_; }
  // The innermost message, without frames.
  const std::string& message() const { return message_; }
  // What a person reads: frames from the outside in, then the message, joined by ": ".
  std::string text() const;

  // Adds one frame of intent.
  Error&& with(std::string frame) &&;
  // The same error under another code.
  Error&& as(ErrorCode code) &&;

 private:
  ErrorCode code_;
  int errno_ = 0;
  std::string message_;
  std::vector<std::string> frames_;
};

template <class T = void>
using Result = std::expected<T, Error>;

// std::unexpected with a formatted message: return fail(ErrorCode::not_found, "No such container: {}", name);
template <class... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error(code, fmt::format(format, std::forward<Args>(args)...)));
}

// The same for a system call that has just failed; reads errno first.
std::unexpected<Error> fail_errno(std::string intent);
std::unexpected<Error> fail_errno(int errno_value, std::string intent);

// Adds a frame of intent to a failed result; a good one passes untouched.
template <class T, class... Args>
Result<T> annotate(Result<T> result, fmt::format_string<Args...> format, Args&&... args) {
  if (result) return result;
  return std::unexpected(std::move(result).error().with(fmt::format(format, std::forward<Args>(args)...)));
}

std::string_view error_code_name(ErrorCode code);
int http_status(ErrorCode code);

}  // namespace berth

#define BERTH_CONCAT_(a, b) a##b
#define BERTH_CONCAT(a, b) BERTH_CONCAT_(a, b)
#define BERTH_TRY_(result, decl, expr, ret)                    \
  auto result = (expr);                                        \
  if (!result) ret std::unexpected(std::move(result).error()); \
  decl = *std::move(result)
#define BERTH_TRY_OK_(result, expr, ret) \
  if (auto result = (expr); !result) ret std::unexpected(std::move(result).error())

// TRY(auto fd, open_file(path));   returns the error or declares fd.
#define TRY(decl, expr) BERTH_TRY_(BERTH_CONCAT(try_result_, __LINE__), decl, expr, return)
// TRY_OK(remove(path));            for Result<void>.
#define TRY_OK(expr) BERTH_TRY_OK_(BERTH_CONCAT(try_result_, __LINE__), expr, return)
// The same inside a coroutine.
#define CO_TRY(decl, expr) BERTH_TRY_(BERTH_CONCAT(try_result_, __LINE__), decl, expr, co_return)
#define CO_TRY_OK(expr) BERTH_TRY_OK_(BERTH_CONCAT(try_result_, __LINE__), expr, co_return)
