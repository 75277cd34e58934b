// Undo of a change of several steps: each step that changed the host pushes its undo; unless commit() was reached, the
// undos run in reverse order when the Rollback goes.
//
// Thread: used by one. An undo must not throw and must bear being run when its step had only half happened.
// Lifetime: declare the Rollback after the variables that its undos use.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace berth {

class Rollback {
 public:
  Rollback() = default;
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() {
    for (auto undo = undos_.rbegin(); undo != undos_.rend(); ++undo) (*undo)();
  }

  void push(std::function<void()> undo) { undos_.push_back(std::move(undo)); }
  void commit() { undos_.clear(); }

 private:
  std::vector<std::function<void()>> undos_;
};

}  // namespace berth
