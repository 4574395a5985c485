// ManualClock is a face of a virtual loop: it moves the loop's time, and the loop runs what is due.
#include "base/assert.h"
#include "base/virtual_loop.h"
#include "scheduled/clock.h"

namespace scheduled {

ManualClock::ManualClock(absl::Time start)
    : loop_(std::make_unique<VirtualLoop>(VirtualLoopOptions{.wall_start = start})) {}

ManualClock::~ManualClock() = default;

absl::Time ManualClock::WallNow() const { return loop_->WallNow(); }

MonoTime ManualClock::MonoNow() const { return loop_->now(); }

void ManualClock::Advance(absl::Duration duration) {
  SCHEDULED_ASSERT(duration >= absl::ZeroDuration(), "a clock is advanced forward");
  loop_->RunUntil(loop_->now() + duration);
}

void ManualClock::SetWallTime(absl::Time time) {
  loop_->SetWallTime(time);
  loop_->RunUntil(loop_->now());
}

}  // namespace scheduled
