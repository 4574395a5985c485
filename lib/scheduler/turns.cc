// See turns.h. The map of taken turns is the hot path: one insertion and one erasure for each
// command, without an allocation while the map keeps its size.
#include "scheduler/turns.h"

#include <utility>

#include "base/assert.h"
#include "base/checksum.h"

namespace scheduled {

TurnKey Turns::KeyOf(std::string_view job_id) { return TurnKey(Checksum64(job_id)); }

bool Turns::TryTake(TurnKey key) { return taken_.try_emplace(key).second; }

void Turns::Take(TurnKey key, Task then) {
  auto [it, free] = taken_.try_emplace(key);
  if (free) {
    std::move(then)();
    return;
  }
  it->second.contended = true;
  waiting_[key].push_back(std::move(then));
  ++waiting_count_;
}

void Turns::Pass(TurnKey key) {
  auto it = taken_.find(key);
  SCHEDULED_ASSERT(it != taken_.end(), "only a turn that was taken can be passed");
  if (!it->second.contended) {
    taken_.erase(it);
    return;
  }
  auto queue = waiting_.find(key);
  SCHEDULED_ASSERT(queue != waiting_.end() && !queue->second.empty(),
                   "a contended turn has somebody who waits for it");
  ready_.push_back(std::move(queue->second.front()));
  queue->second.pop_front();
  --waiting_count_;
  if (queue->second.empty()) {
    waiting_.erase(queue);
    it->second.contended = false;
  }
  RunReady();
}

void Turns::RunReady() {
  if (running_) return;
  running_ = true;
  while (!ready_.empty()) {
    Task task = std::move(ready_.front());
    ready_.pop_front();
    std::move(task)();
  }
  running_ = false;
}

}  // namespace scheduled
