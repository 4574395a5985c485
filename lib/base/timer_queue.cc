// An ordered map, and the way from an id into it.
#include "base/timer_queue.h"

namespace scheduled {

void TimerQueue::Add(int64_t due, uint64_t id, Task task) {
  timers_.emplace(std::pair(due, id), std::move(task));
  due_.emplace(id, due);
}

Task TimerQueue::Remove(uint64_t id) {
  const auto due = due_.find(id);
  if (due == due_.end()) return nullptr;
  const auto timer = timers_.find({due->second, id});
  Task task = std::move(timer->second);
  timers_.erase(timer);
  due_.erase(due);
  return task;
}

Task TimerQueue::TakeDue(int64_t now, uint64_t end_id) {
  // A timer that was added later may stand before one that is due as well: it is passed over.
  for (auto timer = timers_.begin(); timer != timers_.end() && timer->first.first <= now; ++timer) {
    if (timer->first.second >= end_id) continue;
    return Remove(timer->first.second);
  }
  return nullptr;
}

void TimerQueue::TakeAll(std::vector<Task>* out) {
  for (auto& [key, task] : timers_) out->push_back(std::move(task));
  timers_.clear();
  due_.clear();
}

}  // namespace scheduled
