// A lane that is a thread. It sleeps in poll on an eventfd and two timerfds: one on CLOCK_BOOTTIME,
// one on CLOCK_REALTIME that the kernel also wakes when that clock is stepped. Posting to a lane
// that is awake costs a lock and no system call. Owned by who asked the runtime for it.
//
//   awake --nothing is due or posted--> asleep --Post, an earlier timer, a deadline, a step-->
//   awake any   --Stop--> stopped
#ifndef SCHEDULED_LIB_BASE_THREAD_LANE_H_
#define SCHEDULED_LIB_BASE_THREAD_LANE_H_

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/lane.h"
#include "base/timer_queue.h"
#include "scheduled/clock.h"

namespace scheduled {

class ThreadRuntime;

class ThreadLane final : public Lane {
 public:
  // `is_system_clock`: deadlines are the kernel's own, and need no translation.
  ThreadLane(ThreadRuntime* runtime, std::string_view name, bool is_system_clock);
  ~ThreadLane() override;

  void Post(Task task) override;
  TimerId PostAt(MonoTime when, Task task) override;
  TimerId PostAtWall(absl::Time when, Task task) override;
  void Cancel(TimerId timer) override;
  bool IsCurrent() const override;
  void Stop() override;

  // Looks at the clocks again.
  void Nudge();

 private:
  using Lock = std::unique_lock<std::mutex>;

  void Loop(const std::string& name);
  void RunDueTimers(Lock* lock);
  void RunPosted(Lock* lock, std::vector<Task>* batch, size_t* next);
  void Sleep(Lock* lock);
  bool IsTimerDue() const;

  TimerId AddTimer(TimerQueue* timers, std::atomic<int64_t>* next, int64_t due, Task task);
  void PublishDeadlines();
  void WakeIfAsleep();
  void ArmTimers();
  int64_t MonoNanos() const { return clock_.MonoNow().nanos; }
  int64_t WallNanos() const { return absl::ToUnixNanos(clock_.WallNow()); }

  ThreadRuntime& runtime_;
  const Clock& clock_;
  const bool is_system_clock_;
  const int wake_fd_;
  const int mono_fd_;
  const int wall_fd_;

  std::mutex mu_;
  std::vector<Task> posted_;
  TimerQueue mono_timers_;
  TimerQueue wall_timers_;
  uint64_t next_timer_id_ = 1;
  bool asleep_ = false;  // the thread is in poll, or about to be, and nobody has woken it

  // Written under the lock; read by the lane without it, between tasks.
  std::atomic<bool> stopped_{false};
  std::atomic<int64_t> next_mono_{INT64_MAX};
  std::atomic<int64_t> next_wall_{INT64_MAX};

  // The lane's own.
  int64_t armed_mono_ = INT64_MAX;
  int64_t armed_wall_ = INT64_MAX;

  std::mutex join_mu_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_THREAD_LANE_H_
