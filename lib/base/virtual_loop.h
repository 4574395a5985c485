// A deterministic event loop in virtual time: all lanes of all nodes of a simulation, or all lanes
// of the schedulers on one ManualClock, as queues of one heap ordered by (time, sequence). The same
// calls in the same order give the same run, which digest() proves. It starts no thread: whoever
// drives it (a simulator, ManualClock::Advance, a caller that waits) runs the tasks.
//
// Three times are kept apart: true time, which the loop alone has; and the wall and the monotonic
// clock of each node (VirtualRuntime), which may be off, stepped, fast or slow.
//
// A lane is serial in virtual time too. A task runs at one instant, unless it says by Spend that it
// takes longer: then what it posts afterwards is stamped later, its own lane runs nothing before
// that, and other lanes go on meanwhile. So a task that models a slow disk calls Spend first and
// reports afterwards.
#ifndef SCHEDULED_LIB_BASE_VIRTUAL_LOOP_H_
#define SCHEDULED_LIB_BASE_VIRTUAL_LOOP_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock_line.h"
#include "base/event_queue.h"
#include "base/random.h"
#include "base/runtime.h"

namespace scheduled {

class VirtualLane;
class VirtualRuntime;
struct VirtualNodeOptions;

struct VirtualLoopOptions {
  uint64_t seed = 1;  // of every random number that the loop and its runtimes hand out
  absl::Time wall_start = absl::UnixEpoch();  // what wall clocks show at true time 0
};

// Thread-safe: threads outside of it (executors, callers that wait) may post and wait while another
// one runs it. Tasks run one at a time, whoever runs them. Outlives its runtimes.
class VirtualLoop {
 public:
  explicit VirtualLoop(VirtualLoopOptions options = {});
  ~VirtualLoop();
  VirtualLoop(const VirtualLoop&) = delete;
  VirtualLoop& operator=(const VirtualLoop&) = delete;

  // A node: its lanes, its clocks, its random numbers, which depend on the seed and on how many
  // runtimes were made before.
  std::unique_ptr<VirtualRuntime> NewRuntime(std::string_view name);
  std::unique_ptr<VirtualRuntime> NewRuntime(std::string_view name,
                                             const VirtualNodeOptions& options);

  // True time from 0; within a task, with what the task has spent.
  MonoTime now() const;
  // The wall clock that runtimes start with, and its step: moves the clocks of all by as much.
  absl::Time WallNow() const;
  void SetWallTime(absl::Time time);

  // For the driver, which is in no task.
  //
  // Runs the next task, moving time to it if it must. False if there is none.
  bool RunOne();
  // Runs what can run without moving time, what that posts included. The number of tasks run.
  uint64_t RunReady();
  // Goes from one event to the next up to `until`, and stands there at the end.
  uint64_t RunUntil(MonoTime until);
  // When something next comes up: a task, or a lane's end of being busy. nullopt if nothing waits.
  std::optional<MonoTime> next_event_time();

  // For tasks: the one that runs takes `duration` from here on.
  void Spend(absl::Duration duration);

  // As in Runtime. Waiting runs tasks without moving time, or lets another thread run them.
  bool Await(const std::function<bool()>& done);
  void Wake();
  // While something outside is at work, time does not move: the calls above that may move it wait.
  void BeginExternal();
  void EndExternal();

  // Called after each task, on the thread that ran it, outside of every lane. Set while nothing
  // runs.
  void SetAfterEvent(std::function<void()> hook) { after_event_ = std::move(hook); }

  // How many tasks have run, and a running hash of (true time, lane, kind) of each: two runs of one
  // seed that end with the same digest took the same way.
  uint64_t event_count() const;
  uint64_t digest() const;
  // The lane of the task that runs or ran last, as "node/lane": one place in memory for each name,
  // for as long as the loop lives.
  std::string_view last_lane() const;

 private:
  friend class VirtualLane;
  friend class VirtualRuntime;
  using Lock = std::unique_lock<std::mutex>;

  // What this thread runs: a task of `lane`, or with no lane the hook after one.
  struct Running {
    VirtualLoop* loop;
    VirtualLane* lane;
    int64_t spent;
  };
  static thread_local Running* running_here_;

  bool IsRunningHere() const { return running_here_ != nullptr && running_here_->loop == this; }
  bool IsRunningHere(const VirtualLane* lane) const {
    return IsRunningHere() && running_here_->lane == lane;
  }
  int64_t LocalNow() const;  // now, with what the task that runs on this thread has spent
  bool IsFromKilled() const;

  // What lanes and runtimes call; these take the lock.
  TimerId PostEvent(VirtualLane* lane, EventKind kind, int64_t due, Task task);
  void CancelEvent(VirtualLane* lane, TimerId timer);
  void StopLane(VirtualLane* lane);

  // All below is called under the lock.
  std::string_view KeepName(std::string name);
  int64_t TrueTimeOf(const VirtualRuntime& runtime, EventKind kind, int64_t due) const;
  void DropTasksOf(std::span<VirtualLane* const> lanes, std::vector<Task>* dropped);
  void ReplaceTimers(const VirtualRuntime& runtime, EventKind kind);
  void StepWall(VirtualRuntime* runtime, int64_t by);

  EventIndex TakeRunnable();
  EventIndex TakeWaiting(VirtualLane* lane);
  bool IsEarly(const Event& event) const;
  bool BeginsStall(VirtualLane* lane);
  void WaitInLane(VirtualLane* lane, EventIndex index);
  void ResumeLater(VirtualLane* lane);
  void RunTask(Lock* lock, EventIndex index);
  void EndTask(VirtualLane* lane, int64_t spent);
  bool RunNext(Lock* lock, int64_t limit);
  void WaitForChange(Lock* lock);
  void Changed();

  mutable std::mutex mu_;
  std::condition_variable changed_;
  int waiters_ = 0;
  uint64_t changes_ = 0;         // grows with all that a waiting thread may be waiting for
  std::atomic<int64_t> now_{0};  // written under the lock
  EventQueue queue_;
  ClockLine wall_;
  Random random_;
  std::vector<VirtualRuntime*> runtimes_;
  std::set<std::string> names_;
  VirtualLane* running_lane_ = nullptr;  // null while no task runs
  bool running_ = false;                 // a task or the hook after it runs, on any thread
  int external_ = 0;
  uint64_t event_count_ = 0;
  uint64_t digest_ = 0;
  std::string_view last_lane_;
  std::function<void()> after_event_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_VIRTUAL_LOOP_H_
