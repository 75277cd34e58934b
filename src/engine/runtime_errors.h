// What an OCI runtime says when a program cannot be run, in Docker's words: clients and scripts tell by these texts
// whether to exit with 126 or 127. Pure.
#pragma once

#include <string_view>

#include "base/error.h"
#include "engine/spec.h"

namespace berth::engine {

// Of a start, with the wrapper text of Docker's daemon.
Error start_error(const ContainerSpec& spec, const Error& from_shim);
// Of an exec.
Error exec_error(const ProcessSpec& process, const Error& from_shim);
// 127 not found, 126 not executable, else 128.
int start_failure_exit_code(std::string_view text);

}  // namespace berth::engine
