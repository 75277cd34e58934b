// Between a request's body or answer on the loop and code that reads or writes a plain descriptor on another thread:
// tar streams of images and of `docker cp`.
//
// Thread: the loop's.
#pragma once

#include <string>

#include "base/error.h"
#include "http/exchange.h"

namespace berth::docker {

struct BytePipe {
  sys::UniqueFd read_end;
  sys::UniqueFd write_end;
  // pipe2(2) with O_CLOEXEC, as large as an unprivileged pipe may be.
  static Result<BytePipe> make();
};

// The request's body into the pipe, to its end. A reader that has closed the pipe early is no error.
async::Task<Result<void>> body_to_pipe(http::Exchange& exchange, sys::UniqueFd write_end);

// Everything that comes out of the pipe as the answer's body; the answer begins with the first bytes. True when there
// were any.
async::Task<Result<bool>> pipe_to_stream(http::Exchange& exchange, sys::UniqueFd read_end, std::string type);

}  // namespace berth::docker
