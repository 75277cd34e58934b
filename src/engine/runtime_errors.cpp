#include "engine/runtime_errors.h"

#include <string>

namespace berth::engine {

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// crun: "executable file `x` not found in $PATH: No such file or directory", "open executable: Permission denied",
// "cannot chdir to `/x`: ..."; runc: 'exec: "x": executable file not found in $PATH'.
std::string reason(const ProcessSpec& process, const std::string& program, const std::string& raw) {
  bool missing = contains(raw, "No such file or directory") || contains(raw, "no such file or directory") ||
                 contains(raw, "not found in $PATH");
  // crun's "Operation not permitted" is about a directory or a device.
  bool denied = contains(raw, "Permission denied") || contains(raw, "permission denied") ||
                contains(raw, "open executable: Operation not permitted");
  if ((contains(raw, "chdir") || contains(raw, "cwd")) && missing)
    return "chdir to cwd (\"" + process.working_dir + "\") set in config.json failed: no such file or directory";
  bool about_program = contains(raw, "exec") || contains(raw, program);
  if (about_program && missing) {
    if (program.find('/') == std::string::npos) return "exec: \"" + program + "\": executable file not found in $PATH";
    return "exec: \"" + program + "\": stat " + program + ": no such file or directory";
  }
  if (about_program && denied) return "exec: \"" + program + "\": permission denied";
  return raw;
}

}  // namespace

Error start_error(const ContainerSpec& spec, const Error& from_shim) {
  std::string program = spec.process.args.empty() ? "" : spec.process.args.front();
  return Error(
      ErrorCode::invalid,
      "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
      "failed: unable to start container process: " +
          reason(spec.process, program, from_shim.text()) + ": unknown");
}

Error exec_error(const ProcessSpec& process, const Error& from_shim) {
  std::string program = process.args.empty() ? "" : process.args.front();
  return Error(ErrorCode::invalid, "OCI runtime exec failed: exec failed: unable to start container process: " +
                                       reason(process, program, from_shim.text()) + ": unknown");
}

int start_failure_exit_code(std::string_view text) {
  if (contains(text, "executable file not found") || contains(text, "no such file or directory")) return 127;
  if (contains(text, "permission denied") || contains(text, "is a directory")) return 126;
  return 128;
}

}  // namespace berth::engine
