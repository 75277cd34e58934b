// An exec: a further process in a running container, held by the container's shim.
//
// Thread: the loop's. An exec belongs to its container's run and is forgotten some time after it has ended.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "async/event.h"
#include "engine/container.h"
#include "engine/spec.h"

namespace berth::engine {

struct ExecSpec {
  ProcessSpec process;
  bool attach_stdin = false;
  bool attach_stdout = false;
  bool attach_stderr = false;
  bool plain_output = false;  // never framed: for what the engine runs itself
  std::string detach_keys;
};

class Exec : public std::enable_shared_from_this<Exec> {
 public:
  Exec(std::shared_ptr<Container> container, std::string id, ExecSpec spec);

  const std::string& id() const { return id_; }
  const ExecSpec& spec() const { return spec_; }
  const std::shared_ptr<Container>& container() const { return container_; }
  bool running() const { return running_; }
  bool started() const { return started_; }
  std::int64_t pid() const { return pid_; }
  // Nothing before it has ended; 126 or 127 when it could not be run.
  std::optional<int> exit_code() const { return exit_code_; }

  // Starts the process; an exec starts once. With a stream its output and input go there (framed unless tty, which
  // follows the Tty of exec start); the shim closes it at the end. Without one the output is thrown away.
  // A program that cannot be run is an error with Docker's text ("OCI runtime exec failed: exec failed: ...").
  async::Task<Result<void>> start(std::optional<sys::UniqueFd> stream, std::string already_read, bool tty);
  async::Task<Result<void>> resize(int rows, int columns);
  // SIGKILL; its end is told as any other's.
  async::Task<Result<void>> kill();

 private:
  friend class Container;
  void ended(int code);

  std::string id_;
  std::shared_ptr<Container> container_;
  ExecSpec spec_;
  bool started_ = false;
  bool running_ = false;
  std::int64_t pid_ = 0;
  std::optional<int> exit_code_;
};

}  // namespace berth::engine
