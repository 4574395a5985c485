// Time as the library sees it: two readings of different types, so that wall time (what is due) and
// monotonic time (leases, sessions, elections) cannot be mixed up.
#ifndef SCHEDULED_CLOCK_H_
#define SCHEDULED_CLOCK_H_

#include <memory>

#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

// Thread-safe. Implementations: the system's clock (the default of Options), and ManualClock.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time (CLOCK_REALTIME); may be stepped in both directions by an operator or NTP.
  virtual absl::Time WallNow() const = 0;
  // Monotonic time that counts suspension (CLOCK_BOOTTIME).
  virtual MonoTime MonoNow() const = 0;
};

class VirtualLoop;

// A clock that stands still until it is told to move, for tests of a host's own code. A Scheduler
// opened with it runs as a group of one over in-memory stores, without threads of its own: a day of
// jobs passes in milliseconds, and always in the same order.
//
//   auto clock = std::make_shared<ManualClock>(absl::FromUnixSeconds(1767225600));
//   auto scheduler = Scheduler::Open({.clock = clock});
//   ...
//   clock->Advance(absl::Hours(24));   // every run that is due within the day has finished
//
// Threads: Advance and SetWallTime from one thread at a time, never from a completion or executor.
class ManualClock : public Clock {
 public:
  explicit ManualClock(absl::Time start = absl::UnixEpoch());
  ~ManualClock() override;

  absl::Time WallNow() const override;
  MonoTime MonoNow() const override;

  // Moves both readings forward by `duration`, stopping at each deadline on the way to run what is
  // due there, in order. Returns when everything due by then has run and all is quiet; it waits for
  // executors that finish on threads of their own. Precondition: duration >= 0.
  void Advance(absl::Duration duration);
  // Steps the wall clock alone, forward or back, as an operator or NTP would; then runs what became
  // due by it.
  void SetWallTime(absl::Time time);

  // For the library: the event loop behind this clock. Owned by the clock.
  VirtualLoop& loop() const { return *loop_; }

 private:
  std::unique_ptr<VirtualLoop> loop_;
};

}  // namespace scheduled

#endif  // SCHEDULED_CLOCK_H_
