// Lanes and time for nodes that are driven step by step: what was posted runs at once, in one
// order; time moves only when the explorer says so, timer by timer. The least that a Runtime can
// be, and quick to make: a state is re-created by making everything anew and taking the same steps.
// Single-threaded. Random numbers are one constant: what they decide (jitter) is not explored.
#ifndef SCHEDULED_TESTS_EXPLORE_STEP_LOOP_H_
#define SCHEDULED_TESTS_EXPLORE_STEP_LOOP_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/runtime.h"

namespace scheduled::explore {

class StepLane;

class StepLoop {
 public:
  // Wall clocks show this at monotonic time 0, and never step.
  static constexpr absl::Time kBegin = absl::FromUnixSeconds(1767225600);

  MonoTime now() const { return MonoTime{now_}; }
  // Runs all that was posted, what that posts included.
  void RunReady();
  // Moves time by `duration`, firing each timer at its instant.
  void Advance(absl::Duration duration);
  // The timers of lanes of this runtime, in the order in which they fire, and when that is.
  std::vector<std::pair<TimerId, int64_t>> TimersOf(const Runtime* runtime) const;

 private:
  friend class StepLane;
  struct Posted {
    StepLane* lane;
    Task task;
  };
  using Place = std::pair<int64_t, uint64_t>;  // due, and the order of posting

  int64_t now_ = 0;
  uint64_t sequence_ = 0;
  std::deque<Posted> posted_;
  std::map<Place, Posted> timers_;
  StepLane* running_ = nullptr;
};

class StepLane final : public Lane {
 public:
  StepLane(StepLoop* loop, const Runtime* runtime) : loop_(*loop), runtime_(runtime) {}
  ~StepLane() override { Stop(); }

  void Post(Task task) override;
  TimerId PostAt(MonoTime when, Task task) override;
  TimerId PostAtWall(absl::Time when, Task task) override;
  void Cancel(TimerId timer) override;
  bool IsCurrent() const override { return loop_.running_ == this; }
  void Stop() override;

 private:
  friend class StepLoop;
  StepLoop& loop_;
  const Runtime* const runtime_;
  bool stopped_ = false;
};

class StepRuntime final : public Runtime {
 public:
  explicit StepRuntime(StepLoop* loop) : loop_(*loop), clock_(loop) {}

  const Clock& clock() const override { return clock_; }
  std::unique_ptr<Lane> NewLane(std::string_view) override {
    return std::make_unique<StepLane>(&loop_, this);
  }
  uint64_t Random() override { return 0x9e3779b97f4a7c15; }
  bool Await(const std::function<bool()>& done) override { return done(); }
  void Wake() override {}

 private:
  class StepClock final : public Clock {
   public:
    explicit StepClock(const StepLoop* loop) : loop_(*loop) {}
    absl::Time WallNow() const override { return StepLoop::kBegin + (MonoNow() - MonoTime{}); }
    MonoTime MonoNow() const override { return loop_.now(); }

   private:
    const StepLoop& loop_;
  };
  StepLoop& loop_;
  StepClock clock_;
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_STEP_LOOP_H_
