// Steps of the kernel's own wall clock, which no test may make: what the kernel says of one is said
// here in its place.
#include <errno.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/thread_runtime.h"

namespace {

// The wall clock was stepped since a timer on it was last armed.
std::atomic<bool> was_stepped{false};

}  // namespace

// Stands before the C library's function for this whole program.
extern "C" int timerfd_settime(int fd, int flags, const itimerspec* next,
                               itimerspec* before) noexcept {
  const auto result = static_cast<int>(syscall(SYS_timerfd_settime, fd, flags, next, before));
  if (result != 0 || (flags & TFD_TIMER_CANCEL_ON_SET) == 0 || !was_stepped.exchange(false)) {
    return result;
  }
  errno = ECANCELED;
  return -1;
}

namespace scheduled {

TEST_CASE("a wall timer is armed though the clock was stepped since it was last armed") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("stepped");
  std::mutex mu;
  std::condition_variable changed;
  bool ran = false;
  was_stepped = true;
  // Far enough away that a busy machine has armed the timer before.
  lane->PostAtWall(runtime.clock().WallNow() + absl::Milliseconds(600), [&] {
    std::lock_guard lock(mu);
    ran = true;
    changed.notify_all();
  });
  std::unique_lock lock(mu);
  CHECK(changed.wait_for(lock, std::chrono::seconds(20), [&] { return ran; }));
  CHECK_FALSE(was_stepped);
}

}  // namespace scheduled
