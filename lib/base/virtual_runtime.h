// One node on a virtual loop: what a simulated machine has of its own, which is its lanes, its two
// clocks, its random numbers, and how fast it is. Owned by whoever simulates the node; the loop
// outlives it.
//
//   running --Pause--> paused --Resume--> running     SIGSTOP and SIGCONT: clocks go on
//   any     --Kill---> running, without its lanes     kill -9: then make new lanes, as a new
//                                                     process on the same machine would
#ifndef SCHEDULED_LIB_BASE_VIRTUAL_RUNTIME_H_
#define SCHEDULED_LIB_BASE_VIRTUAL_RUNTIME_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/virtual_loop.h"

namespace scheduled {

// How a node differs from an ideal one, whose tasks take no time and whose lanes are never late.
// With a little of both, a simulator explores in which order lanes get to run.
struct VirtualPace {
  absl::Duration task_cost = absl::ZeroDuration();  // each task spends this before it begins
  uint32_t stall_per_mille = 0;  // so often an idle lane is late to take up its next task ...
  absl::Duration stall_max = absl::ZeroDuration();  // ... by up to this
};

struct VirtualNodeOptions {
  absl::Duration wall_offset = absl::ZeroDuration();  // against the loop's wall clock
  ClockRate wall_rate;
  MonoTime mono_start;  // what the monotonic clock shows at true time 0
  ClockRate mono_rate;
  VirtualPace pace;
};

class VirtualRuntime final : public Runtime {
 public:
  ~VirtualRuntime() override;  // after its lanes

  const Clock& clock() const override { return clock_; }
  std::unique_ptr<Lane> NewLane(std::string_view name) override;
  // From the seed, in the order of the calls.
  uint64_t Random() override;
  bool Await(const std::function<bool()>& done) override { return loop_.Await(done); }
  void Wake() override { loop_.Wake(); }
  void BeginExternal() override { loop_.BeginExternal(); }
  void EndExternal() override { loop_.EndExternal(); }

  VirtualLoop& loop() const { return loop_; }
  const std::string& name() const { return name_; }
  // See VirtualLoop::Spend.
  void Spend(absl::Duration duration) { loop_.Spend(duration); }

  void SetPace(VirtualPace pace);
  // Steps of the wall clock, in either direction. Timers follow.
  void StepWall(absl::Duration by);
  void SetWallTime(absl::Time time);
  // How fast the clocks run from now on.
  void SetWallRate(ClockRate rate);
  void SetMonoRate(ClockRate rate);

  // While paused no task runs; what comes up waits and runs afterwards, in order. A task that calls
  // this for its own node runs to its end.
  void Pause();
  void Resume();
  bool paused() const;

  // Drops all tasks and timers of all lanes; these are dead for good, and what a task posts that is
  // running on one of them goes nowhere. Lanes made afterwards are new and alive.
  void Kill();

  // Holds on to what owns the loop, until this runtime is gone.
  void KeepAlive(std::shared_ptr<const void> owner) { kept_alive_ = std::move(owner); }

 private:
  friend class VirtualLoop;
  friend class VirtualLane;

  // A view of the node's two clocks.
  class NodeClock final : public Clock {
   public:
    explicit NodeClock(VirtualRuntime* runtime) : runtime_(*runtime) {}
    absl::Time WallNow() const override;
    MonoTime MonoNow() const override;

   private:
    VirtualRuntime& runtime_;
  };

  VirtualRuntime(VirtualLoop* loop, std::string name, const VirtualNodeOptions& options);

  void SetRate(EventKind timers, ClockLine* line, ClockRate rate);

  std::shared_ptr<const void> kept_alive_;  // first, so that the loop goes last
  VirtualLoop& loop_;
  const std::string name_;
  NodeClock clock_;

  // Under the loop's lock.
  ClockLine wall_;
  ClockLine mono_;
  scheduled::Random random_;
  scheduled::Random stalls_;  // apart, so that another pace leaves the node's own numbers alone
  VirtualPace pace_;
  bool paused_ = false;
  std::vector<VirtualLane*> lanes_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_VIRTUAL_RUNTIME_H_
