// Lanes on threads, random bits from the kernel, waiting on a condition variable.
#include "base/thread_runtime.h"

#include <errno.h>
#include <sys/random.h>

#include <utility>

#include "base/assert.h"
#include "base/system_clock.h"
#include "base/thread_lane.h"

namespace scheduled {

ThreadRuntime::ThreadRuntime(std::shared_ptr<const Clock> clock)
    : clock_(clock != nullptr ? std::move(clock) : std::make_shared<SystemClock>()) {}

ThreadRuntime::~ThreadRuntime() {
  std::lock_guard lock(lanes_mu_);
  SCHEDULED_ASSERT(lanes_.empty(), "a runtime outlives its lanes");
}

std::unique_ptr<Lane> ThreadRuntime::NewLane(std::string_view name) {
  const bool is_system_clock = dynamic_cast<const SystemClock*>(clock_.get()) != nullptr;
  auto lane = std::make_unique<ThreadLane>(this, name, is_system_clock);
  std::lock_guard lock(lanes_mu_);
  lanes_.push_back(lane.get());
  return lane;
}

void ThreadRuntime::Forget(ThreadLane* lane) {
  std::lock_guard lock(lanes_mu_);
  std::erase(lanes_, lane);
}

uint64_t ThreadRuntime::Random() {
  std::lock_guard lock(random_mu_);
  if (random_left_ == 0) {
    const ssize_t size = sizeof(random_pool_);
    ssize_t got;
    do {
      got = getrandom(random_pool_.data(), size, 0);
    } while (got < 0 && errno == EINTR);
    SCHEDULED_ASSERT(got == size, "the kernel gives random bits");
    random_left_ = random_pool_.size();
  }
  return std::exchange(random_pool_[--random_left_], 0);
}

bool ThreadRuntime::Await(const std::function<bool()>& done) {
  std::unique_lock lock(wake_mu_);
  while (true) {
    const uint64_t seen = wake_count_;
    lock.unlock();
    if (done()) return true;
    lock.lock();
    wake_cv_.wait(lock, [&] { return wake_count_ != seen; });
  }
}

void ThreadRuntime::Wake() {
  std::lock_guard lock(wake_mu_);
  ++wake_count_;
  wake_cv_.notify_all();
}

void ThreadRuntime::ClockStepped() {
  std::lock_guard lock(lanes_mu_);
  for (ThreadLane* lane : lanes_) lane->Nudge();
}

}  // namespace scheduled
