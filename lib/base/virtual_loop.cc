// The run loop. What may run next is decided in TakeRunnable; everything else posts, or waits.
#include "base/virtual_loop.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "base/assert.h"
#include "base/virtual_lane.h"
#include "base/wall_nanos.h"

namespace scheduled {
namespace {

uint64_t MixDigest(uint64_t digest, uint64_t value) {
  digest = (digest ^ value) * 0x9e3779b97f4a7c15u;
  return digest ^ (digest >> 29);
}

}  // namespace

thread_local VirtualLoop::Running* VirtualLoop::running_here_ = nullptr;

VirtualLoop::VirtualLoop(VirtualLoopOptions options)
    : wall_(WallNanosCeil(options.wall_start)), random_(options.seed) {}

VirtualLoop::~VirtualLoop() {
  SCHEDULED_ASSERT(runtimes_.empty(), "a virtual loop outlives its runtimes");
}

std::unique_ptr<VirtualRuntime> VirtualLoop::NewRuntime(std::string_view name) {
  return NewRuntime(name, VirtualNodeOptions{});
}

std::unique_ptr<VirtualRuntime> VirtualLoop::NewRuntime(std::string_view name,
                                                        const VirtualNodeOptions& options) {
  Lock lock(mu_);
  std::unique_ptr<VirtualRuntime> runtime(new VirtualRuntime(this, std::string(name), options));
  runtimes_.push_back(runtime.get());
  return runtime;
}

// ---- Time

int64_t VirtualLoop::LocalNow() const {
  const int64_t now = now_.load(std::memory_order_relaxed);
  return IsRunningHere() ? now + running_here_->spent : now;
}

MonoTime VirtualLoop::now() const { return MonoTime{LocalNow()}; }

absl::Time VirtualLoop::WallNow() const {
  Lock lock(mu_);
  return absl::FromUnixNanos(wall_.At(LocalNow()));
}

void VirtualLoop::SetWallTime(absl::Time time) {
  Lock lock(mu_);
  const int64_t by = WallNanosCeil(time) - wall_.At(now_);
  wall_.Set(now_, wall_.At(now_) + by);
  for (VirtualRuntime* runtime : runtimes_) StepWall(runtime, by);
}

void VirtualLoop::StepWall(VirtualRuntime* runtime, int64_t by) {
  runtime->wall_.Set(now_, runtime->wall_.At(now_) + by);
  ReplaceTimers(*runtime, EventKind::kWallTimer);
}

int64_t VirtualLoop::TrueTimeOf(const VirtualRuntime& runtime, EventKind kind, int64_t due) const {
  switch (kind) {
    case EventKind::kMonoTimer:
      return runtime.mono_.FirstAt(due);
    case EventKind::kWallTimer:
      return runtime.wall_.FirstAt(due);
    default:
      return INT64_MIN;
  }
}

// A clock was stepped or runs at another rate: its timers come up at other true times. They keep
// their order among each other.
void VirtualLoop::ReplaceTimers(const VirtualRuntime& runtime, EventKind kind) {
  std::vector<std::pair<uint64_t, EventIndex>> timers;
  queue_.ForEach([&](EventIndex index) {
    const Event& event = queue_[index];
    if (event.in_heap && event.kind == kind && &event.lane->runtime_ == &runtime) {
      timers.emplace_back(event.sequence, index);
    }
  });
  std::sort(timers.begin(), timers.end());
  for (const auto& [sequence, index] : timers) {
    queue_.Push(index, TrueTimeOf(runtime, kind, queue_[index].due), now_);
  }
  Changed();
}

// ---- What lanes call

bool VirtualLoop::IsFromKilled() const {
  return IsRunningHere() && running_here_->lane != nullptr && running_here_->lane->killed_;
}

TimerId VirtualLoop::PostEvent(VirtualLane* lane, EventKind kind, int64_t due, Task task) {
  Lock lock(mu_);
  if (lane->stopped_ || IsFromKilled()) {
    lock.unlock();  // what the task holds may post when it goes
    task = nullptr;
    return TimerId(0);
  }
  const EventIndex index = queue_.New(kind, lane, std::move(task));
  queue_[index].due = due;
  queue_.Push(index, std::max(LocalNow(), TrueTimeOf(lane->runtime_, kind, due)), now_);
  if (!IsRunningHere()) Changed();
  return queue_.IdOf(index);
}

void VirtualLoop::CancelEvent(VirtualLane* lane, TimerId timer) {
  Task dropped;  // destroyed after the lock is released
  Lock lock(mu_);
  const EventIndex index = queue_.Find(timer);
  if (index == kNoEvent || queue_[index].lane != lane) return;
  dropped = queue_.Drop(index);
}

void VirtualLoop::StopLane(VirtualLane* lane) {
  SCHEDULED_ASSERT(!IsRunningHere(lane), "a lane is not stopped by its own task");
  std::vector<Task> dropped;  // destroyed after the lock is released
  Lock lock(mu_);
  if (!std::exchange(lane->stopped_, true)) DropTasksOf({&lane, 1}, &dropped);
  while (running_lane_ == lane) WaitForChange(&lock);
}

void VirtualLoop::DropTasksOf(std::span<VirtualLane* const> lanes, std::vector<Task>* dropped) {
  queue_.ForEach([&](EventIndex index) {
    const Event& event = queue_[index];
    if (event.kind != EventKind::kDropped &&
        std::find(lanes.begin(), lanes.end(), event.lane) != lanes.end()) {
      dropped->push_back(queue_.Drop(index));
    }
  });
  for (VirtualLane* lane : lanes) {
    lane->resume_ = kNoEvent;
    while (!lane->waiting_.empty()) queue_.Free(queue_.PopFront(&lane->waiting_));
  }
}

std::string_view VirtualLoop::KeepName(std::string name) {
  return *names_.insert(std::move(name)).first;
}

// ---- What runs next

bool VirtualLoop::IsEarly(const Event& event) const {
  // The clock may have been stepped back since the timer came up.
  return event.kind == EventKind::kWallTimer && event.lane->runtime_.wall_.At(now_) < event.due;
}

bool VirtualLoop::BeginsStall(VirtualLane* lane) {
  VirtualRuntime& runtime = lane->runtime_;
  const VirtualPace& pace = runtime.pace_;
  if (pace.stall_per_mille == 0) return false;
  if (!runtime.stalls_.Chance(pace.stall_per_mille, 1000)) return false;
  lane->busy_until_ =
      now_ + runtime.stalls_.Between(0, absl::ToInt64Nanoseconds(pace.stall_max)) + 1;
  return true;
}

void VirtualLoop::WaitInLane(VirtualLane* lane, EventIndex index) {
  queue_.Append(&lane->waiting_, index);
  ResumeLater(lane);
}

void VirtualLoop::ResumeLater(VirtualLane* lane) {
  if (lane->waiting_.empty() || lane->resume_ != kNoEvent || lane->runtime_.paused_) return;
  lane->resume_ = queue_.New(EventKind::kResume, lane, nullptr);
  queue_.Push(lane->resume_, lane->busy_until_, now_);
}

EventIndex VirtualLoop::TakeWaiting(VirtualLane* lane) {
  while (!lane->waiting_.empty()) {
    const EventIndex index = queue_.PopFront(&lane->waiting_);
    const Event& event = queue_[index];
    if (event.kind == EventKind::kDropped) {
      queue_.Free(index);
    } else if (IsEarly(event)) {
      queue_.Push(index, TrueTimeOf(lane->runtime_, event.kind, event.due), now_);
    } else {
      return index;
    }
  }
  return kNoEvent;
}

// The next task that may run at this instant, in the order (time, sequence); kNoEvent if there is
// none. What comes up for a lane that is busy, late or paused goes behind what waits there already,
// so each lane keeps its order.
EventIndex VirtualLoop::TakeRunnable() {
  while (queue_.NextTime() <= now_) {
    EventIndex index = queue_.Pop();
    const Event& event = queue_[index];
    VirtualLane* lane = event.lane;
    const bool held = lane->runtime_.paused_ || lane->busy_until_ > now_;
    if (event.kind == EventKind::kResume) {
      queue_.Free(index);
      lane->resume_ = kNoEvent;
      if (held) {
        ResumeLater(lane);
        continue;
      }
      index = TakeWaiting(lane);
      if (index != kNoEvent) return index;
    } else if (IsEarly(event)) {
      queue_.Push(index, TrueTimeOf(lane->runtime_, event.kind, event.due), now_);
    } else if (held || !lane->waiting_.empty() || BeginsStall(lane)) {
      WaitInLane(lane, index);
    } else {
      return index;
    }
  }
  return kNoEvent;
}

void VirtualLoop::RunTask(Lock* lock, EventIndex index) {
  VirtualLane* const lane = queue_[index].lane;
  Task task = std::move(queue_[index].task);
  digest_ = MixDigest(digest_, static_cast<uint64_t>(now_.load()));
  digest_ = MixDigest(digest_, lane->name_hash_ + static_cast<uint64_t>(queue_[index].kind));
  queue_.Free(index);
  ++event_count_;
  last_lane_ = lane->full_name_;
  running_ = true;
  running_lane_ = lane;
  Running here{this, lane, absl::ToInt64Nanoseconds(lane->runtime_.pace_.task_cost)};
  lock->unlock();

  // A failed assertion may be a test's exception: what follows a task follows that as well.
  absl::Cleanup finish = [this, lock, outer = running_here_] {
    running_here_ = outer;
    if (!lock->owns_lock()) lock->lock();
    running_ = false;
    Changed();
  };
  running_here_ = &here;
  {
    absl::Cleanup end_task = [this, lane, lock, &here] {
      here.lane = nullptr;
      lock->lock();
      EndTask(lane, here.spent);
    };
    std::move(task)();
    task = nullptr;
  }
  if (after_event_) {
    lock->unlock();
    here.spent = 0;
    after_event_();
  }
}

void VirtualLoop::EndTask(VirtualLane* lane, int64_t spent) {
  if (spent > 0) lane->busy_until_ = now_ + spent;
  running_lane_ = nullptr;
  if (!lane->stopped_) ResumeLater(lane);
  Changed();
}

bool VirtualLoop::RunNext(Lock* lock, int64_t limit) {
  while (true) {
    if (running_) {
      WaitForChange(lock);
      continue;
    }
    if (const EventIndex index = TakeRunnable(); index != kNoEvent) {
      RunTask(lock, index);
      return true;
    }
    if (external_ > 0) {
      WaitForChange(lock);
      continue;
    }
    const int64_t next = queue_.NextTime();
    if (next == INT64_MAX || next > limit) return false;
    now_ = next;
  }
}

void VirtualLoop::WaitForChange(Lock* lock) {
  ++waiters_;
  changed_.wait(*lock);
  --waiters_;
}

void VirtualLoop::Changed() {
  ++changes_;
  if (waiters_ > 0) changed_.notify_all();
}

// ---- Driving

bool VirtualLoop::RunOne() {
  SCHEDULED_ASSERT(!IsRunningHere(), "a loop is not driven by its own task");
  Lock lock(mu_);
  return RunNext(&lock, INT64_MAX);
}

uint64_t VirtualLoop::RunReady() {
  SCHEDULED_ASSERT(!IsRunningHere(), "a loop is not driven by its own task");
  Lock lock(mu_);
  uint64_t ran = 0;
  while (true) {
    while (running_) WaitForChange(&lock);
    const EventIndex index = TakeRunnable();
    if (index == kNoEvent) return ran;
    RunTask(&lock, index);
    ++ran;
  }
}

uint64_t VirtualLoop::RunUntil(MonoTime until) {
  SCHEDULED_ASSERT(!IsRunningHere(), "a loop is not driven by its own task");
  Lock lock(mu_);
  uint64_t ran = 0;
  while (RunNext(&lock, until.nanos)) ++ran;
  if (until != MonoTime::Infinite() && now_ < until.nanos) now_ = until.nanos;
  return ran;
}

std::optional<MonoTime> VirtualLoop::next_event_time() {
  Lock lock(mu_);
  const int64_t next = queue_.NextTime();
  if (next == INT64_MAX) return std::nullopt;
  return MonoTime{next};
}

void VirtualLoop::Spend(absl::Duration duration) {
  SCHEDULED_ASSERT(IsRunningHere() && running_here_->lane != nullptr, "a task spends its time");
  SCHEDULED_ASSERT(duration >= absl::ZeroDuration(), "time that is spent does not come back");
  running_here_->spent += absl::ToInt64Nanoseconds(duration);
}

bool VirtualLoop::Await(const std::function<bool()>& done) {
  SCHEDULED_ASSERT(!IsRunningHere(), "a task does not wait for others on its own loop");
  Lock lock(mu_);
  while (true) {
    const uint64_t seen = changes_;
    lock.unlock();
    if (done()) return true;
    lock.lock();
    if (changes_ != seen) continue;
    if (running_) {
      WaitForChange(&lock);
    } else if (const EventIndex index = TakeRunnable(); index != kNoEvent) {
      RunTask(&lock, index);
    } else if (external_ > 0) {
      WaitForChange(&lock);
    } else {
      return false;
    }
  }
}

void VirtualLoop::Wake() {
  Lock lock(mu_);
  Changed();
}

void VirtualLoop::BeginExternal() {
  Lock lock(mu_);
  ++external_;
}

void VirtualLoop::EndExternal() {
  Lock lock(mu_);
  SCHEDULED_ASSERT(external_ > 0, "what ends outside has begun");
  --external_;
  Changed();
}

uint64_t VirtualLoop::event_count() const {
  Lock lock(mu_);
  return event_count_;
}

uint64_t VirtualLoop::digest() const {
  Lock lock(mu_);
  return digest_;
}

std::string_view VirtualLoop::last_lane() const {
  Lock lock(mu_);
  return last_lane_;
}

}  // namespace scheduled
