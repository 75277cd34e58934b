#include "engine/events.h"

namespace berth::engine {

void EventBus::publish(EventRecord event) {
  if (!event.time.is_set()) event.time = now();
  history_.push_back(event);
  if (history_.size() > kHistory) history_.pop_front();
  for (auto entry = subscriptions_.begin(); entry != subscriptions_.end();) {
    auto subscription = entry->lock();
    if (!subscription) {
      entry = subscriptions_.erase(entry);
      continue;
    }
    subscription->queue_.push_back(event);
    if (subscription->queue_.size() > kHistory) subscription->queue_.pop_front();
    subscription->news_.notify_all();
    ++entry;
  }
}

std::shared_ptr<EventBus::Subscription> EventBus::subscribe(Time since) {
  std::shared_ptr<Subscription> subscription(new Subscription(loop_));
  for (const EventRecord& event : history_)
    if (event.time >= since) subscription->queue_.push_back(event);
  subscriptions_.push_back(subscription);
  return subscription;
}

async::Task<std::optional<EventRecord>> EventBus::Subscription::next() {
  while (queue_.empty()) {
    co_await news_.wait();
    if (queue_.empty() && co_await async::cancelled()) co_return std::nullopt;
  }
  EventRecord event = std::move(queue_.front());
  queue_.pop_front();
  co_return event;
}

}  // namespace berth::engine
