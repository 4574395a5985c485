// A lane is a serial executor: tasks run one at a time, in the order in which they were posted. All
// logic is written against it and never against threads, so that the same code runs on threads in
// production and on one virtual-time event loop in the simulator.
#ifndef SCHEDULED_LIB_BASE_LANE_H_
#define SCHEDULED_LIB_BASE_LANE_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

using Task = absl::AnyInvocable<void() &&>;

// Names one posted timer of one lane; 0 names none.
using TimerId = StrongInt<struct TimerIdTag>;

// Thread-safe unless a method says otherwise. A task may post to any lane, its own included.
class Lane {
 public:
  virtual ~Lane() = default;

  // Runs `task` on this lane, after all that was posted before. Dropped without being run once the
  // lane is stopped.
  virtual void Post(Task task) = 0;
  // Runs `task` at or soon after `when` on the monotonic clock; timers of one instant run in the
  // order in which they were posted.
  virtual TimerId PostAt(MonoTime when, Task task) = 0;
  // The same by wall time. Follows steps of the clock in both directions.
  virtual TimerId PostAtWall(absl::Time when, Task task) = 0;
  // Takes a timer back. Only exact on the lane itself: called there, the task will not run.
  // Harmless for 0, for a timer that has run and for one that was cancelled.
  virtual void Cancel(TimerId timer) = 0;
  // True on this lane's own thread, inside one of its tasks. For assertions.
  virtual bool IsCurrent() const = 0;

  // Runs no further task and drops those that wait; returns when the running one has ended. Not
  // from the lane itself. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_LANE_H_
