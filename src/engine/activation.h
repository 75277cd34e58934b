// The listening addresses of one container: a connection starts it if it is stopped and gets a program inside, with the
// accepted socket itself as standard input, output and error. The engine is not in the data path.
//
// Also knows when the container is idle: no connection, no exec, nothing but PID 1; after the spec's idle timeout it is
// stopped. Thread: the loop's; belongs to its container.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/event.h"
#include "async/fd.h"
#include "async/task_group.h"
#include "base/error.h"
#include "sys/unique_fd.h"

namespace berth::engine {

class Container;

// "0.0.0.0:2010", "127.0.0.1:2010", "[::]:2010". A port in use is a conflict with Docker's text.
Result<sys::UniqueFd> listen_tcp(const std::string& address);

class Activations {
 public:
  Activations(async::Loop& loop, Container& container);
  ~Activations();

  // Binds all addresses of the spec and begins to accept; all or none.
  Result<void> open();
  // Takes the listening sockets away; open connections go on.
  void close();

  void run_started();
  void run_ended();
  void exec_ended(const std::string& exec_id);
  // A connection of an earlier engine's time that still runs.
  void adopt(std::size_t index, std::string exec_id);

  std::vector<int> counts() const { return counts_; }

 private:
  async::Task<> accept(std::size_t index, sys::UniqueFd listener);
  async::Task<> serve(std::size_t index, sys::UniqueFd connection);
  async::Task<> watch_idle();
  bool busy() const;
  // Anything running inside beyond PID 1.
  bool has_processes() const;

  async::Loop& loop_;
  Container& container_;
  std::vector<int> counts_;                      // per activation
  std::map<std::string, std::size_t> sessions_;  // exec id -> activation
  std::chrono::steady_clock::time_point last_activity_;
  async::Notifier activity_;
  bool watching_ = false;
  std::unique_ptr<async::TaskGroup> tasks_;  // accepting
  std::unique_ptr<async::TaskGroup> sessions_tasks_;
};

}  // namespace berth::engine
