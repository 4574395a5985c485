// The timers of one thread lane on one clock, in the order (due, posted). Only storage and order:
// the lane knows the time, holds the lock and runs the tasks.
#ifndef SCHEDULED_LIB_BASE_TIMER_QUEUE_H_
#define SCHEDULED_LIB_BASE_TIMER_QUEUE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/lane.h"

namespace scheduled {

class TimerQueue {
 public:
  // `id` is larger than all that were added before.
  void Add(int64_t due, uint64_t id, Task task);
  // Takes the timer out; an empty task if there is none of this id.
  Task Remove(uint64_t id);
  // INT64_MAX if there is none.
  int64_t NextDue() const { return timers_.empty() ? INT64_MAX : timers_.begin()->first.first; }
  // Takes out the first that is due at `now` and was added before `end_id`; empty if there is none.
  Task TakeDue(int64_t now, uint64_t end_id);
  void TakeAll(std::vector<Task>* out);

 private:
  absl::btree_map<std::pair<int64_t, uint64_t>, Task> timers_;  // (due, id)
  absl::flat_hash_map<uint64_t, int64_t> due_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_TIMER_QUEUE_H_
