// A node's clocks and state, all of it under its loop's lock.
#include "base/virtual_runtime.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/virtual_lane.h"
#include "base/wall_nanos.h"

namespace scheduled {

// Called under the loop's lock.
VirtualRuntime::VirtualRuntime(VirtualLoop* loop, std::string name,
                               const VirtualNodeOptions& options)
    : loop_(*loop),
      name_(std::move(name)),
      clock_(this),
      wall_(loop->wall_),
      random_(loop->random_.Next()),
      stalls_(loop->random_.Next()),
      pace_(options.pace) {
  const int64_t now = loop->now_;
  wall_.Set(now, wall_.At(now) + absl::ToInt64Nanoseconds(options.wall_offset));
  wall_.SetRate(now, options.wall_rate);
  mono_.Set(now, now + options.mono_start.nanos);
  mono_.SetRate(now, options.mono_rate);
}

VirtualRuntime::~VirtualRuntime() {
  VirtualLoop::Lock lock(loop_.mu_);
  SCHEDULED_ASSERT(lanes_.empty(), "a runtime outlives its lanes");
  std::erase(loop_.runtimes_, this);
}

absl::Time VirtualRuntime::NodeClock::WallNow() const {
  VirtualLoop::Lock lock(runtime_.loop_.mu_);
  return absl::FromUnixNanos(runtime_.wall_.At(runtime_.loop_.LocalNow()));
}

MonoTime VirtualRuntime::NodeClock::MonoNow() const {
  VirtualLoop::Lock lock(runtime_.loop_.mu_);
  return MonoTime{runtime_.mono_.At(runtime_.loop_.LocalNow())};
}

std::unique_ptr<Lane> VirtualRuntime::NewLane(std::string_view name) {
  VirtualLoop::Lock lock(loop_.mu_);
  const std::string_view full_name =
      loop_.KeepName(absl::StrCat(name_, "/", absl::string_view(name.data(), name.size())));
  auto lane = std::make_unique<VirtualLane>(this, full_name);
  lanes_.push_back(lane.get());
  return lane;
}

uint64_t VirtualRuntime::Random() {
  VirtualLoop::Lock lock(loop_.mu_);
  return random_.Next();
}

void VirtualRuntime::SetPace(VirtualPace pace) {
  VirtualLoop::Lock lock(loop_.mu_);
  pace_ = pace;
}

void VirtualRuntime::StepWall(absl::Duration by) {
  VirtualLoop::Lock lock(loop_.mu_);
  loop_.StepWall(this, absl::ToInt64Nanoseconds(by));
}

void VirtualRuntime::SetWallTime(absl::Time time) {
  VirtualLoop::Lock lock(loop_.mu_);
  loop_.StepWall(this, WallNanosCeil(time) - wall_.At(loop_.now_));
}

void VirtualRuntime::SetRate(EventKind timers, ClockLine* line, ClockRate rate) {
  VirtualLoop::Lock lock(loop_.mu_);
  line->SetRate(loop_.now_, rate);
  loop_.ReplaceTimers(*this, timers);
}

void VirtualRuntime::SetWallRate(ClockRate rate) { SetRate(EventKind::kWallTimer, &wall_, rate); }
void VirtualRuntime::SetMonoRate(ClockRate rate) { SetRate(EventKind::kMonoTimer, &mono_, rate); }

void VirtualRuntime::Pause() {
  VirtualLoop::Lock lock(loop_.mu_);
  paused_ = true;
}

void VirtualRuntime::Resume() {
  VirtualLoop::Lock lock(loop_.mu_);
  paused_ = false;
  for (VirtualLane* lane : lanes_) loop_.ResumeLater(lane);
  loop_.Changed();
}

bool VirtualRuntime::paused() const {
  VirtualLoop::Lock lock(loop_.mu_);
  return paused_;
}

void VirtualRuntime::Kill() {
  std::vector<Task> dropped;  // destroyed after the lock is released
  VirtualLoop::Lock lock(loop_.mu_);
  for (VirtualLane* lane : lanes_) {
    lane->stopped_ = true;
    lane->killed_ = true;
  }
  loop_.DropTasksOf(lanes_, &dropped);
  paused_ = false;
}

}  // namespace scheduled
