// See step_loop.h.
#include "explore/step_loop.h"

#include <algorithm>

namespace scheduled::explore {

void StepLoop::RunReady() {
  while (!posted_.empty()) {
    Posted next = std::move(posted_.front());
    posted_.pop_front();
    running_ = next.lane;
    std::move(next.task)();
    running_ = nullptr;
  }
}

void StepLoop::Advance(absl::Duration duration) {
  const int64_t until = now_ + absl::ToInt64Nanoseconds(duration);
  RunReady();
  while (!timers_.empty() && timers_.begin()->first.first <= until) {
    now_ = std::max(now_, timers_.begin()->first.first);
    Posted due = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    posted_.push_back(std::move(due));
    RunReady();
  }
  now_ = until;
}

std::vector<std::pair<TimerId, int64_t>> StepLoop::TimersOf(const Runtime* runtime) const {
  std::vector<std::pair<TimerId, int64_t>> timers;
  for (const auto& [place, timer] : timers_) {
    if (timer.lane->runtime_ == runtime) timers.emplace_back(place.second, place.first);
  }
  return timers;
}

void StepLane::Post(Task task) {
  if (!stopped_) loop_.posted_.push_back({this, std::move(task)});
}

TimerId StepLane::PostAt(MonoTime when, Task task) {
  if (stopped_) return TimerId();
  const uint64_t sequence = ++loop_.sequence_;
  loop_.timers_.emplace(StepLoop::Place{std::max(when.nanos, loop_.now_), sequence},
                        StepLoop::Posted{this, std::move(task)});
  return TimerId(sequence);
}

TimerId StepLane::PostAtWall(absl::Time when, Task task) {
  return PostAt(MonoTime{} + (when - StepLoop::kBegin), std::move(task));
}

void StepLane::Cancel(TimerId timer) {
  if (timer == TimerId()) return;
  const auto found =
      std::find_if(loop_.timers_.begin(), loop_.timers_.end(),
                   [timer](const auto& each) { return each.first.second == timer.value; });
  if (found != loop_.timers_.end() && found->second.lane == this) loop_.timers_.erase(found);
}

// What waits is dropped; its end may post elsewhere, so it ends after it was taken out.
void StepLane::Stop() {
  if (std::exchange(stopped_, true)) return;
  std::vector<Task> dropped;
  for (auto it = loop_.posted_.begin(); it != loop_.posted_.end();) {
    if (it->lane != this) {
      ++it;
      continue;
    }
    dropped.push_back(std::move(it->task));
    it = loop_.posted_.erase(it);
  }
  for (auto it = loop_.timers_.begin(); it != loop_.timers_.end();) {
    if (it->second.lane != this) {
      ++it;
      continue;
    }
    dropped.push_back(std::move(it->second.task));
    it = loop_.timers_.erase(it);
  }
}

}  // namespace scheduled::explore
