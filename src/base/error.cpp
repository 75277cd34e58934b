#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace berth {

namespace {

ErrorCode code_of_errno(int value) {
  switch (value) {
    case ENOENT:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::conflict;
    case EACCES:
    case EPERM:
      return ErrorCode::denied;
    case EBUSY:
      return ErrorCode::busy;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return ErrorCode::exhausted;
    case EINVAL:
    case ENAMETOOLONG:
      return ErrorCode::invalid;
    case ETIMEDOUT:
      return ErrorCode::timeout;
    default:
      return ErrorCode::io;
  }
}

}  // namespace

Error Error::from_errno(int errno_value, std::string intent) {
  char buffer[128];
  Error error(code_of_errno(errno_value),
              fmt::format("{}: {}", intent, strerror_r(errno_value, buffer, sizeof buffer)));
  error.errno_ = errno_value;
  return error;
}

std::string Error::text() const {
  std::string text;
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) text += *frame + ": ";
  return text + message_;
}

Error&& Error::with(std::string frame) && {
  frames_.push_back(std::move(frame));
  return std::move(*this);
}

Error&& Error::as(ErrorCode code) && {
  code_ = code;
  return std::move(*this);
}

std::unexpected<Error> fail_errno(std::string intent) { return fail_errno(errno, std::move(intent)); }

std::unexpected<Error> fail_errno(int errno_value, std::string intent) {
  return std::unexpected(Error::from_errno(errno_value, std::move(intent)));
}

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::exhausted:
      return "exhausted";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::io:
      return "io";
    case ErrorCode::internal:
      return "internal";
    case ErrorCode::not_modified:
      return "not_modified";
  }
  return "internal";
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::conflict:
    case ErrorCode::busy:
      return 409;
    case ErrorCode::invalid:
      return 400;
    case ErrorCode::denied:
      return 403;
    case ErrorCode::unsupported:
      return 501;
    case ErrorCode::exhausted:
      return 503;
    case ErrorCode::timeout:
      return 504;
    case ErrorCode::cancelled:
      return 499;
    case ErrorCode::not_modified:
      return 304;
    case ErrorCode::io:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

}  // namespace berth
