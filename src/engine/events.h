// The engine's events, as Docker tells them: what happened to which object, when.
//
// Thread: the loop's. The last kHistory events are kept for `events --since`; a subscriber that does not keep up loses
// the oldest ones it has not read.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/event.h"
#include "base/time.h"

namespace berth::engine {

struct EventRecord {
  std::string type;    // container, image, network, volume
  std::string action;  // create, start, die, ...
  std::string id;
  std::map<std::string, std::string> attributes;
  Time time;
};

class EventBus {
 public:
  static constexpr std::size_t kHistory = 1024;

  explicit EventBus(async::Loop& loop) : loop_(loop) {}

  void publish(EventRecord event);

  class Subscription {
   public:
    // The next event; nothing when the task was cancelled.
    async::Task<std::optional<EventRecord>> next();

   private:
    friend class EventBus;
    explicit Subscription(async::Loop& loop) : news_(loop) {}
    std::deque<EventRecord> queue_;
    async::Notifier news_;
  };
  // Events from now on, after those of the history that are not before `since`.
  std::shared_ptr<Subscription> subscribe(Time since = Time{INT64_MAX});
  std::vector<EventRecord> history() const { return {history_.begin(), history_.end()}; }

 private:
  async::Loop& loop_;
  std::deque<EventRecord> history_;
  std::list<std::weak_ptr<Subscription>> subscriptions_;
};

}  // namespace berth::engine
