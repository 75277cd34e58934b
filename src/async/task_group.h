// The owner of running tasks: every task has a name and a group, and nothing is detached.
//
// Thread: the loop's. A group that goes while tasks run cancels them and lets them end by themselves; whoever owns what
// the tasks use must co_await join() first.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "async/loop.h"

namespace berth::async {

class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // Starts the task on the loop. An exception that reaches its root is a bug of a library or of ours: it is logged with
  // the task's name.
  void spawn(std::string name, Task<> task);
  // Asks every running task to stop.
  void cancel();
  // Until no task runs.
  Task<> join();
  std::size_t size() const;

 private:
  struct State;
  Loop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace berth::async
