#include "async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <list>

#include "async/event.h"
#include "base/log.h"

namespace berth::async {

namespace asio = boost::asio;

struct TaskGroup::State {
  explicit State(Loop& loop) : idle(loop) {}
  struct Member {
    std::string name;
    asio::cancellation_signal signal;
  };
  std::list<Member> members;
  Event idle;
};

namespace {

// Cancellation shows as errors and early returns of this folder's waits, never as an exception out of any co_await.
Task<> without_throwing(Task<> task) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

}  // namespace

TaskGroup::TaskGroup(Loop& loop) : loop_(loop), state_(std::make_shared<State>(loop)) { state_->idle.set(); }

TaskGroup::~TaskGroup() { cancel(); }

void TaskGroup::spawn(std::string name, Task<> task) {
  state_->idle.reset();
  auto member = state_->members.emplace(state_->members.end());
  member->name = std::move(name);
  asio::co_spawn(
      loop_.context(), without_throwing(std::move(task)),
      asio::bind_cancellation_slot(member->signal.slot(), [state = state_, member](std::exception_ptr exception) {
        if (exception) {
          try {
            std::rethrow_exception(exception);
          } catch (const std::exception& error) {
            log::error("task failed", {{"task", member->name}, {"error", error.what()}});
          }
        }
        state->members.erase(member);
        if (state->members.empty()) state->idle.set();
      }));
}

void TaskGroup::cancel() {
  // A cancelled task may end at once and leave the list while it is walked.
  auto state = state_;
  for (auto member = state->members.begin(); member != state->members.end();) {
    auto next = std::next(member);
    member->signal.emit(asio::cancellation_type::terminal);
    member = next;
  }
}

Task<> TaskGroup::join() {
  auto state = state_;
  while (!state->members.empty()) co_await state->idle.wait();
}

std::size_t TaskGroup::size() const { return state_->members.size(); }

}  // namespace berth::async
